// SPDX-License-Identifier: BSD-2-Clause
/*
 * The helper of a device of the kernel's nbd: it connects, gives the connection to the kernel, and when that breaks, which
 * its own copy of the descriptor tells, connects anew. No data goes through it.
 *
 * What the kernel does meanwhile: requests that have not gone out wait (NBD_ATTR_DEAD_CONN_TIMEOUT). Those that the dead
 * connection had are sent again by their timer, and only if there is another connection by then; without
 * NBD_ATTR_TIMEOUT the timer does nothing else, however long a server takes. It runs once in queue/io_timeout. With several
 * connections it would close one on which a request is late, and send that again while the server may be at work on
 * it: so there is one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "knbd.h"
#include "loop.h"
#include "nbd.h"

enum {
	TIMER_MS = 3000,		/* the longest that requests of a dead connection wait once there is another */
	CONNECT_MS = 5000, RETRY_FIRST_MS = 50, RETRY_LAST_MS = 500, SEND_BUFFER = 1 << 20,
	OFFER_FIRST_MS = 10, OFFER_LAST_MS = 10000,
};

struct keeper {
	const char *name;
	char path[PATH_MAX];
	struct knbd kernel;
	struct nbd_export export;
	uint32_t index;
	int sock, signals;
	bool out;			/* an outage, already logged */
	long long out_since, next;
	int wait_ms;
};

static void wait_longer(struct keeper *k, int factor, int first, int last)
{
	k->wait_ms *= factor;
	k->wait_ms = k->wait_ms < first ? first : k->wait_ms > last ? last : k->wait_ms;
	k->next = now_ms() + k->wait_ms;
}

static bool fits(const struct keeper *k, const struct nbd_export *e)
{
	return e->size >= k->export.size && !((k->export.flags & ~e->flags) & ~NBD_EXPORT_READ_ONLY) &&
	       !(~k->export.flags & e->flags & NBD_EXPORT_READ_ONLY);
}

static void connect_again(struct keeper *k)
{
	int most = SEND_BUFFER;
	struct nbd_export export;
	char why[512];

	k->sock = nbd_connect(k->path, k->name, CONNECT_MS, k->signals, &export, why, sizeof(why));
	if (k->sock >= 0 && !fits(k, &export)) {
		snprintf(why, sizeof(why), "it is another volume now: %llu bytes and flags 0x%x, they were %llu and 0x%x",
			 (unsigned long long)export.size, export.flags, (unsigned long long)k->export.size, k->export.flags);
		nbd_close(k->sock);
		k->sock = -1;
	}
	if (k->sock < 0) {
		if (!k->out)
			note("%s: %s; it is tried again", k->path, why);
		k->out = true;
		wait_longer(k, 2, RETRY_FIRST_MS, RETRY_LAST_MS);
		return;
	}
	setsockopt(k->sock, SOL_SOCKET, SO_SNDBUFFORCE, &most, sizeof(most));
	k->export.size = export.size;
	if (k->out)
		note("%s: connected again after %lld ms", k->path, now_ms() - k->out_since);
	k->out = false;
	k->wait_ms = 0;
	k->next = 0;
}

/*
 * The kernel takes it if its own connection is dead, and does not tell. It may not have noticed yet, or, where a helper
 * died before us, have a good one: so it is offered again, ever more rarely. What it has already does no harm.
 */
static bool offer(struct keeper *k)
{
	int error = knbd_reconnect(&k->kernel, k->index, k->sock, k->path);

	if (error == EINVAL) {
		note("/dev/nbd%u does not show %s any more: it ends", k->index, k->path);
		return false;
	}
	if (error)
		note("cannot give /dev/nbd%u a connection: %s; it is tried again", k->index, strerror(error));
	wait_longer(k, 4, OFFER_FIRST_MS, OFFER_LAST_MS);
	return true;
}

/* SIGTERM lets a kernel go that waits for a server: its connection is shut down. */
static bool told_to_end(struct keeper *k)
{
	struct signalfd_siginfo s;

	while (read(k->signals, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo == SIGHUP)
			continue;
		note("ended by signal %u of process %u", s.ssi_signo, s.ssi_pid);
		if (k->sock >= 0)
			shutdown(k->sock, SHUT_RDWR);
		return true;
	}
	return false;
}

