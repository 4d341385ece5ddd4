// SPDX-License-Identifier: BSD-2-Clause
/*
 * Round trips through a segment: a client that measures, and a server that does
 * nothing, or reads a file.  The client drives any port, so that what another process's peer costs
 * stands beside what the rings alone cost.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tool.h"
#include "xseg.h"

enum { BLOCK = XSEG_PAGE, SAMPLES = 1 << 22, SMALLEST = 1 << 20, BEATS = 1024 };
static const uint64_t TICK_NS = 100000000, PATIENCE_NS = 10000000000;

typedef int take_fn(struct xseg *xs, uint32_t port, uint32_t *slots, uint32_t max);

struct client {
	struct xseg *xs;
	const struct xseg_bench *how;
	uint32_t port, server, first; /* first: of its slots */
	uint64_t data_at, blocks;     /* of the target */
	uint64_t random;
	uint32_t *took;               /* ns, the last SAMPLES of them */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static int failed(const char *what)
{
	fprintf(stderr, "xseg: bench: %s: %s\n", what, xseg_strerror());
	return XSEG_EXIT_FAILED;
}

/* Takes what there is; else spins for spin_ns, then sleeps until there is some; 0 after a while. */
static int take(struct xseg *xs, uint32_t port, uint32_t *slots, uint64_t spin_ns, take_fn *from)
{
	int n, rung;

	do {
		uint64_t until = now_ns() + spin_ns;

		do {
			n = from(xs, port, slots, XSEG_BENCH_DEPTH_MAX);
			if (n)
				return n;
			relax();
		} while (now_ns() < until);
		xseg_prepare_wait(xs, port);
		n = from(xs, port, slots, XSEG_BENCH_DEPTH_MAX);
		if (n) {
			xseg_cancel_wait(xs, port);
			return n;
		}
		rung = xseg_wait(xs, port, TICK_NS);
	} while (rung);
	return 0;
}

/* --- the server --------------------------------------------------------- */

/* What a server can do least for a read: one call to the kernel, into the request's data. */
static void answer(struct xseg *xs, struct xseg_request *r, int fd, uint64_t size)
{
	uint64_t at = r->data_at, length = r->data_length;
	ssize_t got = 0;

	if (fd >= 0 && r->op == XSEG_OP_INFO)
		r->length = size;
	if (fd >= 0 && r->op == XSEG_OP_READ && length)
		got = pread(fd, (char *)xseg_base(xs) + at, length, r->offset % size);
	r->serviced = got < 0 ? 0 : got;
	r->status = got < 0 ? errno : 0;
}

static int open_file(const char *file, uint64_t *size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || !st.st_size) {
		fprintf(stderr, "xseg: bench: cannot read %s: %s\n", file,
			fd < 0 ? strerror(errno) : "it is empty");
		return -1;
	}
	*size = st.st_size;
	return fd;
}

int xseg_bench_serve(struct xseg *xs, uint32_t port, const struct xseg_bench *how)
{
	uint32_t slots[XSEG_BENCH_DEPTH_MAX];
	uint64_t size = 0;
	int fd = -1;

	if (how->file && (fd = open_file(how->file, &size)) < 0)
		return XSEG_EXIT_FAILED;
	if (xseg_bind(xs, port, 0, 0, "bench server", port))
		return failed("bind");
	for (uint32_t round = 0;; round++) {
		int n = take(xs, port, slots, how->spin_ns, xseg_accept);

		if (n < 0)
			return failed("accept");
		for (int i = 0; i < n; i++)
			answer(xs, xseg_request(xs, slots[i]), fd, size);
		xseg_respond(xs, slots, n);
		if (!n || !(round % BEATS))
			xseg_heartbeat(xs, port);
	}
}

/* --- the client --------------------------------------------------------- */

/* Takes the last port that is free, as those do who do not mind which. */
static int bind_some(struct client *c)
{
	uint64_t length;
	uint32_t count;

	for (c->port = xseg_header(c->xs)->nr_ports; c->port-- > 0;) {
		int rc = xseg_bind(c->xs, c->port, XSEG_BENCH_DEPTH_MAX,
				   (uint64_t)XSEG_BENCH_DEPTH_MAX * BLOCK, "bench client", c->port);

		if (!rc && !xseg_port_slots(c->xs, c->port, &c->first, &count))
			return xseg_port_data(c->xs, c->port, &c->data_at, &length);
		if (rc != -EBUSY && rc != -EAGAIN)
			return rc;
	}
	return -EBUSY;
}

static void prepare(struct client *c, uint32_t op, uint64_t submitted_ns)
{
	size_t named = strlen(c->how->target);

	for (uint32_t i = 0; i < XSEG_BENCH_DEPTH_MAX; i++) {
		struct xseg_request *r = xseg_request(c->xs, c->first + i);

		r->op = op;
		r->flags = 0;
		r->data_at = c->data_at + (uint64_t)i * BLOCK;
		r->data_length = BLOCK;
		r->submitted_ns = submitted_ns;
		r->target_length = named;
		memset(r->target, 0, sizeof(r->target));
		memcpy(r->target, c->how->target, named);
	}
}

static void aim(struct client *c, struct xseg_request *r)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	r->offset = c->random % c->blocks * BLOCK;
	r->length = BLOCK;
}

