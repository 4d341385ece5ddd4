// SPDX-License-Identifier: BSD-2-Clause
/* Ports and the requests that travel between them; death and recovery. */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"

static int bad_port(const struct xseg *xs, uint32_t port)
{
	if (port < xs->h.nr_ports)
		return 0;
	return xs_fail(EINVAL, "port %u: segment %s has ports 0 to %u", port, xs->h.name,
		       xs->h.nr_ports - 1);
}

static int not_mine(const struct xseg *xs, uint32_t port)
{
	if (port < xs->h.nr_ports && __atomic_load_n(&xs->mine[port], __ATOMIC_RELAXED))
		return 0;
	return bad_port(xs, port) ?:
	       xs_fail(EPERM, "port %u is not bound through this handle", port);
}

static void dropped(struct xseg_port *port)
{
	__atomic_fetch_add(&port->dropped, 1, __ATOMIC_RELAXED);
}

/* 1 where [first, first + count) is a run of slots that a port may have. */
static int run_of_slots(const struct xseg *xs, struct xseg_port *port, uint32_t *first,
			uint32_t *count)
{
	*first = xs_load(&port->first_request);
	*count = xs_load(&port->nr_requests);
	return *count <= xs->h.ring_size && (uint64_t)*first + *count <= xs->h.nr_requests;
}

/* The port that slot's src names, if it has that slot; else NULL. */
static struct xseg_port *source_of(const struct xseg *xs, uint32_t slot)
{
	uint32_t src = xs_load(&xs_slot(xs, slot)->src), first, count;
	struct xseg_port *port;

	if (src >= xs->h.nr_ports)
		return NULL;
	port = xs_port(xs, src);
	if (!run_of_slots(xs, port, &first, &count) || slot - first >= count)
		return NULL;
	return port;
}

int xseg_port_slots(struct xseg *xs, uint32_t port, uint32_t *first, uint32_t *count)
{
	if (bad_port(xs, port))
		return -EINVAL;
	if (xs_load(&xs_port(xs, port)->state) != XSEG_PORT_BOUND ||
	    !run_of_slots(xs, xs_port(xs, port), first, count))
		return xs_fail(EINVAL, "port %u is not bound", port);
	return 0;
}

int xseg_port_data(struct xseg *xs, uint32_t port, uint64_t *at, uint64_t *length)
{
	uint64_t first, count;

	if (bad_port(xs, port))
		return -EINVAL;
	first = xs_load(&xs_port(xs, port)->first_page);
	count = xs_load(&xs_port(xs, port)->nr_pages);
	if (xs_load(&xs_port(xs, port)->state) != XSEG_PORT_BOUND ||
	    first + count > xs->h.data_pages)
		return xs_fail(EINVAL, "port %u is not bound", port);
	*at = xs->h.data_at + first * XSEG_PAGE;
	*length = count * XSEG_PAGE;
	return 0;
}

struct xseg_request *xseg_request(struct xseg *xs, uint32_t slot)
{
	return slot < xs->h.nr_requests ? xs_slot(xs, slot) : NULL;
}

/* --- requests ----------------------------------------------------------- */

/*
 * Makes src look through its slots.  The entry is there for an owner that looks
 * at its ring only; where it does not fit, others are in it.
 */
static void tell(struct xseg *xs, struct xseg_port *src, uint32_t slot)
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
static int send_back(struct xseg *xs, uint32_t slot, uint32_t dst)
{
	struct xseg_port *src = source_of(xs, slot);

	if (!xs_slot_step(xs_slot(xs, slot), dst, XSEG_REQUEST_SUBMITTED, XSEG_REQUEST_DONE))
		return 0;
	tell(xs, src, slot);
	return 1;
}

