// SPDX-License-Identifier: BSD-2-Clause
/* Requests between ports: there and back. */
#include <time.h>
#include "internal.h"

static void dropped(struct xseg_port *port)
{
	__atomic_fetch_add(&port->dropped, 1, __ATOMIC_RELAXED);
}

struct xseg_request *xseg_request(struct xseg *xs, uint32_t slot)
{
	return slot < xs->h.nr_requests ? xs_slot(xs, slot) : NULL;
}

/*
 * Makes src look through its slots.  The entry is there for an owner that looks
 * at its ring only; where it does not fit, others are in it.
 */
void xs_tell(struct xseg *xs, struct xseg_port *src, uint32_t slot)
{
	struct xs_ring ring;

	if (!src)
		return;
	ring = xs_reply_ring(xs, src);
	xs_store_mb(&src->rescan, 1);
	xs_ring_push(&ring, slot);
	xs_ring_bell(xs, src);
}

/*
 * Sends slot back if it was sent to dst, which is closed, and not accepted.
 * Its status is EOWNERDEAD since it was submitted, so this is one step.
 */
int xs_send_back(struct xseg *xs, uint32_t slot, uint32_t dst)
{
	struct xseg_port *src = xs_source_of(xs, slot);

	if (!xs_slot_step(xs_slot(xs, slot), dst, XSEG_REQUEST_SUBMITTED, XSEG_REQUEST_DONE))
		return 0;
	xs_tell(xs, src, slot);
	return 1;
}

int xseg_submit(struct xseg *xs, uint32_t dst, const uint32_t *slots, uint32_t n)
{
	int rc = xs_bad_port(xs, dst);
	struct xseg_port *port;
	struct xs_ring ring;
	uint32_t went;

	if (rc)
		return rc;
	port = xs_port(xs, dst);
	if (xs_load(&port->state) != XSEG_PORT_BOUND)
		return xs_fail(EHOSTDOWN, "nobody serves port %u", dst);
	ring = xs_request_ring(xs, port);
	for (went = 0; went < n; went++) {
		uint32_t slot = slots[went];
		struct xseg_request *r = xseg_request(xs, slot);

		if (!r || !xs_source_of(xs, slot) || xs_load(&r->state) != XSEG_REQUEST_FREE) {
			if (went)
				break;
			return xs_fail(EINVAL, "request %u is not one of its src's, or not free",
				       slot);
		}
		r->status = EOWNERDEAD; /* unless someone says something else */
		r->serviced = 0;
		xs_store_mb(&r->hand, (uint64_t)dst << 32 | XSEG_REQUEST_SUBMITTED);
		/* If it can't be called back, an older entry has led to it. */
		if (!xs_ring_push(&ring, slot) &&
		    xs_slot_step(r, dst, XSEG_REQUEST_SUBMITTED, XSEG_REQUEST_FREE))
			break;
	}
	if (!went)
		return 0;
	/* Either this sees that the port closed or who closed it saw the slots. */
	if (xs_load(&port->state) != XSEG_PORT_BOUND)
		for (uint32_t i = 0; i < went; i++)
			xs_send_back(xs, slots[i], dst);
	else
		xs_ring_bell(xs, port);
	return went;
}

static int sane(const struct xseg *xs, const struct xseg_request *r)
{
	uint64_t at = r->data_at, length = r->data_length;

	return r->target_length <= XSEG_TARGET_MAX &&
	       (!length || (at >= xs->h.data_at && at <= xs->h.size && length <= xs->h.size - at));
}

/* Which of slots[0..n), from the ring, are requests to port; they are moved down. */
static uint32_t accept_each(struct xseg *xs, uint32_t number, uint32_t *slots, uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t slot = slots[i];
		struct xseg_request *r = xseg_request(xs, slot);

		if (!r || !xs_slot_step(r, number, XSEG_REQUEST_SUBMITTED,
					XSEG_REQUEST_ACCEPTED)) {
			dropped(xs_port(xs, number));
		} else if (!xs_source_of(xs, slot) || !sane(xs, r)) {
			r->status = EINVAL;
			r->serviced = 0;
			xseg_respond(xs, &slot, 1);
		} else {
			slots[kept++] = slot;
		}
	}
	return kept;
}

