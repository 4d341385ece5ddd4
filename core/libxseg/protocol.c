// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* Requests between ports: there and back. */
#include "protocol.h"

static struct xseg_request *request(const struct xseg *xs, __u32 slot)
{
	return slot < xs->h.nr_requests ? xs_slot(xs, slot) : NULL;
}

static int is_mine(const struct xseg *xs, __u32 port)
{
	return port < xs->h.nr_ports && xs_load(&xs->mine[port]);
}

void xs_give_port(struct xseg *xs, __u32 number, const struct xs_owner *owner)
{
	struct xseg_port *port = xs_port(xs, number);
	__u32 i;

	xs_store(&port->first_request, owner->first_request);
	xs_store(&port->nr_requests, owner->nr_requests);
	xs_store(&port->first_page, owner->first_page);
	xs_store(&port->nr_pages, owner->nr_pages);
	for (i = 0; i < owner->nr_requests; i++) {
		struct xseg_request *r = xs_slot(xs, owner->first_request + i);

		xs_store(&r->hand, XSEG_REQUEST_FREE);
		xs_store(&r->src, number);
	}
	xs_store(&port->pid, owner->pid);
	xs_store(&port->pid_start, owner->pid_start);
	xs_store(&port->pid_ns, owner->pid_ns);
	xs_store(&port->bell, owner->bell);
	xs_store(&port->generation, port->generation + 1);
	xs_store(&port->heartbeat, xs_boottime_ns());
	memset(port->role, 0, XSEG_NAME_MAX);
	memcpy(port->role, owner->role, strlen(owner->role));
	xs_store(&port->sleeping, XSEG_AWAKE);
	xs_store(&port->rescan, 0);
	xs_store(&port->dropped, 0);
	xs_store_mb(&port->state, XSEG_PORT_BOUND);
}

/*
 * The entry is there for an owner that looks at its ring only; where it does not
 * fit, others are in it.
 */
void xs_tell(struct xseg *xs, struct xseg_port *src, __u32 slot)
{
	struct xs_ring ring;

	if (!src)
		return;
	ring = xs_reply_ring(xs, src);
	xs_store_mb(&src->rescan, 1);
	xs_ring_push(&ring, slot);
	xs_ring_bell(xs, src);
}

/* Its status is EOWNERDEAD since it was submitted, so this is one step. */
int xs_send_back(struct xseg *xs, __u32 slot, __u32 dst)
{
	struct xseg_port *src = xs_source_of(xs, slot);

	if (!xs_slot_step(xs_slot(xs, slot), dst, XSEG_REQUEST_SUBMITTED, XSEG_REQUEST_DONE))
		return 0;
	xs_tell(xs, src, slot);
	return 1;
}

int xs_submit(struct xseg *xs, __u32 dst, const __u32 *slots, __u32 n)
{
	struct xseg_port *port = xs_port(xs, dst);
	struct xs_ring ring = xs_request_ring(xs, port);
	__u32 went, i;

	if (xs_load(&port->state) != XSEG_PORT_BOUND)
		return -EHOSTDOWN;
	for (went = 0; went < n; went++) {
		__u32 slot = slots[went];
		struct xseg_request *r = request(xs, slot);

		if (!r || !xs_source_of(xs, slot) || xs_load(&r->state) != XSEG_REQUEST_FREE) {
			if (went)
				break;
			return -EINVAL;
		}
		r->status = EOWNERDEAD; /* unless someone says something else */
		r->serviced = 0;
		xs_store_mb(&r->hand, (__u64)dst << 32 | XSEG_REQUEST_SUBMITTED);
		/* If it can't be called back, an older entry has led to it. */
		if (!xs_ring_push(&ring, slot) &&
		    xs_slot_step(r, dst, XSEG_REQUEST_SUBMITTED, XSEG_REQUEST_FREE))
			break;
	}
	if (!went)
		return 0;
	/* Either this sees that the port closed or who closed it saw the slots. */
	if (xs_load(&port->state) != XSEG_PORT_BOUND)
		for (i = 0; i < went; i++)
			xs_send_back(xs, slots[i], dst);
	else
		xs_ring_bell(xs, port);
	return went;
}

static int sane(const struct xseg *xs, struct xseg_request *r)
{
	__u64 at = xs_load(&r->data_at), length = xs_load(&r->data_length);

	return xs_load(&r->target_length) <= XSEG_TARGET_MAX &&
	       (!length || (at >= xs->h.data_at && at <= xs->h.size && length <= xs->h.size - at));
}

