// SPDX-License-Identifier: BSD-2-Clause
/*
 * The helper: one process a volume, between the FUSE file and the NBD server. A request is kept until it is answered; when
 * the server goes away, all that is unanswered is sent again to the next one, for ever: a dead server is never an I/O
 * error. Who ends it: `loop detach`, or the unmounting of its file.
 *
 * One thread, one poll. The slot of a request is the low byte of its NBD cookie; requests go out in the order in which
 * they came. A write's data stays in the buffer that it was read into; a read's goes from the receiving buffer to the
 * kernel. Idle, both are given back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "fuse.h"
#include "loop.h"
#include "nbd.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

enum {
	SLOTS = 256, BATCH = 32, HELD_MOST = 62 << 20, POOL_MOST = 16 << 20, BUFFER_BYTES = FUSE_IO_MOST + 2 * FUSE_SLACK,
	RECEIVE_BYTES = FUSE_IO_MOST + 128 * 1024, SEND_BUFFER = 1 << 20,
	CONNECT_MS = 5000, RETRY_FIRST_MS = 50, RETRY_LAST_MS = 500, IDLE_MS = 2000, LOG_MOST = 64 * 1024,
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

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
	time_t now = time(NULL);
	char text[1024];
	struct stat s;
	struct tm tm;
	va_list list;
	size_t n = strftime(text, 64, "%Y-%m-%d %H:%M:%S ", localtime_r(&now, &tm));

	va_start(list, format);
	vsnprintf(text + n, sizeof(text) - n, format, list);
	va_end(list);
	if (!fstat(HELPER_LOG, &s) && s.st_size > LOG_MOST && ftruncate(HELPER_LOG, 0))
		return;
	dprintf(HELPER_LOG, "%s\n", text);
}

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

static void trim(struct helper *h)
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

static bool room(const struct helper *h)
{
	return h->active < SLOTS && h->held < HELD_MOST;
}

/* Takes what the kernel has; false: the file is unmounted. */
static bool take_requests(struct helper *h)
{
	struct buffer *b = NULL;
	enum fuse_took took = FUSE_TOOK_ANSWERED;
	struct fuse_io io;

	for (int i = 0; i < BATCH && room(h) && took != FUSE_TOOK_NOTHING && took != FUSE_TOOK_END; i++) {
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

/* ---- the connection ---- */

static int by_number(const void *a, const void *b)
{
	const struct request *x = *(struct request *const *)a, *y = *(struct request *const *)b;

	return x->number < y->number ? -1 : 1;
}

/* All that is unanswered is to be sent, in its first order. */
static void requeue(struct helper *h)
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

static void lost(struct helper *h, const char *why)
{
	if (!h->out)
		note("%s: connection lost (%s), %d requests wait", h->path, why, h->active);
	if (!h->out)
		h->out_since = now_ms();
	h->out = true;
	close(h->sock);
	h->sock = -1;
	requeue(h);
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

static void reconnect(struct helper *h)
{
	struct nbd_export export;
	char why[512];
	int most = SEND_BUFFER;

	h->replied = false;
	h->sock = nbd_connect(h->path, h->name, CONNECT_MS, h->signals, &export, why, sizeof(why));
	if (h->sock >= 0 && !same_volume(h, &export, why, sizeof(why))) {
		nbd_close(h->sock);
		h->sock = -1;
	}
	if (h->sock < 0) {
		if (!h->out)
			note("%s: %s; it is tried again, %d requests wait", h->path, why, h->active);
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
	h->renew = false;
	if (export.size != h->fuse.size) {
		note("%s: %llu bytes, they were %llu", h->path, (unsigned long long)export.size, (unsigned long long)h->fuse.size);
		h->fuse.size = export.size;
	}
	retry_later(h);		/* counts only if this connection breaks before its first reply */
	fuse_size_changed(&h->fuse);
}

static void send_requests(struct helper *h)
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

/* The request of a reply; NULL: the server made it up, or we have not sent it (all of it) yet. */
static struct request *find(struct helper *h, uint64_t cookie)
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
static void complete(struct helper *h, struct request *r, int error, const uint8_t *data)
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

/* One reply out of the receiving buffer: 1, 0 if more bytes are wanted, -1 if the connection was dropped. */
static int take_reply(struct helper *h)
{
	size_t there = h->in_end - h->in_start, wanted = NBD_REPLY_BYTES;
	struct nbd_reply reply;
	struct request *r;

	if (there < wanted)
		return 0;
	r = nbd_reply(h->in + h->in_start, &reply) ? find(h, reply.cookie) : NULL;
	if (!r || reply.error == ESHUTDOWN) {
		lost(h, r ? "it is shutting down" : "it broke the NBD protocol");
		return -1;
	}
	if (r->io.kind == FUSE_IO_READ && !reply.error)
		wanted += r->length;
	if (there < wanted)
		return 0;
	complete(h, r, reply.error, h->in + h->in_start + NBD_REPLY_BYTES);
	h->in_start += wanted;
	return 1;
}

static void receive_replies(struct helper *h)
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

/* ---- the life of it ---- */

static bool told_to_end(struct helper *h)
{
	struct signalfd_siginfo s;

	while (read(h->signals, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo != SIGHUP) {
			note("ended by signal %u of process %u, %d requests unanswered", s.ssi_signo, s.ssi_pid, h->active);
			return true;
		}
		h->renew = true;
	}
	return false;
}

static int patience(struct helper *h)
{
	long long now = now_ms(), until = -1;

	if (h->sock < 0)
		until = h->retry_at;
	else if (!h->active && !h->idle_since)
		h->idle_since = now;
	if (h->idle_since > 0 && now >= h->idle_since + IDLE_MS) {
		trim(h);
		h->idle_since = -1;	/* until the next request ends */
	}
	if (h->idle_since > 0 && !h->active && until < 0)
		until = h->idle_since + IDLE_MS;
	return until < 0 ? -1 : until > now ? until - now : 0;
}

static int serve(struct helper *h)
{
	struct pollfd p[3] = { { .fd = h->signals, .events = POLLIN }, { .fd = h->fuse.fd }, { 0 } };

	for (;;) {
		p[1].events = room(h) ? POLLIN : 0;
		p[2].fd = h->sock;
		p[2].events = POLLIN | (h->first && (!h->renew || h->first_sent) ? POLLOUT : 0);
		if (poll(p, 3, patience(h)) < 0)
			continue;
		if (p[0].revents && told_to_end(h))
			return 0;
		if (p[1].revents && !take_requests(h))
			return 0;
		if (h->sock >= 0 && p[2].revents & (POLLIN | POLLHUP | POLLERR))
			receive_replies(h);
		if (h->sock >= 0)
			send_requests(h);
		if (h->sock >= 0 && h->renew && !h->unanswered) {
			nbd_close(h->sock);
			h->sock = -1;
			requeue(h);
			h->retry_at = 0;
		}
		if (h->sock < 0 && now_ms() >= h->retry_at)
			reconnect(h);
	}
}

static void become_daemon(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "-900", 4) < 0)
		note("cannot protect itself from running out of memory: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0))	/* our memory must not wait for the I/O that we do */
		note("cannot become an I/O flusher: %s", strerror(errno));
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	prctl(PR_SET_NAME, "archip-loop");
}

static int catch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Connects and mounts; the answer says how the device is to be bound. */
static struct helper_ready prepare(struct helper *h)
{
	struct helper_ready ready = { .code = E_LATER };
	char target[32], why[400];
	const char *what;
	int failure;

	h->sock = nbd_connect(h->path, h->name, CONNECT_MS, h->signals, &h->export, why, sizeof(why));
	if (h->sock < 0) {
		snprintf(ready.why, sizeof(ready.why), "cannot connect to the NBD socket %.100s: %.320s", h->path, why);
		return ready;
	}
	h->fuse.size = h->export.size;
	h->fuse.read_only = h->export.flags & NBD_EXPORT_READ_ONLY;
	h->fuse.can_zero = h->export.flags & NBD_EXPORT_WRITE_ZEROES;
	for (h->fuse.io_most = FUSE_IO_MOST; h->fuse.io_most > h->export.max_block;)
		h->fuse.io_most /= 2;
	ready.code = E_FAILED;
	snprintf(target, sizeof(target), "/proc/self/fd/%d", HELPER_FILE);
	failure = fuse_mount(&h->fuse, target, h->name, &what);
	if (failure) {
		snprintf(ready.why, sizeof(ready.why), "cannot %s: %s", what, strerror(failure));
		return ready;
	}
	ready.code = 0;
	ready.block = h->export.min_block;
	ready.read_only = h->fuse.read_only;
	return ready;
}

int helper_main(const char *name)
{
	struct helper *h = calloc(1, sizeof(*h));
	struct helper_ready ready;
	char go;

	if (!h || !(h->in = map(RECEIVE_BYTES)))
		return E_FAILED;
	h->name = name;
	h->signals = catch_signals();
	socket_path(name, h->path, sizeof(h->path));
	for (int i = SLOTS - 1; i >= 0; i--) {
		h->slots[i].next = h->free;
		h->free = &h->slots[i];
	}
	if (recv(HELPER_TALK, &go, 1, 0) != 1)	/* the one who started us has recorded us; or it is gone */
		return E_FAILED;
	ready = prepare(h);
	send(HELPER_TALK, &ready, sizeof(ready), MSG_NOSIGNAL);
	if (ready.code)
		return ready.code;
	become_daemon();
	close(HELPER_TALK);
	close(HELPER_FILE);
	note("serves %s, %llu bytes%s", h->path, (unsigned long long)h->fuse.size, ready.read_only ? ", read-only" : "");
	return serve(h);
}
