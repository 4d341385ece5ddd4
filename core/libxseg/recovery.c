// SPDX-License-Identifier: BSD-2-Clause
/* What becomes of the ports and requests of processes that died. */
#include "internal.h"

/*
 * Takes a port's own requests back.  Returns how many others still work on:
 * their data must not be given to anyone else yet.
 */
uint32_t xs_reclaim(struct xseg *xs, struct xseg_port *port)
{
	uint32_t first, count, held = 0;

	if (!xs_run_of_slots(xs, port, &first, &count))
		return 0;
	for (uint32_t slot = first; slot < first + count; slot++) {
		struct xseg_request *r = xs_slot(xs, slot);
		uint32_t dst = xs_load(&r->dst), state;

		if (xs_slot_step(r, dst, XSEG_REQUEST_SUBMITTED, XSEG_REQUEST_FREE) ||
		    xs_take_answer(xs, slot))
			continue;
		state = xs_load(&r->state);
		if (state > XSEG_REQUEST_FAILING || dst >= xs->h.nr_ports ||
		    xs_load(&xs_port(xs, dst)->state) == XSEG_PORT_FREE)
			xs_store(&r->hand, XSEG_REQUEST_FREE); /* nobody can have it */
		else
			held += state != XSEG_REQUEST_FREE;
	}
	return held;
}

/*
 * In the stead of dst, which is dead: sends slot back, or says that it did.  What dst had
 * accepted stays where it is while parts of it may still be under way.
 */
static int fail_slot(struct xseg *xs, uint32_t slot, uint32_t dst, int accepted_too)
{
	struct xseg_request *r = xs_slot(xs, slot);
	uint64_t hand = xs_load(&r->hand);
	struct xseg_port *src;
	int failed = 0;

	if (hand >> 32 != dst || (uint32_t)hand == XSEG_REQUEST_FREE)
		return 0;
	if (xs_send_back(xs, slot, dst))
		return 1;
	src = xs_source_of(xs, slot);
	/* A thread of dst's may be answering just now: one of the two has it alone. */
	if (accepted_too)
		(void)xs_slot_step(r, dst, XSEG_REQUEST_ACCEPTED, XSEG_REQUEST_FAILING);
	if (xs_load(&r->hand) == ((uint64_t)dst << 32 | XSEG_REQUEST_FAILING)) {
		r->status = EOWNERDEAD;
		r->serviced = 0;
		failed = xs_slot_step(r, dst, XSEG_REQUEST_FAILING, XSEG_REQUEST_DONE);
	}
	xs_tell(xs, src, slot); /* DONE: killed before it told, perhaps */
	return failed;
}

static uint32_t later(uint32_t lap, uint32_t other)
{
	return lap > other ? lap : other;
}

/*
 * Makes a ring that was scribbled over usable again.  What it named is found by
 * scanning the slots: requests by xs_bury(), answers since their owner is gone.  It
 * goes on in a lap that has not been: a producer that was stopped before one of
 * its compare-and-swaps must not find there what it saw, ever again.
 */
static void mend(const struct xseg *xs, struct xs_ring ring)
{
	uint32_t lap;

	if (!xs_ring_trouble(&ring, xs->h.nr_requests))
		return;
	lap = later(xs_load(ring.tail) >> ring.shift, xs_load(ring.head) >> ring.shift);
	for (uint32_t i = 0; i < XS_RING_SIZE(&ring); i++)
		lap = later(lap, xs_load(&ring.words[i]) >> 32);
	lap += 2;
	for (uint32_t i = 0; i < XS_RING_SIZE(&ring); i++)
		xs_store(&ring.words[i], (uint64_t)lap << 32);
	xs_store(ring.head, (uint64_t)lap << ring.shift);
	xs_store_mb(ring.tail, (uint64_t)lap << ring.shift);
}

/*
 * What a ring of the dead still names leads nowhere from now on.  This also moves
 * a head that its owner was killed before moving: the next owner may want to see
 * by one look at that word whether there is anything.
 */
