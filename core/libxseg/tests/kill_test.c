// SPDX-License-Identifier: BSD-2-Clause
/*
 * Clients and servers at full speed, first undisturbed, then killed at random
 * together with whoever recovers them.  Each request carries a number that is never used again and a
 * piece of data; a ledger outside the segment notes who served what.  Nothing
 * may be served twice, answered twice, answered for another, or never.
 */
#include <sys/mman.h>
#include "test.h"

enum { SERVERS = 2, CLIENTS = 3, PORTS = SERVERS + CLIENTS, DEPTH = 8 };
enum { KILLS = SLOWED ? 100 : 1200, PATIENCE_MS = 8000 };

static struct ledger {
	uint64_t next;        /* number of a request */
	uint64_t served[PORTS * DEPTH]; /* last number served in each slot */
	uint64_t answered, died, refused;
	uint32_t stop;        /* 1: no more requests; 2: no more servers */
} *ledger;

static uint64_t mix(uint64_t number)
{
	return (number ^ number >> 31) * 0x9e3779b97f4a7c15;
}

static void bind_patiently(struct xseg *xs, uint32_t port, uint32_t n)
{
	uint64_t until = now_ms() + PATIENCE_MS;
	int rc;

	while ((rc = xseg_bind(xs, port, n, n * 4096, "killed", port)) == -EAGAIN) {
		CHECK(now_ms() < until);
		usleep(200);
	}
	CHECK_EQ(rc, 0);
}

/* Spins a little, then sleeps; 10 ms at most, since those who ring may be dead. */
static void rest(struct xseg *xs, uint32_t port, int (*take)(struct xseg *, uint32_t))
{
	if (below(4))
		return;
	xseg_prepare_wait(xs, port);
	if (take(xs, port))
		xseg_cancel_wait(xs, port);
	else
		CHECK(xseg_wait(xs, port, 10000000) >= 0);
}

/* --- server ------------------------------------------------------------- */

static int serve_some(struct xseg *xs, uint32_t port)
{
	uint32_t slots[DEPTH * CLIENTS];
	int n = xseg_accept(xs, port, slots, 1 + below(DEPTH * CLIENTS));

	CHECK(n >= 0);
	for (int i = 0; i < n; i++) {
		struct xseg_request *r = xseg_request(xs, slots[i]);
		uint64_t *data = (uint64_t *)((char *)xseg_base(xs) + r->data_at);

		CHECK(__atomic_exchange_n(&ledger->served[slots[i]], r->offset,
					  __ATOMIC_SEQ_CST) < r->offset);
		CHECK_EQ(data[0], mix(r->offset));
		data[0] = data[511] = mix(mix(r->offset));
		r->serviced = r->offset;
		r->status = 0;
	}
	if (n)
		CHECK_EQ(xseg_respond(xs, slots, n), n);
	return n;
}

static void server(uint32_t port)
{
	struct xseg *xs = join();

	bind_patiently(xs, port, 0);
	while (__atomic_load_n(&ledger->stop, __ATOMIC_RELAXED) < 2)
		if (!serve_some(xs, port))
			rest(xs, port, serve_some);
	_exit(0);
}

/* --- client ------------------------------------------------------------- */

static uint32_t first, out; /* bit i: slot first + i is on its way */
static uint64_t numbers[DEPTH];

static int receive_some(struct xseg *xs, uint32_t port)
{
	uint32_t slots[DEPTH];
	int n = xseg_receive(xs, port, slots, DEPTH);

	CHECK(n >= 0);
	for (int i = 0; i < n; i++) {
		struct xseg_request *r = xseg_request(xs, slots[i]);
		uint64_t *data = (uint64_t *)((char *)xseg_base(xs) + r->data_at);
		uint32_t mine = slots[i] - first;

		CHECK(mine < DEPTH && out & 1u << mine);
		out &= ~(1u << mine);
		CHECK_EQ(r->offset, numbers[mine]);
		if (r->status) {
			CHECK_EQ(r->status, EOWNERDEAD);
			__atomic_fetch_add(&ledger->died, 1, __ATOMIC_RELAXED);
			continue;
		}
		CHECK_EQ(r->serviced, numbers[mine]);
		CHECK_EQ(ledger->served[slots[i]], numbers[mine]);
		CHECK(data[0] == mix(mix(numbers[mine])) && data[511] == data[0]);
		__atomic_fetch_add(&ledger->answered, 1, __ATOMIC_RELAXED);
	}
	return n;
}

static void submit_some(struct xseg *xs, uint64_t at)
{
	uint32_t slots[DEPTH], n = 0;
	int went;

	for (uint32_t i = 0; i < DEPTH; i++) {
		struct xseg_request *r = xseg_request(xs, first + i);

		if (out & 1u << i || below(3) == 0)
			continue;
		numbers[i] = r->offset = __atomic_add_fetch(&ledger->next, 1, __ATOMIC_SEQ_CST);
		r->data_at = at + i * 4096;
		r->data_length = 4096;
		*(uint64_t *)((char *)xseg_base(xs) + r->data_at) = mix(r->offset);
		slots[n++] = first + i;
	}
	went = xseg_submit(xs, below(SERVERS), slots, n);
	CHECK(went >= 0 || went == -EHOSTDOWN);
	if (went < 0)
		__atomic_fetch_add(&ledger->refused, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < went; i++)
		out |= 1u << (slots[i] - first);
}

