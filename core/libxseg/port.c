// SPDX-License-Identifier: BSD-2-Clause
/* Ports: who has them and what belongs to them; death and recovery. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"

int xs_spoilt(const struct xseg *xs)
{
	if (!__atomic_load_n(&xs_joined(xs)->spoilt, __ATOMIC_RELAXED))
		return 0;
	return xs_fail(EUCLEAN, "segment %s was truncated by another process: end its users, "
		       "destroy it and make it anew", xs->h.name);
}

int xs_bad_port(const struct xseg *xs, uint32_t port)
{
	if (port < xs->h.nr_ports)
		return xs_spoilt(xs);
	return xs_fail(EINVAL, "port %u: segment %s has ports 0 to %u", port, xs->h.name,
		       xs->h.nr_ports - 1);
}

int xs_not_mine(const struct xseg *xs, uint32_t port)
{
	if (port < xs->h.nr_ports && __atomic_load_n(&xs->mine[port], __ATOMIC_RELAXED))
		return xs_spoilt(xs);
	return xs_bad_port(xs, port) ?:
	       xs_fail(EPERM, "port %u is not bound through this handle", port);
}

int xseg_port_slots(struct xseg *xs, uint32_t port, uint32_t *first, uint32_t *count)
{
	int rc = xs_bad_port(xs, port);

	if (rc)
		return rc;
	if (xs_load(&xs_port(xs, port)->state) != XSEG_PORT_BOUND ||
	    !xs_run_of_slots(xs, xs_port(xs, port), first, count))
		return xs_fail(EINVAL, "port %u is not bound", port);
	return 0;
}

int xseg_port_data(struct xseg *xs, uint32_t port, uint64_t *at, uint64_t *length)
{
	int rc = xs_bad_port(xs, port);
	uint64_t first, count;

	if (rc)
		return rc;
	first = xs_load(&xs_port(xs, port)->first_page);
	count = xs_load(&xs_port(xs, port)->nr_pages);
	if (xs_load(&xs_port(xs, port)->state) != XSEG_PORT_BOUND ||
	    first + count > xs->h.data_pages)
		return xs_fail(EINVAL, "port %u is not bound", port);
	*at = xs->h.data_at + first * XSEG_PAGE;
	*length = count * XSEG_PAGE;
	return 0;
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

const char *xs_process_condition(pid_t pid, uint64_t pid_start)
{
	unsigned long long start;
	long threads;
	char state;

	if (!xs_process_lives(pid, pid_start))
		return "dead";
	return process_stat(pid, &state, &threads, &start) && strchr("Tt", state) ? "stopped" :
										    "alive";
}

uint64_t xs_process_start(pid_t pid)
{
	unsigned long long start;
	long threads;
	char state;

	return process_stat(pid, &state, &threads, &start) ? start : 0;
}

uint64_t xs_pid_namespace(void)
{
	char self[16] = "";
	struct stat st;

	/* /proc may be of another namespace, and then its numbers are. */
	if (readlink("/proc/self", self, sizeof(self) - 1) < 0 || atoi(self) != getpid() ||
	    stat("/proc/self/ns/pid", &st))
		return 0;
	return st.st_ino;
}

int xseg_alive(struct xseg *xs, uint32_t port)
{
	int rc = xs_bad_port(xs, port);
	struct xseg_port *p;

	if (rc)
		return rc;
	p = xs_port(xs, port);
	return xs_load(&p->state) == XSEG_PORT_BOUND &&
	       (xs_foreign(xs, xs_load(&p->pid_ns)) ||
		xs_process_lives(xs_load(&p->pid), xs_load(&p->pid_start)));
}

int xseg_heartbeat(struct xseg *xs, uint32_t port)
{
	int rc = xs_not_mine(xs, port);

	if (!rc)
		xs_store(&xs_port(xs, port)->heartbeat, xs_boottime_ns());
	return rc;
}

/*
 * Takes a port's own requests back.  Returns how many others still work on:
 * their data must not be given to anyone else yet.
 */
static uint32_t reclaim(struct xseg *xs, struct xseg_port *port)
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

/* In the stead of dst, which is dead: sends slot back, or says that it did. */
static int fail_slot(struct xseg *xs, uint32_t slot, uint32_t dst)
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
 * scanning the slots: requests by bury(), answers since their owner is gone.  It
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
 * Ends a port that is marked dead: what it was sent goes back, then, if nobody
 * works on its requests, it is free.  May be cut short anywhere and repeated.
 */
static int bury(struct xseg *xs, uint32_t number)
{
	struct xseg_port *port = xs_port(xs, number);
	int failed = 0;

	xs_remove_bell(xs, number);
	xs_drain(xs, xs_request_ring(xs, port));
	xs_drain(xs, xs_reply_ring(xs, port));
	/* After the ring: who publishes now will see that the port is closed. */
	for (uint32_t slot = 0; slot < xs->h.nr_requests; slot++)
		failed += fail_slot(xs, slot, number);
	if (!reclaim(xs, port))
		xs_store_mb(&port->state, XSEG_PORT_FREE);
	return failed;
}

static int needs_burial(struct xseg *xs, uint32_t number)
{
	uint32_t state = xs_load(&xs_port(xs, number)->state);

	return state != XSEG_PORT_FREE && xseg_alive(xs, number) == 0;
}

/*
 * Under the lock: buries all whose owners are dead.  First they are all marked, so
 * that each counts as dead for the others; and what one of them holds of another's
 * goes back in the first round, so that the second finds it.
 */