void xs_drain(const struct xseg *xs, struct xs_ring ring)
{
	uint32_t batch[64];

	for (uint32_t n = 0; n < xs->h.ring_size; n += 64)
		if (!xs_ring_pop(&ring, batch, 64))
			break;
	mend(xs, ring);
}

/*
 * What a dead port was sent goes back; what it had accepted too, unless parts of that
 * may be under way.  May be cut short anywhere and repeated.
 */
int xs_bury(struct xseg *xs, uint32_t number, int accepted_too)
{
	struct xseg_port *port = xs_port(xs, number);
	int failed = 0;

	xs_remove_bell(xs, number);
	xs_drain(xs, xs_request_ring(xs, port));
	xs_drain(xs, xs_reply_ring(xs, port));
	/* After the ring: who publishes now will see that the port is closed. */
	for (uint32_t slot = 0; slot < xs->h.nr_requests; slot++)
		failed += fail_slot(xs, slot, number, accepted_too);
	return failed;
}

/* --- the dead, all at once ---------------------------------------------- */

/*
 * A dead process may have asked others for parts of what it had accepted.  Were that
 * answered with EOWNERDEAD while they still work on a part, its sender would do it again
 * or use its data for something else, and the late part would then come over that.  So
 * the ports of one process wait for each other, until nobody who lives has anything of
 * theirs; and for those of other dead ones that have something of theirs and wait.
 */
static int same_owner(const struct xseg_port *a, const struct xseg_port *b)
{
	return xs_load(&a->pid) == xs_load(&b->pid) &&
	       xs_load(&a->pid_start) == xs_load(&b->pid_start) &&
	       xs_load(&a->pid_ns) == xs_load(&b->pid_ns);
}

static int in_state(const struct xseg *xs, uint32_t port, uint32_t state)
{
	return xs_load(&xs_port(xs, port)->state) == state;
}

/*
 * All ports of a process are dead from one moment on, as far as recovery sees.  So is a
 * port in a state that there is not.
 */
static void mark_dead(struct xseg *xs)
{
	for (uint32_t port = 0; port < xs->h.nr_ports; port++) {
		if (in_state(xs, port, XSEG_PORT_FREE) || xseg_alive(xs, port))
			continue;
		if (!in_state(xs, port, XSEG_PORT_BOUND)) {
			xs_store_mb(&xs_port(xs, port)->state, XSEG_PORT_DEAD);
			continue;
		}
		for (uint32_t other = 0; other < xs->h.nr_ports; other++)
			if (in_state(xs, other, XSEG_PORT_BOUND) &&
			    same_owner(xs_port(xs, other), xs_port(xs, port)))
				xs_store_mb(&xs_port(xs, other)->state, XSEG_PORT_DEAD);
	}
}

/* Whether one that lives, or waits itself, has accepted a request of port's. */
static int has_parts_out(const struct xseg *xs, struct xseg_port *port,
			 const unsigned char *waits)
{
	uint32_t first, count;

	if (!xs_run_of_slots(xs, port, &first, &count))
		return 0;
	for (uint32_t slot = first; slot < first + count; slot++) {
		uint64_t hand = xs_load(&xs_slot(xs, slot)->hand);
		uint32_t dst = hand >> 32;

		if ((uint32_t)hand == XSEG_REQUEST_ACCEPTED && dst < xs->h.nr_ports &&
		    (in_state(xs, dst, XSEG_PORT_BOUND) || waits[dst]))
			return 1;
	}
	return 0;
}

/* waits[port] = 1 for the dead ones of which that is true, and the others of their processes. */
static void find_waiting(const struct xseg *xs, unsigned char *waits)
{
	int found;

	do {
		found = 0;
		for (uint32_t port = 0; port < xs->h.nr_ports; port++) {
			if (!in_state(xs, port, XSEG_PORT_DEAD) || waits[port] ||
			    !has_parts_out(xs, xs_port(xs, port), waits))
				continue;
			found = 1;
			for (uint32_t other = 0; other < xs->h.nr_ports; other++)
				if (in_state(xs, other, XSEG_PORT_DEAD) &&
				    same_owner(xs_port(xs, other), xs_port(xs, port)))
					waits[other] = 1;
		}
	} while (found);
}

