// SPDX-License-Identifier: BSD-2-Clause
/* Sleeping until rung. */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"

static int futex_wake(__u32 *word, int sleepers)
{
	return syscall(SYS_futex, word, FUTEX_WAKE, sleepers, NULL, NULL, 0);
}

static void wake(struct xseg *xs, uint32_t bell)
{
	struct xseg_port *port = xs_port(xs, bell);
	__u32 was = xs_load(&port->sleeping);

	if (was == XSEG_AWAKE)
		return;
	if (was == XSEG_SLEEPING)
		(void)xs_cas(&port->sleeping, XSEG_SLEEPING, XSEG_RUNG);
	if (xs_load(&port->fifo))
		xs_ring_fifo(xs, bell);
	else
		futex_wake(&port->sleeping, 1);
}

void xs_ring_bell(struct xseg *xs, struct xseg_port *port)
{
	__u32 bell = xs_load(&port->bell);

	if (bell < xs->h.nr_ports)
		wake(xs, bell);
}

void xs_wake_all(struct xseg *xs)
{
	for (uint32_t port = 0; port < xs->h.nr_ports; port++)
		wake(xs, port);
}

int xseg_prepare_wait(struct xseg *xs, uint32_t bell)
{
	int rc = xs_bad_port(xs, bell);

	if (!rc)
		xs_store_mb(&xs_port(xs, bell)->sleeping, XSEG_SLEEPING);
	return rc;
}

int xseg_cancel_wait(struct xseg *xs, uint32_t bell)
{
	int rc = xs_bad_port(xs, bell);

	if (!rc)
		xs_store(&xs_port(xs, bell)->sleeping, XSEG_AWAKE);
	return rc;
}

int xseg_wait(struct xseg *xs, uint32_t bell, uint64_t timeout_ns)
{
	struct timespec timeout = { .tv_sec = timeout_ns / 1000000000,
				    .tv_nsec = timeout_ns % 1000000000 };
	int error = 0, rc = xs_bad_port(xs, bell);
	__u32 *word;

	if (rc)
		return rc;
	word = &xs_port(xs, bell)->sleeping;
	if (syscall(SYS_futex, word, FUTEX_WAIT, XSEG_SLEEPING, &timeout, NULL, 0))
		error = errno;
	if (xs_xchg(word, XSEG_AWAKE) == XSEG_RUNG)
		return 1;
	if (error == EINTR)
		return xs_fail(EINTR, "a signal came while waiting at port %u", bell);
	return error != ETIMEDOUT;
}

int xseg_wake(struct xseg *xs, uint32_t bell)
{
	int rc = xs_bad_port(xs, bell);

	if (!rc)
		wake(xs, bell);
	return rc;
}
