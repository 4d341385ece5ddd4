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

void xs_wake(struct xseg *xs, uint32_t bell)
{
	struct xseg_port *port = xs_port(xs, bell);

	if (xs_joined(xs)->device)
		xs_ring_device(xs);
	else if (xs_load(&port->fifo))
		xs_ring_fifo(xs, bell);
	else
		futex_wake(&port->sleeping, 1);
}

int xseg_prepare_wait(struct xseg *xs, uint32_t bell)
{
	int rc = xs_bad_port(xs, bell);

	if (!rc)
		xs_bell_set(xs_port(xs, bell));
	return rc;
}

int xseg_cancel_wait(struct xseg *xs, uint32_t bell)
{
	int rc = xs_bad_port(xs, bell);

	if (!rc)
		xs_bell_clear(xs_port(xs, bell));
	return rc;
}

int xseg_wait(struct xseg *xs, uint32_t bell, uint64_t timeout_ns)
{
	struct timespec timeout = { .tv_sec = timeout_ns / 1000000000,
				    .tv_nsec = timeout_ns % 1000000000 };
	int error = 0, rc = xs_bad_port(xs, bell);
	struct xseg_port *port;

	if (rc)
		return rc;
	port = xs_port(xs, bell);
	if (syscall(SYS_futex, &port->sleeping, FUTEX_WAIT, XSEG_SLEEPING, &timeout, NULL, 0))
		error = errno;
	if (xs_bell_was_rung(port))
		return 1;
	if (error == EINTR)
		return xs_fail(EINTR, "a signal came while waiting at port %u", bell);
	return error != ETIMEDOUT;
}

int xseg_wake(struct xseg *xs, uint32_t bell)
{
	int rc = xs_bad_port(xs, bell);

	if (!rc)
		xs_ring(xs, bell);
	return rc;
}