/*
 * Under the lock: buries all whose owners are dead; those that do not have to wait are
 * free then.  Returns how many requests were failed.
 */
int xs_bury_all_dead(struct xseg *xs)
{
	unsigned char waits[XSEG_PORTS_MAX] = { 0 };
	int failed = 0;

	mark_dead(xs);
	for (uint32_t port = 0; port < xs->h.nr_ports; port++)
		if (in_state(xs, port, XSEG_PORT_DEAD))
			(void)xs_reclaim(xs, xs_port(xs, port)); /* so nobody accepts more */
	find_waiting(xs, waits);
	for (uint32_t port = 0; port < xs->h.nr_ports; port++)
		if (in_state(xs, port, XSEG_PORT_DEAD))
			failed += xs_bury(xs, port, !waits[port]);
	for (uint32_t port = 0; port < xs->h.nr_ports; port++)
		if (in_state(xs, port, XSEG_PORT_DEAD) && !waits[port] &&
		    !xs_reclaim(xs, xs_port(xs, port)))
			xs_store_mb(&xs_port(xs, port)->state, XSEG_PORT_FREE);
	return failed;
}

static int needs_burial(struct xseg *xs, uint32_t number)
{
	return !in_state(xs, number, XSEG_PORT_FREE) && xseg_alive(xs, number) == 0;
}

/* Under the lock: buries port if its owner is dead, and all others that are. */
int xs_bury_dead(struct xseg *xs, uint32_t number)
{
	struct xseg_port *port = xs_port(xs, number);
	uint32_t other = 0;

	if (!in_state(xs, number, XSEG_PORT_FREE) && xseg_alive(xs, number)) {
		if (xs_foreign(xs, xs_load(&port->pid_ns)))
			return xs_fail(EXDEV, "port %u is bound by process %u of another PID "
				       "namespace: only there it can be seen dead and be "
				       "recovered", number, port->pid);
		return xs_fail(EBUSY, "port %u is bound by process %u, which lives",
			       number, port->pid);
	}
	/* Where nobody is known to be dead, the others' lives are not looked into. */
	while (in_state(xs, number, XSEG_PORT_FREE) && other < xs->h.nr_ports &&
	       !in_state(xs, other, XSEG_PORT_DEAD))
		other++;
	return other < xs->h.nr_ports ? xs_bury_all_dead(xs) : 0;
}

/* Has the lock and gives it back. */
static int recover_locked(struct xseg *xs, uint32_t port)
{
	int rc = xs_bury_dead(xs, port);

	/* The dead may have published without ringing, or not quite have rung. */
	if (rc >= 0)
		xs_wake_all(xs);
	xs_unlock(xs);
	return rc;
}

int xseg_recover(struct xseg *xs, uint32_t port)
{
	return xs_bad_port(xs, port) ?: xs_lock(xs) ?: recover_locked(xs, port);
}

int xseg_try_recover(struct xseg *xs, uint32_t port)
{
	return xs_bad_port(xs, port) ?: xs_try_lock(xs) ?: recover_locked(xs, port);
}

/* The ports of a process lie together mostly: its life is looked at once for a run of them. */
static int is_anyone_dead(struct xseg *xs)
{
	const struct xseg_port *alive = NULL;

	for (uint32_t port = 0; port < xs->h.nr_ports; port++) {
		const struct xseg_port *p = xs_port(xs, port);

		if (alive && in_state(xs, port, XSEG_PORT_BOUND) && same_owner(p, alive))
			continue;
		if (needs_burial(xs, port))
			return 1;
		alive = in_state(xs, port, XSEG_PORT_BOUND) ? p : NULL;
	}
	return 0;
}

int xseg_recover_dead(struct xseg *xs)
{
	int rc = xs_spoilt(xs);

	if (rc)
		return rc;
	if (!is_anyone_dead(xs))
		return 0;
	rc = xs_lock(xs);
	if (rc)
		return rc;
	rc = xs_bury_all_dead(xs);
	xs_wake_all(xs);
	xs_unlock(xs);
	return rc;
}
