// SPDX-License-Identifier: BSD-2-Clause
/*
 * A peer in C: answers each request with the data that it came with, or sends one.
 *
 *   cc -o echo echo.c $(pkg-config --cflags --libs xseg)
 *   echo SEGMENT PORT                    serves PORT until it is told to end
 *   echo SEGMENT PORT SERVER TEXT        as PORT, sends TEXT to SERVER, prints the answer
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "xseg.h"

enum { BATCH = 16, SECOND = 1000000000 };

static volatile sig_atomic_t ending;

static void end(int signal)
{
	(void)signal;
	ending = 1;
}

static int complain(const char *what)
{
	fprintf(stderr, "echo: %s: %s\n", what, xseg_strerror());
	return 1;
}

/*
 * Says that it sleeps, looks once more, and sleeps: who sends something after that
 * look sees that it has to ring.
 */
static int take(struct xseg *xs, uint32_t port, uint32_t *slots,
		int (*from)(struct xseg *, uint32_t, uint32_t *, uint32_t))
{
	int n = from(xs, port, slots, BATCH);

	if (n)
		return n;
	xseg_prepare_wait(xs, port);
	n = from(xs, port, slots, BATCH);
	if (n)
		xseg_cancel_wait(xs, port);
	else
		xseg_wait(xs, port, SECOND);
	return n;
}

/* ----- server: has no requests and no data of its own ----- */

static int serve(struct xseg *xs, uint32_t port)
{
	uint32_t slots[BATCH];
	int n = 0;

	if (xseg_bind(xs, port, 0, 0, "echo", port))
		return complain("bind");
	while (!ending && n >= 0) {
		n = take(xs, port, slots, xseg_accept);
		for (int i = 0; i < n; i++) {
			struct xseg_request *r = xseg_request(xs, slots[i]);

			r->serviced = r->data_length;
			r->status = 0; /* or an errno */
		}
		if (n > 0)
			xseg_respond(xs, slots, n);
		xseg_heartbeat(xs, port);
	}
	if (n < 0)
		return complain("accept");
	return xseg_unbind(xs, port) ? complain("unbind") : 0;
}

/* ----- client: has a request, and a page for its data ----- */

static void fill(struct xseg *xs, struct xseg_request *r, uint64_t at, const char *text)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	r->op = XSEG_OP_PING;
	r->flags = 0;
	r->offset = 0;
	r->length = strlen(text);
	r->data_at = at;
	r->data_length = r->length;
	r->target_length = 0;
	r->submitted_ns = now.tv_sec * 1000000000ULL + now.tv_nsec; /* for xseg top */
	memcpy((char *)xseg_base(xs) + at, text, r->length);
}

static int ask(struct xseg *xs, uint32_t port, uint32_t server, const char *text)
{
	uint32_t slot, count, answers[BATCH];
	struct xseg_request *r;
	uint64_t at, length;
	int n;

	if (xseg_bind(xs, port, 1, strlen(text), "echo client", port))
		return complain("bind");
	xseg_port_slots(xs, port, &slot, &count);
	xseg_port_data(xs, port, &at, &length);
	r = xseg_request(xs, slot);
	fill(xs, r, at, text);
	n = xseg_submit(xs, server, &slot, 1);
	if (n != 1)
		return n ? complain("submit") : !fprintf(stderr, "echo: the ring is full\n");
	while (!(n = take(xs, port, answers, xseg_receive)))
		xseg_recover_dead(xs); /* a dead server's requests come back by this */
	if (n < 0)
		return complain("receive");
	if (r->status) {
		fprintf(stderr, "echo: port %u: %s\n", server, strerror(r->status));
		return 1;
	}
	printf("%.*s\n", (int)strlen(text), (char *)xseg_base(xs) + at);
	return xseg_unbind(xs, port) ? complain("unbind") : 0;
}

int main(int argc, char **argv)
{
	struct xseg *xs;
	int rc;

	if (argc != 3 && argc != 5) {
		fprintf(stderr, "usage: echo SEGMENT PORT [SERVER TEXT]\n");
		return 2;
	}
	signal(SIGTERM, end);
	signal(SIGINT, end);
	if (xseg_join(argv[1], &xs))
		return complain("join");
	rc = argc == 3 ? serve(xs, atoi(argv[2])) : ask(xs, atoi(argv[2]), atoi(argv[3]), argv[4]);
	xseg_leave(xs);
	return rc;
}