/* Some answers; what a dead server had comes back by the recovery. */
static int answers(struct client *c, uint32_t *slots)
{
	uint64_t since = now_ns();
	int n;

	while (!(n = take(c->xs, c->port, slots, c->how->spin_ns, xseg_receive))) {
		xseg_heartbeat(c->xs, c->port);
		xseg_recover_dead(c->xs);
		if (now_ns() - since > PATIENCE_NS) {
			fprintf(stderr, "xseg: bench: port %u has not answered for %d s\n",
				c->server, (int)(PATIENCE_NS / 1000000000));
			return -ETIMEDOUT;
		}
	}
	if (n < 0)
		failed("receive");
	for (int i = 0; i < n; i++) {
		int status = xseg_request(c->xs, slots[i])->status;

		if (status) {
			fprintf(stderr, "xseg: bench: port %u, target '%s': %s\n", c->server,
				c->how->target, strerror(status));
			return -status;
		}
	}
	return n;
}

static int submit(struct client *c, const uint32_t *slots, uint32_t n)
{
	int went = xseg_submit(c->xs, c->server, slots, n);

	if (went == (int)n)
		return 0;
	if (went >= 0)
		fprintf(stderr, "xseg: bench: the ring of port %u is full: others use it, too\n",
			c->server);
	else
		failed("submit");
	return -EBUSY;
}

/* The size of the target, of which the answer tells; a server that does nothing does not. */
static int ask_size(struct client *c)
{
	struct xseg_request *r = xseg_request(c->xs, c->first);
	uint32_t slots[XSEG_BENCH_DEPTH_MAX];

	prepare(c, XSEG_OP_INFO, 0);
	r->offset = 0;
	r->length = 0;
	if (submit(c, &c->first, 1) || answers(c, slots) < 0)
		return -1;
	c->blocks = (r->length > SMALLEST ? r->length : SMALLEST) / BLOCK;
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int measure(struct client *c, uint32_t depth)
{
	uint64_t start = now_ns(), t = start, done = 0, kept;
	uint32_t slots[XSEG_BENCH_DEPTH_MAX];

	prepare(c, c->how->write ? XSEG_OP_WRITE : XSEG_OP_READ, t);
	for (uint32_t i = 0; i < depth; i++) {
		slots[i] = c->first + i;
		aim(c, xseg_request(c->xs, slots[i]));
	}
	if (submit(c, slots, depth))
		return XSEG_EXIT_FAILED;
	for (uint32_t out = depth; out;) {
		int n = answers(c, slots);

		if (n < 0)
			return XSEG_EXIT_FAILED;
		t = now_ns();
		for (int i = 0; i < n; i++) {
			struct xseg_request *r = xseg_request(c->xs, slots[i]);

			c->took[done++ % SAMPLES] = t - r->submitted_ns;
			r->submitted_ns = t;
			aim(c, r);
		}
		if (t - start >= c->how->duration_ns)
			out -= n;
		else if (submit(c, slots, n))
			return XSEG_EXIT_FAILED;
	}
	kept = done < SAMPLES ? done : SAMPLES;
	qsort(c->took, kept, sizeof(*c->took), compare);
	printf("%5u %12.0f %8u %8u %8u\n", depth, done * 1e9 / (t - start), c->took[kept / 2],
	       c->took[kept * 99 / 100], c->took[kept * 999 / 1000]);
	return XSEG_EXIT_OK;
}

int xseg_bench(struct xseg *xs, uint32_t server, const struct xseg_bench *how)
{
	static uint32_t took[SAMPLES];
	struct client c = { .xs = xs, .how = how, .server = server, .took = took,
			    .random = now_ns() | 1 };
	int rc = XSEG_EXIT_OK;

	if (bind_some(&c))
		return failed("bind");
	if (ask_size(&c))
		return XSEG_EXIT_FAILED;
	printf("depth  roundtrips/s   p50 ns   p99 ns p99.9 ns\n");
	for (uint32_t i = 0; i < how->nr_depths && !rc; i++)
		rc = measure(&c, how->depths[i]);
	xseg_unbind(xs, c.port);
	return rc;
}

/* --- both ---------------------------------------------------------------- */

static int serve_parent(const char *name, const struct xseg_bench *how)
{
	struct xseg *xs;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return xseg_join(name, &xs) ? failed("join") : xseg_bench_serve(xs, 0, how);
}

static int await(struct xseg *xs)
{
	for (int ms = 0; ms < 2000; ms++) {
		if (xseg_alive(xs, 0))
			return 0;
		usleep(1000);
	}
	fprintf(stderr, "xseg: bench: the server has not bound its port within 2 s\n");
	return -1;
}

int xseg_bench_alone(const struct xseg_bench *how)
{
	struct xseg_params params = { .nr_ports = 2, .ring_size = XSEG_BENCH_DEPTH_MAX,
				      .nr_requests = XSEG_BENCH_DEPTH_MAX, .mode = 0600,
				      .data_bytes = XSEG_BENCH_DEPTH_MAX * BLOCK };
	int rc = XSEG_EXIT_FAILED;
	struct xseg *xs;
	char name[32];
	pid_t server;

	snprintf(name, sizeof(name), "xseg-bench-%d", getpid());
	if (xseg_create(name, &params) || xseg_join(name, &xs)) {
		failed(name);
		xseg_destroy(name);
		return rc;
	}
	fflush(stdout);
	server = fork();
	if (!server)
		_exit(serve_parent(name, how));
	if (server > 0) {
		if (!await(xs))
			rc = xseg_bench(xs, 0, how);
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	xseg_leave(xs);
	xseg_destroy(name);
	return rc;
}