int xseg_accept(struct xseg *xs, uint32_t port, uint32_t *slots, uint32_t max)
{
	int rc = xs_not_mine(xs, port);
	uint32_t n, taken = 0, kept = 0;
	struct xs_ring ring;

	if (rc)
		return rc;
	ring = xs_request_ring(xs, xs_port(xs, port));
	max = max < xs->h.ring_size ? max : xs->h.ring_size;
	/* 0 shall mean that the ring is empty, not that it began with stale entries. */
	while (!kept && taken < 2 * xs->h.ring_size && (n = xs_ring_pop(&ring, slots, max))) {
		taken += n;
		kept = accept_each(xs, port, slots, n);
	}
	return kept;
}

int xseg_respond(struct xseg *xs, const uint32_t *slots, uint32_t n)
{
	struct xseg_port *src, *rung = NULL;
	int answered = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct xseg_request *r = xseg_request(xs, slots[i]);
		uint32_t dst = r ? xs_load(&r->dst) : UINT32_MAX;
		struct xs_ring ring;

		if (!r || xs_not_mine(xs, dst))
			continue;
		src = xs_source_of(xs, slots[i]); /* while it cannot change */
		if (!xs_slot_step(r, dst, XSEG_REQUEST_ACCEPTED, XSEG_REQUEST_DONE) || !src) {
			dropped(xs_port(xs, dst));
			continue;
		}
		answered++;
		ring = xs_reply_ring(xs, src);
		if (!xs_ring_push(&ring, slots[i]))
			xs_store_mb(&src->rescan, 1);
		if (rung != src && rung)
			xs_ring_bell(xs, rung);
		rung = src;
	}
	if (rung)
		xs_ring_bell(xs, rung);
	return answered;
}

/* Takes slot if it is an answer. */
int xs_take_answer(struct xseg *xs, uint32_t slot)
{
	struct xseg_request *r = xs_slot(xs, slot);
	uint64_t hand = xs_load(&r->hand);

	return (uint32_t)hand == XSEG_REQUEST_DONE &&
	       xs_slot_step(r, hand >> 32, XSEG_REQUEST_DONE, XSEG_REQUEST_FREE);
}

/*
 * Counts what the owner timed; what it did not costs one look at a line that it
 * has written itself.  Killed between the stores, it leaves a wrong mean behind.
 */
static void count_times(const struct xseg *xs, struct xseg_port *port, const uint32_t *slots,
			uint32_t n)
{
	uint64_t timed = 0, ns = 0, now = 0;
	struct timespec clock;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t since = xs_slot(xs, slots[i])->submitted_ns;

		if (!since)
			continue;
		if (!now) {
			clock_gettime(CLOCK_MONOTONIC, &clock);
			now = clock.tv_sec * 1000000000ULL + clock.tv_nsec;
		}
		timed++;
		ns += now - since;
	}
	if (!timed)
		return;
	xs_store(&port->timed, port->timed + timed);
	xs_store(&port->timed_ns, port->timed_ns + ns);
}

/* As accept_each(), for answers to the owner of slots [first, first + count). */
static uint32_t receive_each(struct xseg *xs, struct xseg_port *port, uint32_t *slots, uint32_t n,
			     uint32_t first, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t slot = slots[i];

		if (slot - first < count && xs_take_answer(xs, slot))
			slots[kept++] = slot;
		else
			dropped(port);
	}
	return kept;
}

int xseg_receive(struct xseg *xs, uint32_t number, uint32_t *slots, uint32_t max)
{
	int rc = xs_not_mine(xs, number);
	uint32_t first, count, n, taken = 0, kept = 0;
	struct xseg_port *port;
	struct xs_ring ring;

	if (rc)
		return rc;
	port = xs_port(xs, number);
	if (!xs_run_of_slots(xs, port, &first, &count))
		return xs_fail(EUCLEAN, "port %u: its run of requests is spoilt", number);
	max = max < xs->h.ring_size ? max : xs->h.ring_size;
	if (xs_load(&port->rescan) && xs_xchg(&port->rescan, 0)) {
		for (uint32_t i = 0; i < count && kept < max; i++)
			if (xs_take_answer(xs, first + i))
				slots[kept++] = first + i;
		if (kept == max)
			xs_store_mb(&port->rescan, 1);
		count_times(xs, port, slots, kept);
		if (kept)
			return kept;
	}
	ring = xs_reply_ring(xs, port);
	while (!kept && taken < 2 * xs->h.ring_size && (n = xs_ring_pop(&ring, slots, max))) {
		taken += n;
		kept = receive_each(xs, port, slots, n, first, count);
	}
	count_times(xs, port, slots, kept);
	return kept;
}
