/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The helper: one process a volume, between the FUSE file and the NBD server. A request is kept until it is answered; when
 * the server goes away, all that is unanswered is sent again to the next one, for ever: a dead server is never an I/O
 * error. Who ends it: `loop detach`, or the unmounting of its file.
 *
 * One thread, one poll. The slot of a request is the low byte of its NBD cookie; requests go out in the order in which
 * they came. A write's data stays in the buffer that it was read into; a read's goes from the receiving buffer to the
 * kernel. Idle, both are given back.
 *
 *   helper.c      its life: birth, signals, the loop of events
 *   connection.c  the NBD server: connecting, sending, receiving, outages
 *   requests.c    the requests under way and their memory
 */
#ifndef ARCHIPELAGO_LOOP_HELPER_H
#define ARCHIPELAGO_LOOP_HELPER_H

#include "fuse.h"
#include "loop.h"
#include "nbd.h"

enum {
	SLOTS = 256, RECEIVE_BYTES = FUSE_IO_MOST + 128 * 1024, CONNECT_MS = 5000,
};

/* A mapping of its own: pages of it exist only as far as they were written. */
struct buffer {
	struct buffer *next;
	size_t touched;
	uint8_t bytes[];
};

struct request {
	struct request *next;
	struct fuse_io io;
	struct buffer *buffer;		/* of a write */
	uint64_t number;		/* in the order of coming; 0: the slot is free */
	uint64_t done;			/* of a long write-zeroes: as far as it is answered */
	uint32_t length;		/* of the NBD request on its way */
	uint8_t head[NBD_REQUEST_BYTES];
};

struct helper {
	const char *name;
	char path[PATH_MAX];
	struct fuse_end fuse;
	struct nbd_export export;
	int sock, signals;
	bool replied;			/* on this connection */
	bool renew;			/* connect anew when all is answered: the size may have changed */
	bool out;			/* an outage, already logged */
	char refusal[512];		/* what a server of this outage was found unfit for, already logged */
	long long out_since, retry_at, idle_since;
	int retry_ms;

	struct request slots[SLOTS], *free, *first, *last;	/* first..last: to be sent */
	size_t first_sent;		/* bytes of first */
	int active, unanswered;		/* taken; sent, at least in part */
	uint64_t numbered;

	struct buffer *pool;
	size_t held, pooled;		/* bytes touched, of buffers in use and in the pool */
	uint8_t *in;
	size_t in_start, in_end;
};

/* requests.c */
bool requests_init(struct helper *h);
bool requests_room(const struct helper *h);
bool requests_take(struct helper *h);		/* what the kernel has; false: the file is unmounted */
void requests_requeue(struct helper *h);	/* all that is unanswered is to be sent, in its first order */
/* the request of a reply; NULL: the server made it up, or we have not sent it (all of it) yet */
struct request *requests_find(struct helper *h, uint64_t cookie);
void requests_complete(struct helper *h, struct request *r, int error, const uint8_t *data);
void requests_trim(struct helper *h);		/* gives back idle memory */

/* connection.c */
void connection_open(struct helper *h);
void connection_send(struct helper *h);
void connection_receive(struct helper *h);

#endif
