// SPDX-License-Identifier: BSD-2-Clause
/* protocol.c for those who may be wrong: what they give is checked, what fails explained. */
#include "internal.h"

struct xseg_request *xseg_request(struct xseg *xs, uint32_t slot)
{
	return slot < xs->h.nr_requests ? xs_slot(xs, slot) : NULL;
}

int xseg_submit(struct xseg *xs, uint32_t dst, const uint32_t *slots, uint32_t n)
{
	int rc = xs_bad_port(xs, dst);

	if (rc)
		return rc;
	rc = xs_submit(xs, dst, slots, n);
	if (rc == -EHOSTDOWN)
		return xs_fail(EHOSTDOWN, "nobody serves port %u", dst);
	if (rc == -EINVAL)
		return xs_fail(EINVAL, "request %u is not one of its src's, or not free", slots[0]);
	return rc;
}

int xseg_accept(struct xseg *xs, uint32_t port, uint32_t *slots, uint32_t max)
{
	return xs_not_mine(xs, port) ?: (int)xs_accept(xs, port, slots, max);
}

int xseg_respond(struct xseg *xs, const uint32_t *slots, uint32_t n)
{
	return xs_spoilt(xs) ? 0 : xs_respond(xs, slots, n);
}

int xseg_receive(struct xseg *xs, uint32_t port, uint32_t *slots, uint32_t max)
{
	int rc = xs_not_mine(xs, port);
	uint32_t first, count;

	if (rc)
		return rc;
	if (!xs_run_of_slots(xs, xs_port(xs, port), &first, &count))
		return xs_fail(EUCLEAN, "port %u: its run of requests is spoilt", port);
	return xs_receive(xs, port, first, count, slots, max);
}
