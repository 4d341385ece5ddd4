// SPDX-License-Identifier: BSD-2-Clause
/*
 * No wake-up is lost: a server and its clients, processes or threads, sleep
 * whenever there is nothing to do, with a timeout that none of them may reach.
 */
#include <pthread.h>
#include <sched.h>
#include "test.h"

enum { SERVER, CLIENTS = 3, BOUNCER, PORTS };
enum { ROUNDS = SLOWED ? 3000 : 40000, DEPTH = 4 };
#define TIMEOUT_NS 10000000000

typedef int take_fn(struct xseg *xs, uint32_t port, uint32_t *slots, uint32_t max);

static struct xseg *shared; /* by threads; each process joins by itself */
static int processes;

static int take(struct xseg *xs, uint32_t port, uint32_t *slots, uint32_t max, take_fn *from)
{
	int n;

	while (!(n = from(xs, port, slots, max))) {
		CHECK_EQ(xseg_prepare_wait(xs, port), 0);
		n = from(xs, port, slots, max);
		if (n) {
			CHECK_EQ(xseg_cancel_wait(xs, port), 0);
			break;
		}
		CHECK_EQ(xseg_wait(xs, port, TIMEOUT_NS), 1);
	}
	CHECK(n > 0);
	return n;
}

static void *serve(void *argument)
{
	struct xseg *xs = processes ? join() : shared;
	uint32_t slots[CLIENTS * DEPTH], last = 0;

	if (processes)
		CHECK_EQ(xseg_bind(xs, SERVER, 0, 0, "server", SERVER), 0);
	test_random = (uintptr_t)argument;
	while (last < CLIENTS) {
		int n = take(xs, SERVER, slots, 1 + below(4), xseg_accept);

		for (int i = 0; i < n; i++) {
			struct xseg_request *r = xseg_request(xs, slots[i]);

			last += r->op;
			r->serviced = ~r->offset;
			r->status = 0;
		}
		CHECK_EQ(xseg_respond(xs, slots, n), n);
	}
	return NULL;
}

static void *ask(void *argument)
{
	uint32_t slots[DEPTH], port = (uintptr_t)argument, count;
	struct xseg *xs = processes ? join() : shared;

	CHECK_EQ(xseg_bind(xs, port, DEPTH, 0, "client", port), 0);
	while (!xseg_alive(xs, SERVER))
		usleep(100);
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t n = 1 + round % DEPTH;

		CHECK_EQ(xseg_port_slots(xs, port, slots, &count), 0);
		for (uint32_t i = 0; i < n; i++) {
			struct xseg_request *r = xseg_request(xs, slots[0] + i);

			slots[i] = slots[0] + i;
			r->offset = (uint64_t)round << 32 | slots[i];
			r->op = round == ROUNDS - 1 && i == n - 1;
		}
		CHECK_EQ(xseg_submit(xs, SERVER, slots, n), n);
		for (uint32_t got = 0; got < n;) {
			int more = take(xs, port, slots, DEPTH, xseg_receive);

			for (int i = 0; i < more; i++)
				CHECK_EQ(xseg_request(xs, slots[i])->serviced,
					 ~((uint64_t)round << 32 | slots[i]));
			got += more;
		}
		CHECK_EQ(xseg_heartbeat(xs, port), 0);
	}
	CHECK_EQ(xseg_unbind(xs, port), 0);
	return NULL;
}

/* Binds and unbinds, and recovers and wakes everyone for no reason. */
static void *bounce(void *argument)
{
	struct xseg *xs = processes ? join() : shared;

	for (int round = 0; round < ROUNDS / 30; round++) {
		CHECK_EQ(xseg_bind(xs, BOUNCER, round % 4, 0, "bouncer", BOUNCER), 0);
		CHECK_EQ(xseg_recover(xs, SERVER) == -EBUSY || !xseg_alive(xs, SERVER), 1);
		CHECK_EQ(xseg_wake(xs, below(PORTS)), 0);
		CHECK_EQ(xseg_unbind(xs, BOUNCER), 0);
		CHECK_EQ(xseg_recover(xs, BOUNCER), 0);
		usleep(200);
	}
	return argument;
}

static void start(pthread_t *thread, pid_t *process, void *(*run)(void *), uintptr_t argument)
{
	if (!processes) {
		CHECK(!pthread_create(thread, NULL, run, (void *)argument));
		return;
	}
	*process = fork();
	if (!*process) {
		run((void *)argument);
		_exit(0);
	}
}

static void run(void)
{
	pthread_t threads[PORTS];
	pid_t children[PORTS];

	if (!processes)
		CHECK_EQ(xseg_bind(shared, SERVER, 0, 0, "server", SERVER), 0);
	start(&threads[0], &children[0], serve, rnd());
	for (uintptr_t port = 1; port <= CLIENTS; port++)
		start(&threads[port], &children[port], ask, port);
	start(&threads[BOUNCER], &children[BOUNCER], bounce, 0);
	for (int i = 0; i < PORTS; i++)
		if (processes)
			reap(children[i]);
		else
			pthread_join(threads[i], NULL);
	CHECK(xseg_recover(shared, SERVER) == (processes ? 0 : -EBUSY));
	CHECK_EQ(xseg_verify(shared, stderr), 0);
}

/*
 * One says that it sleeps, then looks for requests; the other sends one, then
 * looks whether to ring; at the same time, again and again.
 */
static uint32_t turn;

static void *send_each_turn(void *argument)
{
	uint32_t slot = *(uint32_t *)argument;

	for (uint32_t i = 1; i <= ROUNDS; i++) {
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != i)
			if (below(1000) == 0)
				sched_yield();
		CHECK_EQ(xseg_submit(shared, SERVER, &slot, 1), 1);
		while (xseg_receive(shared, 1, &slot, 1) != 1)
			if (below(1000) == 0)
				sched_yield();
	}
	return NULL;
}

static void both_at_once(void)
{
	uint32_t slot, sent, count;
	pthread_t thread;

	CHECK_EQ(xseg_bind(shared, 1, 1, 0, "client", 1), 0);
	CHECK_EQ(xseg_port_slots(shared, 1, &slot, &count), 0);
	sent = slot;
	CHECK(!pthread_create(&thread, NULL, send_each_turn, &sent));
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		__atomic_store_n(&turn, i, __ATOMIC_RELEASE);
		for (volatile uint32_t n = below(200); n; n--)
			;
		xseg_prepare_wait(shared, SERVER);
		while (xseg_accept(shared, SERVER, &slot, 1) != 1) {
			/* the other may still be ringing for the request before: rung for nothing */
			CHECK_EQ(xseg_wait(shared, SERVER, TIMEOUT_NS), 1);
			xseg_prepare_wait(shared, SERVER);
		}
		xseg_cancel_wait(shared, SERVER);
		CHECK_EQ(xseg_respond(shared, &slot, 1), 1);
	}
	pthread_join(thread, NULL);
	CHECK_EQ(xseg_unbind(shared, 1), 0);
}

int main(void)
{
	test_begin("wait");
	shared = make(PORTS, 16, 64, 0);
	run();
	both_at_once();
	CHECK_EQ(xseg_unbind(shared, SERVER), 0);
#ifndef __SANITIZE_THREAD__
	processes = 1;
	run();
#endif
	xseg_leave(shared);
	return test_exit_code;
}
