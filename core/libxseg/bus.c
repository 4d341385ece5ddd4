// SPDX-License-Identifier: BSD-2-Clause
/*
 * A segment's file can be truncated by whoever may write it, and a touch of what is
 * gone raises SIGBUS, in whichever code touches it.  The handler puts empty memory
 * there and marks the segment spoilt, so that the touch succeeds and the next call
 * says -EUCLEAN.  Any other SIGBUS goes to whom it went before.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include "internal.h"

/* Those joined beyond this number are not protected. */
#define GUARDED_MAX 64

static struct {
	uintptr_t from, to; /* to: written last, 0 = free */
	int *spoilt;
} guarded[GUARDED_MAX];

static struct sigaction before;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* 1 where at is a segment's and can be touched from now on. */
static int put_memory(uintptr_t at)
{
	for (int i = 0; i < GUARDED_MAX; i++) {
		uintptr_t to = __atomic_load_n(&guarded[i].to, __ATOMIC_ACQUIRE);
		uintptr_t from = guarded[i].from;

		if (at < from || at >= to)
			continue;
		/* Another thread may have come first: this one tries again until it is there. */
		if (!__atomic_exchange_n(guarded[i].spoilt, 1, __ATOMIC_SEQ_CST) &&
		    mmap((void *)from, to - from, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
			 0) == MAP_FAILED)
			return 0;
		return 1;
	}
	return 0;
}

static void on_bus(int number, siginfo_t *info, void *context)
{
	int error = errno;

	if (info->si_code > 0 && put_memory((uintptr_t)info->si_addr)) {
		errno = error;
	} else if (before.sa_flags & SA_SIGINFO) {
		before.sa_sigaction(number, info, context);
	} else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
		before.sa_handler(number);
	} else {
		/* Blocked until this returns; then the process ends as it would have. */
		signal(number, SIG_DFL);
		raise(number);
	}
}

static void install(void)
{
	struct sigaction action = { .sa_sigaction = on_bus,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };

	sigaction(SIGBUS, NULL, &before);
	sigfillset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

void xs_guard(struct xseg *xs)
{
	pthread_once(&once, install);
	pthread_mutex_lock(&mutex);
	for (int i = 0; i < GUARDED_MAX; i++)
		if (!guarded[i].to) {
			guarded[i].from = (uintptr_t)xs->base;
			guarded[i].spoilt = &xs_joined(xs)->spoilt;
			__atomic_store_n(&guarded[i].to, (uintptr_t)xs->base + xs->h.size,
					 __ATOMIC_RELEASE);
			break;
		}
	pthread_mutex_unlock(&mutex);
}

void xs_unguard(const struct xseg *xs)
{
	pthread_mutex_lock(&mutex);
	for (int i = 0; i < GUARDED_MAX; i++)
		if (guarded[i].to && guarded[i].spoilt == &xs_joined(xs)->spoilt)
			__atomic_store_n(&guarded[i].to, 0, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&mutex);
}