int xseg_submit(struct xseg *xs, uint32_t dst, const uint32_t *slots, uint32_t n)
{
	struct xseg_port *port;
	struct xs_ring ring;
	uint32_t went;

	if (bad_port(xs, dst))
		return -EINVAL;
	port = xs_port(xs, dst);
	if (xs_load(&port->state) != XSEG_PORT_BOUND)
		return xs_fail(EHOSTDOWN, "nobody serves port %u", dst);
	ring = xs_request_ring(xs, port);
	for (went = 0; went < n; went++) {
		uint32_t slot = slots[went];
		struct xseg_request *r = xseg_request(xs, slot);

		if (!r || !source_of(xs, slot) || xs_load(&r->state) != XSEG_REQUEST_FREE) {
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
			send_back(xs, slots[i], dst);
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
		} else if (!source_of(xs, slot) || !sane(xs, r)) {
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
	int rc = not_mine(xs, port);
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

		if (!r || not_mine(xs, dst))
			continue;
		src = source_of(xs, slots[i]); /* while it cannot change */
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
static int take_answer(struct xseg *xs, uint32_t slot)
{
	struct xseg_request *r = xs_slot(xs, slot);
	uint64_t hand = xs_load(&r->hand);

	return (uint32_t)hand == XSEG_REQUEST_DONE &&
	       xs_slot_step(r, hand >> 32, XSEG_REQUEST_DONE, XSEG_REQUEST_FREE);
}

/* As accept_each(), for answers to the owner of slots [first, first + count). */
static uint32_t receive_each(struct xseg *xs, struct xseg_port *port, uint32_t *slots, uint32_t n,
			     uint32_t first, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t slot = slots[i];

		if (slot - first < count && take_answer(xs, slot))
			slots[kept++] = slot;
		else
			dropped(port);
	}
	return kept;
}

int xseg_receive(struct xseg *xs, uint32_t number, uint32_t *slots, uint32_t max)
{
	int rc = not_mine(xs, number);
	uint32_t first, count, n, taken = 0, kept = 0;
	struct xseg_port *port;
	struct xs_ring ring;

	if (rc)
		return rc;
	port = xs_port(xs, number);
	if (!run_of_slots(xs, port, &first, &count))
		return xs_fail(EUCLEAN, "port %u: its run of requests is spoilt", number);
	max = max < xs->h.ring_size ? max : xs->h.ring_size;
	if (xs_load(&port->rescan) && xs_xchg(&port->rescan, 0)) {
		for (uint32_t i = 0; i < count && kept < max; i++)
			if (take_answer(xs, first + i))
				slots[kept++] = first + i;
		if (kept == max)
			xs_store_mb(&port->rescan, 1);
		if (kept)
			return kept;
	}
	ring = xs_reply_ring(xs, port);
	while (!kept && taken < 2 * xs->h.ring_size && (n = xs_ring_pop(&ring, slots, max))) {
		taken += n;
		kept = receive_each(xs, port, slots, n, first, count);
	}
	return kept;
}

/* --- life and death ----------------------------------------------------- */

/* Fields 3, 20 and 22 of /proc/PID/stat; 0 where it cannot be read. */
static int process_stat(pid_t pid, char *state, long *threads, unsigned long long *start)
{
	char path[32], line[1024], *rest;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	rest = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	return rest && sscanf(rest, ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
				    "%*s %*s %*s %ld %*s %llu", state, threads, start) == 3;
}

/* Where /proc hides other users' processes, a pid in use is taken for alive. */
int xs_process_lives(pid_t pid, uint64_t pid_start)
{
	unsigned long long start;
	long threads;
	char state;

	if (pid <= 0 || (kill(pid, 0) && errno == ESRCH))
		return 0;
	if (!process_stat(pid, &state, &threads, &start))
		return !(kill(pid, 0) && errno == ESRCH);
	/* The first thread of a process can be a zombie while others run. */
	return start == pid_start && (threads > 1 || !strchr("ZX", state));
}

int xseg_alive(struct xseg *xs, uint32_t port)
{
	struct xseg_port *p;

	if (bad_port(xs, port))
		return -EINVAL;
	p = xs_port(xs, port);
	return xs_load(&p->state) == XSEG_PORT_BOUND &&
	       xs_process_lives(xs_load(&p->pid), xs_load(&p->pid_start));
}

static uint64_t boottime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

int xseg_heartbeat(struct xseg *xs, uint32_t port)
{
	int rc = not_mine(xs, port);

	if (!rc)
		xs_store(&xs_port(xs, port)->heartbeat, boottime_ns());
	return rc;
}

/*
 * Takes a port's own requests back.  Returns how many others still work on:
 * their data must not be given to anyone else yet.
 */
static uint32_t reclaim(struct xseg *xs, struct xseg_port *port)
{
	uint32_t first, count, held = 0;

	if (!run_of_slots(xs, port, &first, &count))
		return 0;
	for (uint32_t slot = first; slot < first + count; slot++) {
		struct xseg_request *r = xs_slot(xs, slot);
		uint32_t dst = xs_load(&r->dst), state;

		if (xs_slot_step(r, dst, XSEG_REQUEST_SUBMITTED, XSEG_REQUEST_FREE) ||
		    take_answer(xs, slot))
			continue;
		state = xs_load(&r->state);
		if (state > XSEG_REQUEST_DONE || dst >= xs->h.nr_ports ||
		    xs_load(&xs_port(xs, dst)->state) == XSEG_PORT_FREE)
			xs_store(&r->hand, XSEG_REQUEST_FREE); /* nobody can have it */
		else
			held += state != XSEG_REQUEST_FREE;
	}
	return held;
}

/* In the stead of dst, which is dead: sends slot back, or says that it did. */
static int fail_slot(struct xseg *xs, uint32_t slot, uint32_t dst)
{
	struct xseg_request *r = xs_slot(xs, slot);
	uint64_t hand = xs_load(&r->hand);
	struct xseg_port *src;
	int failed = 0;

	if (hand >> 32 != dst || (uint32_t)hand == XSEG_REQUEST_FREE)
		return 0;
	if (send_back(xs, slot, dst))
		return 1;
	src = source_of(xs, slot);
	if (xs_load(&r->hand) == ((uint64_t)dst << 32 | XSEG_REQUEST_ACCEPTED)) {
		r->status = EOWNERDEAD;
		r->serviced = 0;
		failed = xs_slot_step(r, dst, XSEG_REQUEST_ACCEPTED, XSEG_REQUEST_DONE);
	}
	tell(xs, src, slot); /* DONE: killed before it told, perhaps */
	return failed;
}

/*
 * Makes a ring that was scribbled over usable again.  What it named is found by
 * scanning the slots: requests by bury(), answers since their owner is gone.
 */
static void mend(const struct xseg *xs, struct xs_ring ring)
{
	if (!xs_ring_trouble(&ring, xs->h.nr_requests))
		return;
	for (uint32_t i = 0; i < XS_RING_SIZE(&ring); i++)
		xs_store(&ring.words[i], 0);
	xs_store(ring.head, 0);
	xs_store_mb(ring.tail, 0);
}

/*
 * Ends a port that is marked dead: what it was sent goes back, then, if nobody
 * works on its requests, it is free.  May be cut short anywhere and repeated.
 */
static int bury(struct xseg *xs, uint32_t number)
{
	struct xseg_port *port = xs_port(xs, number);
	struct xs_ring ring = xs_request_ring(xs, port);
	uint32_t batch[64];
	int failed = 0;

	for (uint32_t n = 0; n < xs->h.ring_size; n += 64)
		if (!xs_ring_pop(&ring, batch, 64))
			break;
	xs_remove_bell(xs, number);
	mend(xs, ring);
	mend(xs, xs_reply_ring(xs, port));
	/* After the ring: who publishes now will see that the port is closed. */
	for (uint32_t slot = 0; slot < xs->h.nr_requests; slot++)
		failed += fail_slot(xs, slot, number);
	if (!reclaim(xs, port))
		xs_store_mb(&port->state, XSEG_PORT_FREE);
	return failed;
}

/* Under the lock: buries port if its owner is dead, then what is left of others. */
static int bury_dead(struct xseg *xs, uint32_t number)
{
	struct xseg_port *port = xs_port(xs, number);
	int failed = 0;

	if (xs_load(&port->state) != XSEG_PORT_FREE) {
		if (xseg_alive(xs, number))
			return xs_fail(EBUSY, "port %u is bound by process %u, which lives",
				       number, port->pid);
		xs_store_mb(&port->state, XSEG_PORT_DEAD);
		failed = bury(xs, number);
	}
	for (uint32_t other = 0; other < xs->h.nr_ports; other++)
		if (xs_load(&xs_port(xs, other)->state) == XSEG_PORT_DEAD)
			bury(xs, other);
	return failed;
}

int xseg_recover(struct xseg *xs, uint32_t port)
{
	int rc = bad_port(xs, port) ?: xs_lock(xs);

	if (rc)
		return rc;
	rc = bury_dead(xs, port);
	/* The dead may have published without ringing, or not quite have rung. */
	if (rc >= 0)
		xs_wake_all(xs);
	xs_unlock(xs);
	return rc;
}

/* --- bind --------------------------------------------------------------- */

/* The first position of count free slots (or pages) below limit, or -1. */
static int64_t first_fit(const struct xseg *xs, int pages, uint64_t count, uint64_t limit)
{
	uint32_t moves = 0;
	uint64_t at = 0;

	for (uint32_t i = 0; count && i < xs->h.nr_ports && at + count <= limit; i++) {
		struct xseg_port *port = xs_port(xs, i);
		uint64_t first = pages ? port->first_page : port->first_request;
		uint64_t end = first + (pages ? port->nr_pages : port->nr_requests);

		if (port->state != XSEG_PORT_FREE && first < at + count && at < end) {
			if (moves++ == xs->h.nr_ports)
				return -1; /* somebody scribbles */
			at = end;
			i = -1; /* begin again */
		}
	}
	return at + count <= limit ? (int64_t)at : -1;
}

static int give_space(struct xseg *xs, uint32_t number, uint32_t nr_requests, uint64_t nr_pages)
{
	struct xseg_port *port = xs_port(xs, number);
	int64_t slot = first_fit(xs, 0, nr_requests, xs->h.nr_requests);
	int64_t page = first_fit(xs, 1, nr_pages, xs->h.data_pages);

	if (slot < 0)
		return xs_fail(ENOSPC, "port %u: no run of %u of the segment's %u requests is free",
			       number, nr_requests, xs->h.nr_requests);
	if (page < 0)
		return xs_fail(ENOSPC, "port %u: no run of %llu of the segment's %llu pages is "
			       "free", number, (unsigned long long)nr_pages,
			       (unsigned long long)xs->h.data_pages);
	xs_store(&port->first_request, slot);
	xs_store(&port->nr_requests, nr_requests);
	xs_store(&port->first_page, page);
	xs_store(&port->nr_pages, nr_pages);
	for (uint32_t i = 0; i < nr_requests; i++) {
		struct xseg_request *r = xs_slot(xs, slot + i);

		xs_store(&r->hand, XSEG_REQUEST_FREE);
		xs_store(&r->src, number);
	}
	return 0;
}

static int take_port(struct xseg *xs, uint32_t number, uint32_t nr_requests,
		     uint64_t nr_pages, const char *role, uint32_t bell)
{
	struct xseg_port *port = xs_port(xs, number);
	unsigned long long start;
	long threads;
	char state;
	int rc = bury_dead(xs, number);

	if (rc < 0)
		return rc;
	if (xs_load(&port->state) != XSEG_PORT_FREE)
		return xs_fail(EAGAIN, "port %u: requests of its dead owner are still with others",
			       number);
	if (!process_stat(getpid(), &state, &threads, &start))
		return xs_fail(ENOENT, "cannot read /proc/%d/stat, which proves that an owner "
			       "lives", getpid());
	rc = give_space(xs, number, nr_requests, nr_pages);
	if (rc)
		return rc;
	xs_store(&port->pid, getpid());
	xs_store(&port->pid_start, start);
	xs_store(&port->bell, bell);
	xs_store(&port->generation, port->generation + 1);
	xs_store(&port->heartbeat, boottime_ns());
	memset(port->role, 0, XSEG_NAME_MAX);
	memcpy(port->role, role, strlen(role));
	xs_store(&port->sleeping, XSEG_AWAKE);
	xs_store(&port->rescan, 0);
	__atomic_store_n(&port->dropped, 0, __ATOMIC_RELAXED);
	xs_store_mb(&port->state, XSEG_PORT_BOUND);
	__atomic_store_n(&xs->mine[number], 1, __ATOMIC_RELAXED);
	return 0;
}

int xseg_bind(struct xseg *xs, uint32_t port, uint32_t nr_requests, uint64_t data_bytes,
	      const char *role, uint32_t bell)
{
	uint64_t nr_pages = data_bytes / XSEG_PAGE + !!(data_bytes % XSEG_PAGE);
	int rc;

	if (bad_port(xs, port) || bad_port(xs, bell))
		return -EINVAL;
	if (nr_requests > xs->h.ring_size)
		return xs_fail(EINVAL, "port %u: %u requests, but a port has at most as many as "
			       "its rings have words, %u", port, nr_requests, xs->h.ring_size);
	if (strnlen(role, XSEG_NAME_MAX) == XSEG_NAME_MAX)
		return xs_fail(EINVAL, "port %u: a role's name has at most %d bytes", port,
			       XSEG_NAME_MAX - 1);
	rc = xs_lock(xs);
	if (rc)
		return rc;
	rc = take_port(xs, port, nr_requests, nr_pages, role, bell);
	xs_unlock(xs);
	return rc;
}

int xseg_unbind(struct xseg *xs, uint32_t port)
{
	int rc = not_mine(xs, port) ?: xs_lock(xs);
	uint32_t held;

	if (rc)
		return rc;
	held = reclaim(xs, xs_port(xs, port));
	if (held) {
		rc = xs_fail(EAGAIN, "port %u: %u of its requests are still with others", port,
			     held);
	} else {
		xs_store_mb(&xs_port(xs, port)->state, XSEG_PORT_DEAD);
		bury(xs, port);
		__atomic_store_n(&xs->mine[port], 0, __ATOMIC_RELAXED);
	}
	xs_unlock(xs);
	return rc;
}
