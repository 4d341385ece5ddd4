// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>
#include "helper.h"

enum { BATCH = 32, HELD_MOST = 62 << 20, POOL_MOST = 16 << 20, BUFFER_BYTES = FUSE_IO_MOST + 2 * FUSE_SLACK };

/* ---- buffers ---- */

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static struct buffer *get_buffer(struct helper *h)
{
	struct buffer *b = h->pool;

	if (!b)
		return map(BUFFER_BYTES);
	h->pool = b->next;
	h->pooled -= b->touched;
	return b;
}

static void put_buffer(struct helper *h, struct buffer *b)
{
	if (h->pooled + b->touched > POOL_MOST) {
		munmap(b, BUFFER_BYTES);
		return;
	}
	h->pooled += b->touched;
	b->next = h->pool;
	h->pool = b;
}

void requests_trim(struct helper *h)
{
	while (h->pool) {
		struct buffer *b = h->pool;

		h->pool = b->next;
		munmap(b, BUFFER_BYTES);
	}
	h->pooled = 0;
	madvise(h->in, RECEIVE_BYTES, MADV_DONTNEED);
}

/* ---- requests ---- */

static void encode(struct helper *h, struct request *r)
{
	static const uint8_t types[] = {
		[FUSE_IO_READ] = NBD_READ, [FUSE_IO_WRITE] = NBD_WRITE, [FUSE_IO_SYNC] = NBD_FLUSH,
		[FUSE_IO_PUNCH] = NBD_WRITE_ZEROES, [FUSE_IO_ZERO] = NBD_WRITE_ZEROES,
	};
	uint64_t left = r->io.length - r->done;

	r->length = left > NBD_ZEROES_MOST ? NBD_ZEROES_MOST : left;
	nbd_request(r->head, types[r->io.kind], r->io.kind == FUSE_IO_ZERO ? NBD_FLAG_NO_HOLE : 0,
		    r->number << 8 | (r - h->slots), r->io.offset + r->done, r->length);
}

static void enqueue(struct helper *h, struct request *r)
{
	encode(h, r);
	r->next = NULL;
	if (h->first)
		h->last->next = r;
	else
		h->first = r;
	h->last = r;
}

static void start(struct helper *h, const struct fuse_io *io, struct buffer *b)
{
	struct request *r = h->free;

	h->free = r->next;
	*r = (struct request){ .io = *io, .buffer = b, .number = ++h->numbered };
	h->held += b ? b->touched : 0;
	h->active++;
	enqueue(h, r);
}

static void finish(struct helper *h, struct request *r)
{
	if (r->buffer) {
		h->held -= r->buffer->touched;
		put_buffer(h, r->buffer);
	}
	r->number = 0;
	r->next = h->free;
	h->free = r;
	h->active--;
	h->idle_since = 0;
}

bool requests_room(const struct helper *h)
{
	return h->active < SLOTS && h->held < HELD_MOST;
}

bool requests_take(struct helper *h)
{
	struct buffer *b = NULL;
	enum fuse_took took = FUSE_TOOK_ANSWERED;
	struct fuse_io io;

	for (int i = 0; i < BATCH && requests_room(h) && took != FUSE_TOOK_NOTHING && took != FUSE_TOOK_END; i++) {
		if (!b && !(b = get_buffer(h)))
			break;	/* no memory: what is under way gives some back */
		took = fuse_take(&h->fuse, b->bytes, &io);
		if (took != FUSE_TOOK_IO)
			continue;
		if (io.kind == FUSE_IO_SYNC && !(h->export.flags & NBD_EXPORT_FLUSH)) {
			fuse_answer(&h->fuse, &io, 0);
			continue;
		}
		if (io.kind == FUSE_IO_WRITE && b->touched < FUSE_SLACK + io.length)
			b->touched = FUSE_SLACK + io.length;
		start(h, &io, io.kind == FUSE_IO_WRITE ? b : NULL);
		if (io.kind == FUSE_IO_WRITE)
			b = NULL;
	}
	if (b)
		put_buffer(h, b);
	return took != FUSE_TOOK_END;
}

static int by_number(const void *a, const void *b)
{
	const struct request *x = *(struct request *const *)a, *y = *(struct request *const *)b;

	return x->number < y->number ? -1 : 1;
}

void requests_requeue(struct helper *h)
{
	struct request *all[SLOTS];
	int n = 0;

	for (int i = 0; i < SLOTS; i++)
		if (h->slots[i].number)
			all[n++] = &h->slots[i];
	qsort(all, n, sizeof(*all), by_number);
	h->first = NULL;
	h->first_sent = 0;
	h->unanswered = 0;
	h->in_start = h->in_end = 0;
	for (int i = 0; i < n; i++)
		enqueue(h, all[i]);
}

struct request *requests_find(struct helper *h, uint64_t cookie)
{
	struct request *r = &h->slots[cookie & (SLOTS - 1)];

	if (!r->number || cookie != (r->number << 8 | (r - h->slots)))
		return NULL;
	for (struct request *waiting = h->first; waiting; waiting = waiting->next)
		if (waiting == r)
			return NULL;
	return r;
}

/* Answers the kernel; a long write-zeroes goes on with its next part. */
void requests_complete(struct helper *h, struct request *r, int error, const uint8_t *data)
{
	h->unanswered--;
	h->replied = true;
	r->done += r->length;
	if (!error && r->done < r->io.length && r->io.kind != FUSE_IO_SYNC) {
		enqueue(h, r);
		return;
	}
	if (r->io.kind == FUSE_IO_READ)
		fuse_answer_read(&h->fuse, &r->io, error, data);
	else
		fuse_answer(&h->fuse, &r->io, error);
	finish(h, r);
}

bool requests_init(struct helper *h)
{
	for (int i = SLOTS - 1; i >= 0; i--) {
		h->slots[i].next = h->free;
		h->free = &h->slots[i];
	}
	h->in = map(RECEIVE_BYTES);
	return h->in;
}