static void client(uint32_t port)
{
	struct xseg *xs = join();
	uint64_t at, length, heard = now_ms();
	uint32_t count;

	bind_patiently(xs, port, DEPTH);
	CHECK_EQ(xseg_port_slots(xs, port, &first, &count), 0);
	CHECK_EQ(xseg_port_data(xs, port, &at, &length), 0);
	for (;;) {
		int stop = __atomic_load_n(&ledger->stop, __ATOMIC_RELAXED);

		if (stop && !out)
			break;
		if (!stop)
			submit_some(xs, at);
		if (receive_some(xs, port))
			heard = now_ms();
		else
			rest(xs, port, receive_some);
		CHECK(!out || now_ms() < heard + PATIENCE_MS);
	}
	CHECK_EQ(xseg_unbind(xs, port), 0);
	_exit(0);
}

/* --- killer ------------------------------------------------------------- */

static pid_t start(uint32_t port)
{
	uint64_t seed = rnd();
	pid_t child = fork();

	if (child)
		return child;
	test_random = seed;
	if (port < SERVERS)
		server(port);
	client(port);
	_exit(1);
}

static void kill_hard(pid_t child)
{
	int status;

	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
}

/* Kills some that recover port, at once or soon. */
static void kill_recoverers(uint32_t port)
{
	for (uint32_t n = below(3); n; n--) {
		pid_t child = fork();

		if (!child)
			for (struct xseg *xs = join();;)
				xseg_recover(xs, port);
		usleep(below(1500));
		kill_hard(child);
	}
}

/* --- binders ------------------------------------------------------------ */

/* Takes space again and again, of which there is not enough for all. */
static void binder(uint32_t port)
{
	uint64_t until = now_ms() + 300, at, length;
	struct xseg *xs = join();
	uint32_t count;

	while (now_ms() < until) {
		uint32_t n = 1 + below(DEPTH);
		int rc = xseg_bind(xs, port, n, n * 4096, "binder", port);

		if (rc == -ENOSPC)
			continue;
		CHECK_EQ(rc, 0);
		CHECK_EQ(xseg_port_slots(xs, port, &first, &count), 0);
		CHECK_EQ(xseg_port_data(xs, port, &at, &length), 0);
		CHECK(count == n && length == n * 4096);
		for (uint32_t i = 0; i < n; i++) {
			xseg_request(xs, first + i)->cookie = port;
			*(uint32_t *)((char *)xseg_base(xs) + at + i * 4096) = port;
		}
		for (volatile uint32_t spin = below(8000); spin; spin--)
			; /* time for another to believe that it has the same */
		for (uint32_t i = 0; i < n; i++) {
			CHECK_EQ(xseg_request(xs, first + i)->cookie, port);
			CHECK_EQ(xseg_request(xs, first + i)->src, port);
			CHECK_EQ(*(uint32_t *)((char *)xseg_base(xs) + at + i * 4096), port);
		}
		CHECK_EQ(xseg_unbind(xs, port), 0);
	}
	_exit(0);
}

static void binders(void)
{
	pid_t children[PORTS];

	for (uint32_t port = 0; port < PORTS; port++) {
		rnd();
		children[port] = fork();
		if (!children[port])
			binder(port);
	}
	for (uint32_t port = 0; port < PORTS; port++)
		reap(children[port]);
}

int main(void)
{
	pid_t children[PORTS];
	struct xseg *xs;

	test_begin("kill");
	ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	xs = make(PORTS, DEPTH, CLIENTS * DEPTH, CLIENTS * DEPTH * 4096);
	binders();
	for (uint32_t port = 0; port < PORTS; port++)
		children[port] = start(port);
	usleep(500000);
	CHECK(ledger->answered && !ledger->died);
	for (int i = 0; i < KILLS; i++) {
		uint32_t port = below(PORTS);

		usleep(below(4000));
		kill_hard(children[port]);
		if (!below(4))
			kill_recoverers(port);
		if (below(4)) /* else whoever binds the port recovers it */
			CHECK(xseg_recover(xs, port) >= 0);
		children[port] = start(port);
	}
	usleep(20000);
	for (uint32_t port = 0; port < PORTS; port++)
		CHECK(waitpid(children[port], NULL, WNOHANG) == 0);
	__atomic_store_n(&ledger->stop, 1, __ATOMIC_RELAXED);
	for (uint32_t port = SERVERS; port < PORTS; port++)
		reap(children[port]);
	__atomic_store_n(&ledger->stop, 2, __ATOMIC_RELAXED);
	for (uint32_t port = 0; port < SERVERS; port++) {
		reap(children[port]);
		CHECK(xseg_recover(xs, port) >= 0);
	}
	CHECK_EQ(xseg_verify(xs, stderr), 0);
	printf("  %d killed; %llu answered, %llu failed with EOWNERDEAD, %llu refused\n", KILLS,
	       (unsigned long long)ledger->answered, (unsigned long long)ledger->died,
	       (unsigned long long)ledger->refused);
	CHECK(ledger->answered && ledger->died);
	xseg_leave(xs);
	return test_exit_code;
}
