/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every call of xseg.h on a joined segment, with arguments that may be right.
 * Whatever lies in the segment, it says what its contract allows, and what it
 * hands out lies in the segment.
 */
#ifndef XSEG_CALLS_H
#define XSEG_CALLS_H

#include "test.h"

static FILE *nowhere; /* for reports */
static int truncation; /* 1: the file may have been truncated */

static int said(const char *call, int rc, const int *may)
{
	if (rc >= 0 || (truncation && rc == -EUCLEAN))
		return rc;
	while (*may && *may != -rc)
		may++;
	if (!*may)
		fprintf(stderr, "%s says %s, which its contract does not\n", call, strerror(-rc));
	CHECK(*may && *xseg_strerror());
	return rc;
}

#define SAYS(call, ...) said(#call, call, (const int[]){ __VA_ARGS__, 0 })

static void check_accepted(struct xseg *xs, const uint32_t *slots, int n)
{
	for (int i = 0; i < n; i++) {
		const struct xseg_request *r = xseg_request(xs, slots[i]);

		CHECK(r);
		CHECK((const char *)r >= (const char *)xseg_base(xs) + xseg_header(xs)->requests_at);
		CHECK((const char *)(r + 1) <= (const char *)xseg_base(xs) + xseg_header(xs)->data_at);
	}
}

/* Of a request that nobody else writes to meanwhile. */
static void check_placed(struct xseg *xs, const uint32_t *slots, int n)
{
	for (int i = 0; i < n; i++) {
		const struct xseg_request *r = xseg_request(xs, slots[i]);

		CHECK(r->target_length <= XSEG_TARGET_MAX);
		CHECK(!r->data_length || (r->data_at >= xseg_header(xs)->data_at &&
					  r->data_length <= xseg_size(xs) &&
					  r->data_at <= xseg_size(xs) - r->data_length));
	}
}

static void call_wait(struct xseg *xs, uint32_t port)
{
	SAYS(xseg_prepare_wait(xs, port), EINVAL);
	CHECK(SAYS(xseg_wait(xs, port, below(8) ? 0 : below(2000)), EINVAL, EINTR) <= 1);
	SAYS(xseg_prepare_wait(xs, port), EINVAL);
	SAYS(xseg_cancel_wait(xs, port), EINVAL);
	SAYS(xseg_wake(xs, port), EINVAL);
}

static void call_space(struct xseg *xs, uint32_t port)
{
	uint64_t at, length;
	uint32_t first, count;

	if (!SAYS(xseg_port_slots(xs, port, &first, &count), EINVAL))
		CHECK((uint64_t)first + count <= xseg_header(xs)->nr_requests);
	if (!SAYS(xseg_port_data(xs, port, &at, &length), EINVAL))
		CHECK(at >= xseg_header(xs)->data_at && at + length <= xseg_size(xs));
}

static void call_looks(struct xseg *xs, uint32_t port)
{
	uint32_t pid;

	CHECK(SAYS(xseg_alive(xs, port), EINVAL) <= 1);
	CHECK(SAYS(xseg_lock_holder(xs, &pid), 0) <= 1);
	CHECK(!xseg_request(xs, xseg_header(xs)->nr_requests + below(9)) &&
	      !xseg_request(xs, UINT32_MAX - below(9)));
	SAYS(xseg_report(xs, port, nowhere), EINVAL);
	if (!below(4))
		SAYS(xseg_report_all(xs, nowhere), 0);
}

enum { CALLS = 14, SLOTS = 32 };

/* quiet: nobody else writes to the segment. */
static void call(struct xseg *xs, int which, int quiet)
{
	uint32_t slots[SLOTS], n = below(SLOTS), port = below(xseg_header(xs)->nr_ports);
	int went;

	if (!below(16))
		port = rnd();
	for (int i = 0; i < SLOTS; i++)
		slots[i] = below(16) ? below(xseg_header(xs)->nr_requests) : rnd();
	switch (which) {
	case 0:
		SAYS(xseg_bind(xs, port, below(9), below(3) * 4096, "fuzz",
			       below(xseg_header(xs)->nr_ports)),
		     EBUSY, EXDEV, EAGAIN, ENOSPC, EINVAL, ETIMEDOUT);
		break;
	case 1: SAYS(xseg_unbind(xs, port), EPERM, EINVAL, EAGAIN, ETIMEDOUT); break;
	case 2: SAYS(xseg_recover(xs, port), EBUSY, EXDEV, EINVAL, ETIMEDOUT); break;
	case 3: SAYS(xseg_try_recover(xs, port), EBUSY, EXDEV, EINVAL, EAGAIN); break;
	case 4: SAYS(xseg_recover_dead(xs), ETIMEDOUT); break;
	case 5: case 6:
		CHECK(SAYS(xseg_submit(xs, port, slots, n), EHOSTDOWN, EINVAL) <= (int)n);
		break;
	case 7: case 8:
		went = SAYS(xseg_accept(xs, port, slots, n), EPERM, EINVAL);
		CHECK(went <= (int)n);
		check_accepted(xs, slots, went);
		if (quiet)
			check_placed(xs, slots, went);
		if (below(2))
			CHECK(went <= 0 || xseg_respond(xs, slots, went) <= went);
		break;
	case 9: CHECK((uint32_t)xseg_respond(xs, slots, n) <= n); break;
	case 10:
		went = SAYS(xseg_receive(xs, port, slots, n), EPERM, EINVAL, EUCLEAN);
		CHECK(went <= (int)n);
		check_accepted(xs, slots, went);
		break;
	case 11: call_wait(xs, port); break;
	case 12: call_space(xs, port); break;
	default:
		SAYS(xseg_heartbeat(xs, port), EPERM, EINVAL);
		call_looks(xs, port);
		if (!below(50))
			SAYS(xseg_bell_fd(xs, port), EPERM, EINVAL);
		if (!below(quiet ? 4 : 100)) { /* they wait for what may be on its way */
			SAYS(xseg_verify(xs, NULL), ENOMEM);
			SAYS(xseg_mend(xs, nowhere), ETIMEDOUT);
		}
	}
}

/* All owners are dead: after recovery and mending there is nothing to be found. */
static void put_in_order(struct xseg *xs)
{
	const struct xseg_header *h = xseg_header(xs);
	char *found = NULL;
	size_t length;
	FILE *out;

	for (uint32_t port = 0; port < h->nr_ports; port++) {
		struct xseg_port *p = (void *)((char *)xseg_base(xs) + h->ports_at +
					       (uint64_t)port * h->port_stride);

		/* Whoever is said to be elsewhere counts as alive: it cannot be judged. */
		if (SAYS(xseg_recover(xs, port), EXDEV) == -EXDEV)
			p->pid_ns = 0;
	}
	CHECK(SAYS(xseg_recover_dead(xs), 0) >= 0);
	CHECK(SAYS(xseg_mend(xs, NULL), 0) >= 0);
	out = open_memstream(&found, &length);
	CHECK(out);
	xseg_verify(xs, out);
	fclose(out);
	if (length)
		fprintf(stderr, "mended, and yet: %s", found);
	CHECK(!length);
	free(found);
	for (uint32_t port = 0; port < h->nr_ports; port++)
		CHECK_EQ(xseg_alive(xs, port), 0);
}

#endif
