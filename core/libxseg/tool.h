/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef XSEG_TOOL_H
#define XSEG_TOOL_H

#include <stdint.h>

enum {
	XSEG_EXIT_OK = 0,
	XSEG_EXIT_FAILED = 1,
	XSEG_EXIT_USAGE = 2,
	XSEG_EXIT_ABSENT = 3,
	XSEG_EXIT_CONTRADICTIONS = 4,
};

struct xseg;

/* Shows count tables (0: without end), one each interval_ns; 0 or a negative errno. */
int xseg_top(struct xseg *xs, uint64_t interval_ns, uint32_t count);

enum { XSEG_BENCH_DEPTH_MAX = 64, XSEG_BENCH_DEPTHS_MAX = 8 };

struct xseg_bench {
	uint64_t spin_ns;     /* before it sleeps */
	uint64_t duration_ns; /* at each depth, about */
	const char *target;   /* of its requests; "" where the server minds none */
	int write;            /* instead of reads */
	const char *file;     /* that the server reads what it is asked for from, or NULL */
	uint32_t depths[XSEG_BENCH_DEPTHS_MAX], nr_depths; /* each 1..XSEG_BENCH_DEPTH_MAX */
};

/* Sends requests for 4 KiB to port server and shows how many came back, how soon; an exit code. */
int xseg_bench(struct xseg *xs, uint32_t server, const struct xseg_bench *how);

/* The same in a segment of its own, with a process of its own that serves. */
int xseg_bench_alone(const struct xseg_bench *how);

/* Serves port by doing nothing, or reading a file, until the process ends; an exit code where it cannot. */
int xseg_bench_serve(struct xseg *xs, uint32_t port, const struct xseg_bench *how);

#endif
