/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of libxseg share. */
#ifndef XSEG_INTERNAL_H
#define XSEG_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <sys/types.h>
#include "ring.h"
#include "xseg.h"

struct xseg {
	unsigned char *base;
	struct xseg_header h; /* validated copy; the shared one is not read again */
	__u32 ring_shift;
	int spoilt;           /* 1: the file was truncated; see bus.c */
	int fd;               /* of the file, for its lock; -1 if anonymous */
	__u64 inode;          /* of that file: tells segments of one name apart */
	pid_t pid;            /* that joined */
	__u64 pid_start;      /* of that process; 0 where /proc does not tell */
	__u64 pid_ns;         /* its PID namespace; 0 where /proc is of another */
	pthread_mutex_t mutex; /* the file's lock does not exclude threads */
	unsigned char *mine;  /* [nr_ports]: 1 = bound through this struct */
	int *bells;           /* [nr_ports]: descriptors, -1 = none; see bell.c */
};

/* Keeps the message for xseg_strerror(), returns -error. */
int xs_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* Makes exclusive what changes the ports' line 0.  -ETIMEDOUT after 5 s; try -EAGAIN. */
int xs_lock(struct xseg *xs);
int xs_try_lock(struct xseg *xs);
void xs_unlock(struct xseg *xs);

/* 1 while the process has a thread that could touch memory. */
int xs_process_lives(pid_t pid, uint64_t start);

/* "alive", "stopped" or "dead". */
const char *xs_process_condition(pid_t pid, uint64_t start);

/* The inode of this process's PID namespace; 0 where /proc is not of it. */
uint64_t xs_pid_namespace(void);

/* 1 where nothing can be said from here about a process of namespace pid_ns. */
static inline int xs_foreign(const struct xseg *xs, uint64_t pid_ns)
{
	return pid_ns && pid_ns != xs->pid_ns;
}

/* 0 where /proc does not tell. */
uint64_t xs_process_start(pid_t pid);

uint64_t xs_boottime_ns(void);

static inline struct xseg_port *xs_port(const struct xseg *xs, uint32_t port)
{
	return (void *)(xs->base + xs->h.ports_at + (uint64_t)port * xs->h.port_stride);
}

static inline struct xseg_request *xs_slot(const struct xseg *xs, uint32_t slot)
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
static inline int xs_run_of_slots(const struct xseg *xs, struct xseg_port *port, uint32_t *first,
			uint32_t *count)
{
	*first = xs_load(&port->first_request);
	*count = xs_load(&port->nr_requests);
	return *count <= xs->h.ring_size && (uint64_t)*first + *count <= xs->h.nr_requests;
}

/* The port that slot's src names, if it has that slot; else NULL. */
static inline struct xseg_port *xs_source_of(const struct xseg *xs, uint32_t slot)
{
	uint32_t src = xs_load(&xs_slot(xs, slot)->src), first, count;
	struct xseg_port *port;

	if (src >= xs->h.nr_ports)
		return NULL;
	port = xs_port(xs, src);
	if (!xs_run_of_slots(xs, port, &first, &count) || slot - first >= count)
		return NULL;
	return port;
}

/* Keeps a SIGBUS at the segment's memory from ending the process. */
void xs_guard(struct xseg *xs);
void xs_unguard(const struct xseg *xs);

/* -EUCLEAN once the file was seen truncated. */
int xs_spoilt(const struct xseg *xs);

/* -EUCLEAN where spoilt, -EINVAL, and not_mine -EPERM; 0 where port is neither. */
int xs_bad_port(const struct xseg *xs, uint32_t port);
int xs_not_mine(const struct xseg *xs, uint32_t port);

/* Steps that are also made in a dead port's stead; 1 where they were made. */
int xs_send_back(struct xseg *xs, uint32_t slot, uint32_t dst);
int xs_take_answer(struct xseg *xs, uint32_t slot);

/* Makes src, unless NULL, look through its slots. */
void xs_tell(struct xseg *xs, struct xseg_port *src, uint32_t slot);

/* What contradicts itself in a ring, or NULL. */
const char *xs_ring_trouble(const struct xs_ring *ring, uint32_t nr_requests);

/* Under the lock: empties a ring that nobody takes from, and mends it. */
void xs_drain(const struct xseg *xs, struct xs_ring ring);

/* As text that no terminal obeys. */
void xs_print_role(const struct xseg_port *p, FILE *out);

/* Wakes the thread that serves port. */
void xs_ring_bell(struct xseg *xs, struct xseg_port *port);
void xs_wake_all(struct xseg *xs);

/* The bells of those that sleep in epoll. */
void xs_ring_fifo(struct xseg *xs, uint32_t bell);
void xs_remove_bell(struct xseg *xs, uint32_t bell);
void xs_remove_abandoned_bells(const char *name);

#endif
