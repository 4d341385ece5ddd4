/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What ring.h and protocol.c need of the platform: user space, or the kernel of a
 * 64-bit machine.
 *
 * All loads acquire, all stores release, and cas and xchg are full barriers.
 * User space asks for more, one total order, because of the pair
 *     producer: publish, then look whether the owner sleeps
 *     owner:    say that it sleeps, then look for what is published
 * in which one of the two must see the other.  In the kernel the cas of a
 * producer orders that by itself and the owner uses xs_store_mb().
 */
#ifndef XSEG_PLATFORM_H
#define XSEG_PLATFORM_H

#ifdef __KERNEL__
#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/ktime.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>

#define xs_load(p) smp_load_acquire(p) /* as promised above, so are the next two */
#define xs_store(p, v) smp_store_release(p, v) /* the same */
#define xs_store_mb(p, v) smp_store_mb(*(p), v) /* the same */
#define xs_xchg(p, v) xchg(p, v)
#define xs_cas(p, was, v) (cmpxchg(p, was, v) == (was))

/* Adds one to a __u64 that orders nothing. */
static inline void xs_count(__u64 *counter)
{
	atomic64_inc((atomic64_t *)counter);
}

static inline __u64 xs_monotonic_ns(void)
{
	return ktime_get_ns();
}

static inline __u64 xs_boottime_ns(void)
{
	return ktime_get_boottime_ns();
}
#else
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <linux/types.h>

#define xs_load(p) __atomic_load_n(p, __ATOMIC_SEQ_CST)
#define xs_store(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define xs_store_mb(p, v) __atomic_store_n(p, v, __ATOMIC_SEQ_CST)
#define xs_xchg(p, v) __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define xs_cas(p, was, v)                                                      \
	({                                                                     \
		__typeof__(*(p)) xs_was = (was);                               \
		__atomic_compare_exchange_n(p, &xs_was, v, 0,                  \
					    __ATOMIC_SEQ_CST,                  \
					    __ATOMIC_SEQ_CST);                 \
	})

static inline void xs_count(__u64 *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static inline __u64 xs_clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static inline __u64 xs_monotonic_ns(void)
{
	return xs_clock_ns(CLOCK_MONOTONIC);
}

static inline __u64 xs_boottime_ns(void)
{
	return xs_clock_ns(CLOCK_BOOTTIME);
}
#endif

#endif
