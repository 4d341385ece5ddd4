// SPDX-License-Identifier: BSD-2-Clause
/* What goes on at each port: rates from the rings' positions, queues, latency. */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"
#include "tool.h"

struct sample {
	uint64_t accepted, answered, timed, timed_ns;
	uint32_t generation;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static struct sample take(const struct xseg_port *p)
{
	return (struct sample){
		.accepted = xs_load(&p->request_head), .answered = xs_load(&p->reply_head),
		.timed = xs_load(&p->timed), .timed_ns = xs_load(&p->timed_ns),
		.generation = xs_load(&p->generation),
	};
}

/* Of the port's own requests: how many are on their way, or being worked on. */
static uint32_t travelling(struct xseg *xs, uint32_t port)
{
	uint32_t first, count, n = 0;

	if (xseg_port_slots(xs, port, &first, &count))
		return 0;
	for (uint32_t i = 0; i < count; i++)
		n += xs_load(&xs_slot(xs, first + i)->state) != XSEG_REQUEST_FREE;
	return n;
}

static void show(struct xseg *xs, uint32_t number, const struct sample *was, double seconds)
{
	struct xseg_port *p = xs_port(xs, number);
	struct sample is = take(p);
	uint64_t queue = xs_load(&p->request_tail) - is.accepted;
	uint64_t timed = is.timed - was->timed;

	if (is.generation != was->generation)
		return; /* of someone new: the next table has it */
	printf("%5u %12.0f %12.0f %7" PRIu64 " %9u ", number,
	       (is.accepted - was->accepted) / seconds, (is.answered - was->answered) / seconds,
	       queue <= xs->h.ring_size ? queue : 0, travelling(xs, number));
	if (timed)
		printf("%11.1f  ", (is.timed_ns - was->timed_ns) / 1e3 / timed);
	else
		printf("%11s  ", "-");
	xs_print_role(p, stdout);
	putchar('\n');
}

int xseg_top(struct xseg *xs, uint64_t interval_ns, uint32_t count)
{
	struct sample *was = calloc(xs->h.nr_ports, sizeof(*was));
	uint64_t since = now_ns();

	if (!was)
		return xs_fail(ENOMEM, "no memory for a table of %u ports", xs->h.nr_ports);
	for (uint32_t i = 0; i < xs->h.nr_ports; i++)
		was[i] = take(xs_port(xs, i));
	for (uint32_t tables = 0; !count || tables < count; tables++) {
		uint64_t now;

		nanosleep(&(struct timespec){ interval_ns / 1000000000, interval_ns % 1000000000 },
			  NULL);
		now = now_ns();
		if (isatty(STDOUT_FILENO))
			printf("\033[H\033[2J");
		printf(" port   accepted/s   answered/s  queued with-others  latency us  role\n");
		for (uint32_t i = 0; i < xs->h.nr_ports; i++) {
			if (xs_load(&xs_port(xs, i)->state) != XSEG_PORT_FREE)
				show(xs, i, &was[i], (now - since) / 1e9);
			was[i] = take(xs_port(xs, i));
		}
		if (fflush(stdout))
			break; /* nobody reads it any more */
		since = now;
	}
	free(was);
	return 0;
}
