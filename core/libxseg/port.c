// SPDX-License-Identifier: BSD-2-Clause
/* Ports: who has them and what belongs to them. */
#define _GNU_SOURCE
#include <string.h>
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
	int rc = xs_bury_dead(xs, number);

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
		xs_bury_all_dead(xs);
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
	uint32_t held = xs_reclaim(xs, port);

	if (held)
		return xs_fail(EAGAIN, "port %u: %u of its requests are still with others", number,
			       held);
	if (owes_answers(xs, number) && others_have_parts(xs))
		return xs_fail(EAGAIN, "port %u: it has not answered all that it has accepted, and "
			       "others still work on requests of this process", number);
	xs_store_mb(&port->state, XSEG_PORT_DEAD);
	xs_bury(xs, number, 1);
	(void)xs_reclaim(xs, port);
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
