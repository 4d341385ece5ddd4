// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "helper.h"

enum { BATCH = 32, SEND_BUFFER = 1 << 20, RETRY_FIRST_MS = 50, RETRY_LAST_MS = 500 };

static void lost(struct helper *h, const char *why)
{
	if (!h->out)
		note("%s: connection lost (%s), %d requests wait", h->path, why, h->active);
	if (!h->out)
		h->out_since = now_ms();
	h->out = true;
	close(h->sock);
	h->sock = -1;
	requests_requeue(h);
	/* at once, unless the last connection brought nothing */
	h->retry_ms = h->replied ? 0 : h->retry_ms;
	h->retry_at = now_ms() + h->retry_ms;
}

static void retry_later(struct helper *h)
{
	int ms = h->retry_ms * 3 / 2;

	h->retry_ms = ms < RETRY_FIRST_MS ? RETRY_FIRST_MS : ms > RETRY_LAST_MS ? RETRY_LAST_MS : ms;
	h->retry_at = now_ms() + h->retry_ms;
}

/* Is what we have promised to the kernel still true? */
static bool same_volume(const struct helper *h, const struct nbd_export *e, char *why, size_t size)
{
	if (e->size < h->fuse.size)
		snprintf(why, size, "it has shrunk from %llu to %llu bytes", (unsigned long long)h->fuse.size, (unsigned long long)e->size);
	else if (e->max_block < h->fuse.io_most || e->min_block > h->export.min_block)
		snprintf(why, size, "it takes requests of %u to %u bytes only", e->min_block, e->max_block);
	else if ((h->export.flags & ~e->flags) & (NBD_EXPORT_FLUSH | NBD_EXPORT_WRITE_ZEROES))
		snprintf(why, size, "it has lost abilities (flags 0x%x, they were 0x%x)", e->flags, h->export.flags);
	else if (~h->export.flags & e->flags & NBD_EXPORT_READ_ONLY)
		snprintf(why, size, "it is read-only now");
	else
		return true;
	return false;
}

void connection_open(struct helper *h)
{
	struct nbd_export export;
	char why[512];
	int most = SEND_BUFFER;

	h->replied = false;
	h->sock = nbd_connect(h->path, h->name, CONNECT_MS, h->signals, &export, why, sizeof(why));
	if (h->sock >= 0 && !same_volume(h, &export, why, sizeof(why))) {
		nbd_close(h->sock);
		h->sock = NBD_UNFIT;
	}
	if (h->sock < 0) {
		if (!h->out || (h->sock == NBD_UNFIT && strcmp(why, h->refusal)))
			note("%s: %s; it is tried again, %d requests wait", h->path, why, h->active);
		if (h->sock == NBD_UNFIT)
			strcpy(h->refusal, why);
		if (!h->out)
			h->out_since = now_ms();
		h->out = true;
		retry_later(h);
		return;
	}
	setsockopt(h->sock, SOL_SOCKET, SO_SNDBUFFORCE, &most, sizeof(most));
	if (h->out)
		note("%s: connected again after %lld ms, %d requests are sent", h->path, now_ms() - h->out_since, h->active);
	h->out = false;
	h->refusal[0] = 0;
	h->renew = false;
	if (export.size != h->fuse.size) {
		note("%s: %llu bytes, they were %llu", h->path, (unsigned long long)export.size, (unsigned long long)h->fuse.size);
		h->fuse.size = export.size;
		fuse_size_changed(&h->fuse);
	}
	retry_later(h);		/* counts only if this connection breaks before its first reply */
}

void connection_send(struct helper *h)
{
	while (h->first && !(h->renew && !h->first_sent)) {
		struct iovec v[2 * BATCH];
		struct msghdr m = { .msg_iov = v };
		size_t skip = h->first_sent;
		ssize_t n;

		for (struct request *r = h->first; r && m.msg_iovlen + 2 <= 2 * BATCH; r = r->next) {
			size_t head = skip < sizeof(r->head) ? skip : sizeof(r->head);

			v[m.msg_iovlen++] = (struct iovec){ r->head + head, sizeof(r->head) - head };
			if (r->buffer)
				v[m.msg_iovlen++] = (struct iovec){ r->io.data + (skip - head), r->length - (skip - head) };
			skip = 0;
			if (h->renew)
				break;	/* the half-sent one only */
		}
		n = sendmsg(h->sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			lost(h, strerror(errno));
			return;
		}
		for (size_t left = n; h->first && left;) {
			size_t all = sizeof(h->first->head) + (h->first->buffer ? h->first->length : 0) - h->first_sent;

			h->unanswered += !h->first_sent;
			if (left < all) {
				h->first_sent += left;
				break;
			}
			left -= all;
			h->first_sent = 0;
			h->first = h->first->next;
		}
	}
}

/* One reply out of the receiving buffer: 1, 0 if more bytes are wanted, -1 if the connection was dropped. */
static int take_reply(struct helper *h)
{
	size_t there = h->in_end - h->in_start, wanted = NBD_REPLY_BYTES;
	struct nbd_reply reply;
	struct request *r;

	if (there < wanted)
		return 0;
	r = nbd_reply(h->in + h->in_start, &reply) ? requests_find(h, reply.cookie) : NULL;
	if (!r || reply.error == ESHUTDOWN) {
		lost(h, r ? "it is shutting down" : "it broke the NBD protocol");
		return -1;
	}
	if (r->io.kind == FUSE_IO_READ && !reply.error)
		wanted += r->length;
	if (there < wanted)
		return 0;
	requests_complete(h, r, reply.error, h->in + h->in_start + NBD_REPLY_BYTES);
	h->in_start += wanted;
	return 1;
}

void connection_receive(struct helper *h)
{
	ssize_t n;
	int took;

	if (h->in_start == h->in_end)
		h->in_start = h->in_end = 0;
	if (h->in_start && RECEIVE_BYTES - h->in_start < NBD_REPLY_BYTES + FUSE_IO_MOST) {
		memmove(h->in, h->in + h->in_start, h->in_end - h->in_start);
		h->in_end -= h->in_start;
		h->in_start = 0;
	}
	n = recv(h->sock, h->in + h->in_end, RECEIVE_BYTES - h->in_end, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lost(h, n ? strerror(errno) : "it closed it");
		return;
	}
	h->in_end += n;
	while ((took = take_reply(h)) > 0)
		;
}