/* Which of slots[0..n), from the ring, are requests to port; they are moved down. */
static __u32 accept_each(struct xseg *xs, __u32 number, __u32 *slots, __u32 n)
{
	__u32 kept = 0, i;

	for (i = 0; i < n; i++) {
		__u32 slot = slots[i];
		struct xseg_request *r = request(xs, slot);

		if (!r || !xs_slot_step(r, number, XSEG_REQUEST_SUBMITTED,
					XSEG_REQUEST_ACCEPTED)) {
			xs_count(&xs_port(xs, number)->dropped);
		} else if (!xs_source_of(xs, slot) || !sane(xs, r)) {
			r->status = EINVAL;
			r->serviced = 0;
			xs_respond(xs, &slot, 1);
		} else {
			slots[kept++] = slot;
		}
	}
	return kept;
}

__u32 xs_accept(struct xseg *xs, __u32 port, __u32 *slots, __u32 max)
{
	struct xs_ring ring = xs_request_ring(xs, xs_port(xs, port));
	__u32 n, taken = 0, kept = 0;

	max = max < xs->h.ring_size ? max : xs->h.ring_size;
	/* 0 shall mean that the ring is empty, not that it began with stale entries. */
	while (!kept && taken < 2 * xs->h.ring_size && (n = xs_ring_pop(&ring, slots, max))) {
		taken += n;
		kept = accept_each(xs, port, slots, n);
	}
	return kept;
}

__u32 xs_respond(struct xseg *xs, const __u32 *slots, __u32 n)
{
	struct xseg_port *src, *rung = NULL;
	__u32 answered = 0, i;

	for (i = 0; i < n; i++) {
		struct xseg_request *r = request(xs, slots[i]);
		__u32 dst = r ? xs_load(&r->dst) : ~0u;
		struct xs_ring ring;

		if (!r || !is_mine(xs, dst))
			continue;
		src = xs_source_of(xs, slots[i]); /* while it cannot change */
		if (!xs_slot_step(r, dst, XSEG_REQUEST_ACCEPTED, XSEG_REQUEST_DONE) || !src) {
			xs_count(&xs_port(xs, dst)->dropped);
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

int xs_take_answer(struct xseg *xs, __u32 slot)
{
	struct xseg_request *r = xs_slot(xs, slot);
	__u64 hand = xs_load(&r->hand);

	return (__u32)hand == XSEG_REQUEST_DONE &&
	       xs_slot_step(r, hand >> 32, XSEG_REQUEST_DONE, XSEG_REQUEST_FREE);
}

/*
 * Counts what the owner timed; what it did not costs one look at a line that it
 * has written itself.  Killed between the stores, it leaves a wrong mean behind.
 */
static void count_times(const struct xseg *xs, struct xseg_port *port, const __u32 *slots, __u32 n)
{
	__u64 timed = 0, ns = 0, now = 0;
	__u32 i;

	for (i = 0; i < n; i++) {
		__u64 since = xs_load(&xs_slot(xs, slots[i])->submitted_ns);

		if (!since)
			continue;
		if (!now)
			now = xs_monotonic_ns();
		timed++;
		ns += now - since;
	}
	if (!timed)
		return;
	xs_store(&port->timed, port->timed + timed);
	xs_store(&port->timed_ns, port->timed_ns + ns);
}

/* As accept_each(), for answers to the owner of slots [first, first + count). */
static __u32 receive_each(struct xseg *xs, struct xseg_port *port, __u32 *slots, __u32 n,
			  __u32 first, __u32 count)
{
	__u32 kept = 0, i;

	for (i = 0; i < n; i++) {
		__u32 slot = slots[i];

		if (slot - first < count && xs_take_answer(xs, slot))
			slots[kept++] = slot;
		else
			xs_count(&port->dropped);
	}
	return kept;
}

/* Answers that the ring may not name. */
static __u32 scan(struct xseg *xs, struct xseg_port *port, __u32 first, __u32 count, __u32 *slots,
		  __u32 max)
{
	__u32 kept = 0, i;

	for (i = 0; i < count && kept < max; i++)
		if (xs_take_answer(xs, first + i))
			slots[kept++] = first + i;
	if (kept == max)
		xs_store_mb(&port->rescan, 1);
	return kept;
}

__u32 xs_receive(struct xseg *xs, __u32 number, __u32 first, __u32 count, __u32 *slots, __u32 max)
{
	struct xseg_port *port = xs_port(xs, number);
	struct xs_ring ring = xs_reply_ring(xs, port);
	__u32 n, taken = 0, kept = 0;

	max = max < xs->h.ring_size ? max : xs->h.ring_size;
	if (xs_load(&port->rescan) && xs_xchg(&port->rescan, 0))
		kept = scan(xs, port, first, count, slots, max);
	while (!kept && taken < 2 * xs->h.ring_size && (n = xs_ring_pop(&ring, slots, max))) {
		taken += n;
		kept = receive_each(xs, port, slots, n, first, count);
	}
	count_times(xs, port, slots, kept);
	return kept;
}
