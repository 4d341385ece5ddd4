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

/* Measures for about duration_ns at each depth; an exit code. */
int xseg_bench(uint64_t spin_ns, uint64_t duration_ns);

#endif
