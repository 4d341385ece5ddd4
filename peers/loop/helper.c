// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "helper.h"

enum { IDLE_MS = 2000 };

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
		requests_trim(h);
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
		p[1].events = requests_room(h) ? POLLIN : 0;
		p[2].fd = h->sock;
		p[2].events = POLLIN | (h->first && (!h->renew || h->first_sent) ? POLLOUT : 0);
		if (poll(p, 3, patience(h)) < 0)
			continue;
		if (p[0].revents && told_to_end(h))
			return 0;
		if (p[1].revents && !requests_take(h)) {
			note("its file was unmounted, or its connection aborted: it ends");
			return 0;
		}
		if (h->sock >= 0 && p[2].revents & (POLLIN | POLLHUP | POLLERR))
			connection_receive(h);
		if (h->sock >= 0)
			connection_send(h);
		if (h->sock >= 0 && h->renew && !h->unanswered) {
			nbd_close(h->sock);
			h->sock = -1;
			requests_requeue(h);
			h->retry_at = 0;
		}
		if (h->sock < 0 && now_ms() >= h->retry_at)
			connection_open(h);
	}
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

	if (!h || !requests_init(h))
		return E_FAILED;
	h->name = name;
	h->signals = catch_signals();
	socket_path(name, h->path, sizeof(h->path));
	if (!told_to_start())	/* the one who started us has recorded us; or it is gone */
		return E_FAILED;
	ready = prepare(h);
	send(HELPER_TALK, &ready, sizeof(ready), MSG_NOSIGNAL);
	if (ready.code)
		return ready.code;
	become_daemon("archip-loop");
	note("serves %s, %llu bytes%s", h->path, (unsigned long long)h->fuse.size, ready.read_only ? ", read-only" : "");
	return serve(h);
}
