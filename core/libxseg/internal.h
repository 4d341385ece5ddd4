/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of libxseg share. */
#ifndef XSEG_INTERNAL_H
#define XSEG_INTERNAL_H

#include <pthread.h>
#include <sys/types.h>
#include "protocol.h"
#include "xseg.h"

/* What a process knows of a segment that it joined, besides what the protocol needs. */
struct xs_joined {
	struct xseg xs;       /* first: its address is the handle that users have */
	int spoilt;           /* 1: the file was truncated; see bus.c */
	int fd;               /* of the file, for its lock; -1 if anonymous */
	int device;           /* 1: fd is a character device of xsegbd; see device.c */
	__u64 inode;          /* of that file: tells segments of one name apart */
	pid_t pid;            /* that joined */
	__u64 pid_start;      /* of that process; 0 where /proc does not tell */
	__u64 pid_ns;         /* its PID namespace; 0 where /proc is of another */
	pthread_mutex_t mutex; /* the file's lock does not exclude threads */
	int *bells;           /* [nr_ports]: descriptors, -1 = none; see bell.c */
};

static inline struct xs_joined *xs_joined(const struct xseg *xs)
{
	return (struct xs_joined *)xs;
}

/* Keeps the message for xseg_strerror(), returns -error. */
int xs_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* -EPROTO or -EUCLEAN where h, a private copy, is not what a segment of that name and size has. */
int xs_check_header(const struct xseg_header *h, uint64_t file_size, const char *name);

/* Maps what h describes; takes fd over. */
int xs_map(const struct xseg_header *h, int fd, struct xseg **out);

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
	return pid_ns && pid_ns != xs_joined(xs)->pid_ns;
}

/* 0 where /proc does not tell. */
uint64_t xs_process_start(pid_t pid);

/* Keeps a SIGBUS at the segment's memory from ending the process. */
void xs_guard(struct xseg *xs);
void xs_unguard(const struct xseg *xs);

/* -EUCLEAN once the file was seen truncated. */
int xs_spoilt(const struct xseg *xs);

/* -EUCLEAN where spoilt, -EINVAL, and not_mine -EPERM; 0 where port is neither. */
int xs_bad_port(const struct xseg *xs, uint32_t port);
int xs_not_mine(const struct xseg *xs, uint32_t port);

/* What contradicts itself in a ring, or NULL. */
const char *xs_ring_trouble(const struct xs_ring *ring, uint32_t nr_requests);

/* Under the lock; what each does and returns stands with it in recovery.c. */
int xs_bury_dead(struct xseg *xs, uint32_t number);
int xs_bury_all_dead(struct xseg *xs);
int xs_bury(struct xseg *xs, uint32_t number, int accepted_too);
uint32_t xs_reclaim(struct xseg *xs, struct xseg_port *port);

/* Under the lock: empties a ring that nobody takes from, and mends it. */
void xs_drain(const struct xseg *xs, struct xs_ring ring);

/* As text that no terminal obeys. */
void xs_print_role(const struct xseg_port *p, FILE *out);

/* The other end of a device's segment is a kernel module, which a write wakes. */
void xs_ring_device(struct xseg *xs);

/* The bells of those that sleep in epoll. */
void xs_ring_fifo(struct xseg *xs, uint32_t bell);
void xs_remove_bell(struct xseg *xs, uint32_t bell);
void xs_remove_abandoned_bells(const char *name);

#endif
