/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The life of a request, to another port and back, whoever the memory is of: user
 * space maps a file (segment.c), a kernel module shares pages that it owns.
 *
 * Whatever is read from the segment is any number: it may select an entry inside, and
 * every loop is bounded.  What is given is trusted: numbers of ports are in range, and
 * a function that names a port is called by its owner.  The functions of xseg.h with
 * the same names check that, and have the sentences for what fails here.
 *
 * Nothing waits, allocates or locks, but for xs_wake(), which is the platform's.
 * The same port is served by one thread at a time; else any thread, in any context.
 */
#ifndef XSEG_PROTOCOL_H
#define XSEG_PROTOCOL_H

#include "ring.h"

/* A segment, as this process or module has it. */
struct xseg {
	unsigned char *base;
	struct xseg_header h; /* validated copy; the shared one is not read again */
	__u32 ring_shift;     /* ring_size = 1 << ring_shift */
	unsigned char *mine;  /* [nr_ports]: 1 = bound through this struct */
};

/* --- header --------------------------------------------------------------- */

/*
 * Fills in what follows from the numbers that describe a segment; they are in the
 * ranges of struct xseg_params.  Leaves created_s, creator_pid, name and crc, which
 * xs_header_crc() tells once they are set.
 */
void xs_lay_out(struct xseg_header *h, __u32 nr_ports, __u32 ring_size, __u32 nr_requests,
		__u64 data_pages);
__u32 xs_header_crc(const struct xseg_header *h);

/* --- places: port and slot are in range ----------------------------------- */

static inline struct xseg_port *xs_port(const struct xseg *xs, __u32 port)
{
	return (void *)(xs->base + xs->h.ports_at + (__u64)port * xs->h.port_stride);
}

static inline struct xseg_request *xs_slot(const struct xseg *xs, __u32 slot)
{
	return (struct xseg_request *)(xs->base + xs->h.requests_at) + slot;
}

static inline struct xs_ring xs_request_ring(const struct xseg *xs, struct xseg_port *port)
{
	return (struct xs_ring){ &port->request_tail, &port->request_head,
				 (__u64 *)(port + 1), xs->ring_shift };
}

static inline struct xs_ring xs_reply_ring(const struct xseg *xs, struct xseg_port *port)
{
	return (struct xs_ring){ &port->reply_tail, &port->reply_head,
				 (__u64 *)(port + 1) + xs->h.ring_size, xs->ring_shift };
}

/* 1 where [first, first + count) is a run of slots that a port may have. */
static inline int xs_run_of_slots(const struct xseg *xs, struct xseg_port *port, __u32 *first,
				  __u32 *count)
{
	*first = xs_load(&port->first_request);
	*count = xs_load(&port->nr_requests);
	return *count <= xs->h.ring_size && (__u64)*first + *count <= xs->h.nr_requests;
}

/* The port that slot's src names, if it has that slot; else NULL. */
static inline struct xseg_port *xs_source_of(const struct xseg *xs, __u32 slot)
{
	__u32 src = xs_load(&xs_slot(xs, slot)->src), first, count;
	struct xseg_port *port;

	if (src >= xs->h.nr_ports)
		return NULL;
	port = xs_port(xs, src);
	if (!xs_run_of_slots(xs, port, &first, &count) || slot - first >= count)
		return NULL;
	return port;
}

/* --- ports ----------------------------------------------------------------- */

/* Who has a port, and what of the segment: runs that nobody else has. */
struct xs_owner {
	__u32 pid, bell;
	__u64 pid_start, pid_ns; /* pid_ns: XSEG_KERNEL where it is a module */
	const char *role;        /* shorter than XSEG_NAME_MAX */
	__u32 first_request, nr_requests, first_page, nr_pages;
};

/* Of a free port, by one who keeps others from doing the same. */
void xs_give_port(struct xseg *xs, __u32 number, const struct xs_owner *owner);

/* --- requests: as xseg.h has them ------------------------------------------ */

/* -EHOSTDOWN where dst is not bound, -EINVAL where nothing went because of slots[0]. */
int xs_submit(struct xseg *xs, __u32 dst, const __u32 *slots, __u32 n);

__u32 xs_accept(struct xseg *xs, __u32 port, __u32 *slots, __u32 max);
__u32 xs_respond(struct xseg *xs, const __u32 *slots, __u32 n);

/*
 * [first, first + count) are port's slots, as its owner knows: nothing else comes out.
 * An owner that does not trust the others also knows which of them are under way, since
 * anybody can say of any slot, and twice, that it is answered.
 */
__u32 xs_receive(struct xseg *xs, __u32 port, __u32 first, __u32 count, __u32 *slots,
		 __u32 max);

/* Steps that are also made in a dead port's stead; 1 where they were made. */

/* Of a slot that was sent to dst, which is closed, and not accepted: it is answered. */
int xs_send_back(struct xseg *xs, __u32 slot, __u32 dst);

/* Of an answered slot: it is free. */
int xs_take_answer(struct xseg *xs, __u32 slot);

/* Makes src, unless NULL, look through its slots. */
void xs_tell(struct xseg *xs, struct xseg_port *src, __u32 slot);

/* --- sleeping ---------------------------------------------------------------- */

/* The platform's own: wakes the thread that sleeps at bell. */
void xs_wake(struct xseg *xs, __u32 bell);

/* What the sleeper does, after which it looks into its rings once more ... */
static inline void xs_bell_set(struct xseg_port *bell)
{
	xs_store_mb(&bell->sleeping, XSEG_SLEEPING);
}

/* ... and then this instead of sleeping; or, awake again, that: 1 where it was rung. */
static inline void xs_bell_clear(struct xseg_port *bell)
{
	xs_store(&bell->sleeping, XSEG_AWAKE);
}

static inline int xs_bell_was_rung(struct xseg_port *bell)
{
	return xs_xchg(&bell->sleeping, XSEG_AWAKE) == XSEG_RUNG;
}

/* Wakes the thread of this bell if it sleeps, even if it was rung: see enum xseg_sleep. */
static inline void xs_ring(struct xseg *xs, __u32 bell)
{
	struct xseg_port *port = xs_port(xs, bell);
	__u32 was = xs_load(&port->sleeping);

	if (was == XSEG_AWAKE)
		return;
	if (was == XSEG_SLEEPING)
		(void)xs_cas(&port->sleeping, XSEG_SLEEPING, XSEG_RUNG);
	xs_wake(xs, bell);
}

/* Wakes the thread that serves port. */
static inline void xs_ring_bell(struct xseg *xs, struct xseg_port *port)
{
	__u32 bell = xs_load(&port->bell);

	if (bell < xs->h.nr_ports)
		xs_ring(xs, bell);
}

static inline void xs_wake_all(struct xseg *xs)
{
	__u32 bell;

	for (bell = 0; bell < xs->h.nr_ports; bell++)
		xs_ring(xs, bell);
}

#endif
