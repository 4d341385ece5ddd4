// SPDX-License-Identifier: BSD-2-Clause
/* Ports: who has them and what belongs to them; death and recovery. */
#define _GNU_SOURCE
#include <fcntl.h>
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
	char path[32], line[1024], *at;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = read(fd, line, sizeof(line) - 1);
	close(fd);
	line[length < 0 ? 0 : length] = 0;
	at = strrchr(line, ')'); /* the end of field 2, which may contain anything */
	for (int field = 3; at && field <= 22; field++) {
		at = strchr(at + 1, ' ');
		if (at && field == 3)
			*state = at[1];
		if (at && field == 20)
			*threads = atol(at);
	}
	if (at)
		*start = strtoull(at, NULL, 10);
	return !!at;
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
 * What a dead port was sent goes back; what it had accepted too, unless parts of that
 * may be under way.  May be cut short anywhere and repeated.
 */
static int bury(struct xseg *xs, uint32_t number, int accepted_too)
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
static int bury_all_dead(struct xseg *xs)
{
	unsigned char waits[XSEG_PORTS_MAX] = { 0 };
	int failed = 0;

	mark_dead(xs);
	for (uint32_t port = 0; port < xs->h.nr_ports; port++)
		if (in_state(xs, port, XSEG_PORT_DEAD))
			(void)reclaim(xs, xs_port(xs, port)); /* so nobody accepts more */
	find_waiting(xs, waits);
	for (uint32_t port = 0; port < xs->h.nr_ports; port++)
		if (in_state(xs, port, XSEG_PORT_DEAD))
			failed += bury(xs, port, !waits[port]);
	for (uint32_t port = 0; port < xs->h.nr_ports; port++)
		if (in_state(xs, port, XSEG_PORT_DEAD) && !waits[port] &&
		    !reclaim(xs, xs_port(xs, port)))
			xs_store_mb(&xs_port(xs, port)->state, XSEG_PORT_FREE);
	return failed;
}

static int needs_burial(struct xseg *xs, uint32_t number)
{
	return !in_state(xs, number, XSEG_PORT_FREE) && xseg_alive(xs, number) == 0;
}

/* Under the lock: buries port if its owner is dead, and all others that are. */
static int bury_dead(struct xseg *xs, uint32_t number)
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
	return other < xs->h.nr_ports ? bury_all_dead(xs) : 0;
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

/* Whether port has accepted requests that are not answered. */
static int owes_answers(const struct xseg *xs, uint32_t port)
{
	uint64_t owed = (uint64_t)port << 32 | XSEG_REQUEST_ACCEPTED;

	for (uint32_t slot = 0; slot < xs->h.nr_requests; slot++)
		if (xs_load(&xs_slot(xs, slot)->hand) == owed)
			return 1;
	return 0;
}

/* Whether another handle has accepted a request of a port of this one. */
static int others_have_parts(const struct xseg *xs)
{
	for (uint32_t slot = 0; slot < xs->h.nr_requests; slot++) {
		const struct xseg_request *r = xs_slot(xs, slot);
		uint64_t hand = xs_load(&r->hand);
		uint32_t src = xs_load(&r->src);

		if ((uint32_t)hand == XSEG_REQUEST_ACCEPTED && src < xs->h.nr_ports &&
		    xs->mine[src] && hand >> 32 < xs->h.nr_ports && !xs->mine[hand >> 32])
			return 1;
	}
	return 0;
}

static int give_up(struct xseg *xs, uint32_t number)
{
	struct xseg_port *port = xs_port(xs, number);
	uint32_t held = reclaim(xs, port);

	if (held)
		return xs_fail(EAGAIN, "port %u: %u of its requests are still with others", number,
			       held);
	if (owes_answers(xs, number) && others_have_parts(xs))
		return xs_fail(EAGAIN, "port %u: it has not answered all that it has accepted, and "
			       "others still work on requests of this process", number);
	xs_store_mb(&port->state, XSEG_PORT_DEAD);
	bury(xs, number, 1);
	(void)reclaim(xs, port);
	xs_store_mb(&port->state, XSEG_PORT_FREE);
	__atomic_store_n(&xs->mine[number], 0, __ATOMIC_RELAXED);
	return 0;
}

int xseg_unbind(struct xseg *xs, uint32_t port)
{
	int rc = xs_not_mine(xs, port) ?: xs_lock(xs);

	if (rc)
		return rc;
	rc = give_up(xs, port);
	xs_unlock(xs);
	return rc;
}
