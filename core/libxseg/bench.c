// SPDX-License-Identifier: BSD-2-Clause
/* Round trips between two processes, through a segment of their own. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tool.h"
#include "xseg.h"

enum { SERVER, CLIENT, BATCH = 64, SAMPLES = 1 << 22 };

typedef int take_fn(struct xseg *xs, uint32_t port, uint32_t *slots, uint32_t max);

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

/* Takes what there is; else spins for spin_ns, then sleeps until there is some. */
static int take(struct xseg *xs, uint32_t port, uint32_t *slots, uint64_t spin_ns, take_fn *from)
{
	for (;;) {
		uint64_t until = now_ns() + spin_ns;
		int n;

		do {
			n = from(xs, port, slots, BATCH);
			if (n)
				return n;
			relax();
		} while (now_ns() < until);
		xseg_prepare_wait(xs, port);
		n = from(xs, port, slots, BATCH);
		if (n) {
			xseg_cancel_wait(xs, port);
			return n;
		}
		xseg_wait(xs, port, 100000000);
	}
}

static int serve(const char *name, uint64_t spin_ns)
{
	uint32_t slots[BATCH];
	struct xseg *xs;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (xseg_join(name, &xs) || xseg_bind(xs, SERVER, 0, 0, "bench server", SERVER))
		return 1;
	for (;;) {
		int n = take(xs, SERVER, slots, spin_ns, xseg_accept);

		for (int i = 0; i < n; i++)
			xseg_request(xs, slots[i])->status = 0;
		xseg_respond(xs, slots, n > 0 ? n : 0);
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void measure(struct xseg *xs, uint32_t depth, uint64_t spin_ns, uint64_t duration_ns,
		    uint32_t *took)
{
	uint64_t start = now_ns(), t = start, done = 0, kept;
	uint32_t slots[BATCH], first, count;

	xseg_port_slots(xs, CLIENT, &first, &count);
	for (uint32_t i = 0; i < depth; i++) {
		slots[i] = first + i;
		xseg_request(xs, slots[i])->submitted_ns = t;
	}
	xseg_submit(xs, SERVER, slots, depth);
	for (uint32_t out = depth; out;) {
		int n = take(xs, CLIENT, slots, spin_ns, xseg_receive);

		t = now_ns();
		for (int i = 0; i < n; i++) {
			struct xseg_request *r = xseg_request(xs, slots[i]);

			took[done++ % SAMPLES] = t - r->submitted_ns;
			r->submitted_ns = t;
		}
		if (t - start < duration_ns)
			xseg_submit(xs, SERVER, slots, n);
		else
			out -= n;
	}
	kept = done < SAMPLES ? done : SAMPLES;
	qsort(took, kept, sizeof(*took), compare);
	printf("%5u %12.0f %8u %8u %8u\n", depth, done * 1e9 / (t - start), took[kept / 2],
	       took[kept * 99 / 100], took[kept * 999 / 1000]);
}

static int run(struct xseg *xs, uint64_t spin_ns, uint64_t duration_ns)
{
	static const uint32_t depths[] = { 1, 16, 64 };
	static uint32_t took[SAMPLES];

	if ( xseg_bind(xs, CLIENT, BATCH, 0, "bench client", CLIENT))
		return XSEG_EXIT_FAILED;
	for (int ms = 0; !xseg_alive(xs, SERVER); ms++) {
		if (ms == 2000)
			return XSEG_EXIT_FAILED;
		usleep(1000);
	}
	printf("two processes, %llu us of spinning before sleep\n"
	       "depth  roundtrips/s   p50 ns   p99 ns p99.9 ns\n",
	       (unsigned long long)spin_ns / 1000);
	for (size_t i = 0; i < sizeof(depths) / sizeof(*depths); i++)
		measure(xs, depths[i], spin_ns, duration_ns, took);
	return XSEG_EXIT_OK;
}

int xseg_bench(uint64_t spin_ns, uint64_t duration_ns)
{
	struct xseg_params params = { 2, BATCH, BATCH, 0600, 0 };
	int rc = XSEG_EXIT_FAILED;
	struct xseg *xs;
	char name[32];
	pid_t server;

	snprintf(name, sizeof(name), "xseg-bench-%d", getpid());
	if (!xseg_create(name, &params) && !xseg_join(name, &xs)) {
		fflush(stdout);
		server = fork();
		if (!server)
			_exit(serve(name, spin_ns));
		if (server > 0) {
			rc = run(xs, spin_ns, duration_ns);
			kill(server, SIGKILL);
			waitpid(server, NULL, 0);
		}
		xseg_leave(xs);
	}
	if (rc)
		fprintf(stderr, "xseg: bench: %s\n", xseg_strerror());
	xseg_destroy(name);
	return rc;
}