static int bury_all_dead(struct xseg *xs)
{
	int failed = 0;

	for (uint32_t port = 0; port < xs->h.nr_ports; port++)
		if (needs_burial(xs, port))
			xs_store_mb(&xs_port(xs, port)->state, XSEG_PORT_DEAD);
	for (int round = 0; round < 2; round++)
		for (uint32_t port = 0; port < xs->h.nr_ports; port++)
			if (xs_load(&xs_port(xs, port)->state) == XSEG_PORT_DEAD)
				failed += bury(xs, port);
	return failed;
}

/* Under the lock: buries port if its owner is dead, then what is left of others. */
static int bury_dead(struct xseg *xs, uint32_t number)
{
	struct xseg_port *port = xs_port(xs, number);
	int failed = 0;

	if (xs_load(&port->state) != XSEG_PORT_FREE) {
		if (xseg_alive(xs, number) && xs_foreign(xs, xs_load(&port->pid_ns)))
			return xs_fail(EXDEV, "port %u is bound by process %u of another PID "
				       "namespace: only there it can be seen dead and be "
				       "recovered", number, port->pid);
		if (xseg_alive(xs, number))
			return xs_fail(EBUSY, "port %u is bound by process %u, which lives",
				       number, port->pid);
		xs_store_mb(&port->state, XSEG_PORT_DEAD);
		failed = bury(xs, number);
	}
	for (uint32_t other = 0; other < xs->h.nr_ports; other++)
		if (xs_load(&xs_port(xs, other)->state) == XSEG_PORT_DEAD)
			bury(xs, other);
	/* Its requests may be with one that is dead and was not found so yet. */
	if (xs_load(&port->state) != XSEG_PORT_FREE)
		bury_all_dead(xs);
	return failed;
}

/* Has the lock and gives it back. */
static int recover_locked(struct xseg *xs, uint32_t port)
{
	int rc = bury_dead(xs, port);

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

int xseg_recover_dead(struct xseg *xs)
{
	uint32_t port = 0;
	int rc = xs_spoilt(xs);

	if (rc)
		return rc;
	while (port < xs->h.nr_ports && !needs_burial(xs, port))
		port++;
	if (port == xs->h.nr_ports)
		return 0;
	rc = xs_lock(xs);
	if (rc)
		return rc;
	rc = bury_all_dead(xs);
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

static int find_space(const struct xseg *xs, uint32_t number, uint32_t nr_requests,
		      uint64_t nr_pages, struct xs_owner *owner)
{
	int64_t slot = first_fit(xs, 0, nr_requests, xs->h.nr_requests);
	int64_t page = first_fit(xs, 1, nr_pages, xs->h.data_pages);

	if (slot < 0)
		return xs_fail(ENOSPC, "port %u: no run of %u of the segment's %u requests is free",
			       number, nr_requests, xs->h.nr_requests);
	if (page < 0)
		return xs_fail(ENOSPC, "port %u: no run of %llu of the segment's %llu pages is "
			       "free", number, (unsigned long long)nr_pages,
			       (unsigned long long)xs->h.data_pages);
	owner->first_request = slot;
	owner->nr_requests = nr_requests;
	owner->first_page = page;
	owner->nr_pages = nr_pages;
	return 0;
}

static int take_port(struct xseg *xs, uint32_t number, uint32_t nr_requests,
		     uint64_t nr_pages, const char *role, uint32_t bell)
{
	const struct xs_joined *self = xs_joined(xs);
	struct xs_owner owner = { .pid = self->pid, .pid_start = self->pid_start,
				  .pid_ns = self->pid_ns, .role = role, .bell = bell };
	int rc = bury_dead(xs, number);

	if (rc < 0)
		return rc;
	if (xs_load(&xs_port(xs, number)->state) != XSEG_PORT_FREE)
		return xs_fail(EAGAIN, "port %u: requests of its dead owner are still with others",
			       number);
	if (!self->pid_ns)
		return xs_fail(EXDEV, "/proc is of another PID namespace, or is not there: it "
			       "proves that an owner lives (mount -t proc proc /proc)");
	if (!self->pid_start)
		return xs_fail(EXDEV, "cannot read /proc/%d/stat, which proves that an owner "
			       "lives", self->pid);
	rc = find_space(xs, number, nr_requests, nr_pages, &owner);
	if (rc) {
		bury_all_dead(xs);
		rc = find_space(xs, number, nr_requests, nr_pages, &owner);
	}
	if (rc)
		return rc;
	xs_give_port(xs, number, &owner);
	__atomic_store_n(&xs->mine[number], 1, __ATOMIC_RELAXED);
	return 0;
}

int xseg_bind(struct xseg *xs, uint32_t port, uint32_t nr_requests, uint64_t data_bytes,
	      const char *role, uint32_t bell)
{
	uint64_t nr_pages = data_bytes / XSEG_PAGE + !!(data_bytes % XSEG_PAGE);
	int rc;

	rc = xs_bad_port(xs, port) ?: xs_bad_port(xs, bell);
	if (rc)
		return rc;
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
	xs_wake_all(xs); /* as in xseg_recover(): this may have been one */
	xs_unlock(xs);
	return rc;
}

/* Who publishes and still sees the old bell did so before this, so it is seen. */
int xseg_set_bell(struct xseg *xs, uint32_t port, uint32_t bell)
{
	int rc = xs_not_mine(xs, port) ?: xs_bad_port(xs, bell);

	if (!rc)
		xs_store_mb(&xs_port(xs, port)->bell, bell);
	return rc;
}

int xseg_unbind(struct xseg *xs, uint32_t port)
{
	int rc = xs_not_mine(xs, port) ?: xs_lock(xs);
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