static int keep(struct keeper *k)
{
	for (;;) {
		struct pollfd p[2] = { { .fd = k->signals, .events = POLLIN }, { .fd = k->sock } };	/* of the second: POLLHUP */
		long long left = k->next - now_ms();

		if (poll(p, 2, left > 0 ? left : 0) < 0)
			continue;
		if (p[0].revents && told_to_end(k))
			return 0;
		if (k->sock >= 0 && p[1].revents) {
			note("%s: connection lost", k->path);
			k->out = true;
			k->out_since = now_ms();
			close(k->sock);
			k->sock = -1;
			k->wait_ms = 0;
			k->next = 0;
		}
		if (now_ms() < k->next)
			continue;
		if (k->sock < 0)
			connect_again(k);
		if (k->sock >= 0 && !offer(k))
			return 0;
	}
}

/* A device that a helper left which was killed is gone on with. */
static int make(struct keeper *k, struct helper_ready *ready)
{
	int there = knbd_find(k->path), error;

	k->index = there;
	if (there >= 0 && !knbd_reconnect(&k->kernel, k->index, k->sock, k->path))
		return 0;
	if (there >= 0) {
		snprintf(ready->why, sizeof(ready->why), "/dev/nbd%d was disconnected by somebody, and something still has it open: end that", there);
		return E_BUSY;
	}
	error = knbd_connect(&k->kernel, k->sock, k->export.size, k->export.flags, k->path, &k->index);
	if (error) {
		snprintf(ready->why, sizeof(ready->why), "cannot make a device of the kernel's nbd: %s; dmesg tells more", strerror(error));
		return E_FAILED;
	}
	if (knbd_find(k->path) >= 0)
		return 0;
	knbd_disconnect(&k->kernel, k->index);
	snprintf(ready->why, sizeof(ready->why), "this kernel's nbd does not tell what its devices show, which Linux 5.14 was the first to: "
		 "ENDPOINT = 'loop'");
	return E_ABSENT;
}

static struct helper_ready prepare(struct keeper *k)
{
	struct helper_ready ready = { .code = E_LATER };
	int most = SEND_BUFFER, error;
	char why[400];

	k->sock = nbd_connect(k->path, k->name, CONNECT_MS, k->signals, &k->export, why, sizeof(why));
	if (k->sock < 0) {
		snprintf(ready.why, sizeof(ready.why), "cannot connect to the NBD socket %.100s: %.320s", k->path, why);
		return ready;
	}
	setsockopt(k->sock, SOL_SOCKET, SO_SNDBUFFORCE, &most, sizeof(most));
	ready.code = E_ABSENT;
	error = knbd_open(&k->kernel);
	if (error)
		snprintf(ready.why, sizeof(ready.why), "cannot reach the kernel's nbd: %s", error == ENOENT
			 ? "it is not loaded (modprobe nbd), or this is no process of the host's own network namespace" : strerror(error));
	else
		ready.code = make(k, &ready);
	error = ready.code ? 0 : knbd_set_timer(k->index, TIMER_MS);
	if (error)
		note("/dev/nbd%u keeps its timer, so that an outage lasts longer than it must: %s", k->index, strerror(error));
	ready.index = k->index;
	return ready;
}

int keeper_main(const char *name)
{
	struct keeper k = { .name = name, .signals = catch_signals(), .wait_ms = OFFER_LAST_MS };
	struct helper_ready ready;

	socket_path(name, k.path, sizeof(k.path));
	if (!told_to_start())
		return E_FAILED;
	ready = prepare(&k);
	send(HELPER_TALK, &ready, sizeof(ready), MSG_NOSIGNAL);
	if (ready.code)
		return ready.code;
	become_daemon("archip-nbd");
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		note("cannot lock its memory: %s", strerror(errno));
	note("/dev/nbd%u shows %s, %llu bytes%s", k.index, k.path, (unsigned long long)k.export.size,
	     k.export.flags & NBD_EXPORT_READ_ONLY ? ", read-only" : "");
	return keep(&k);
}
