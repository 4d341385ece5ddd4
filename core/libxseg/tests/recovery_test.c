// SPDX-License-Identifier: BSD-2-Clause
/* What a dead process had accepted waits for the parts of it that others still work on. */
#include "test.h"
#include "internal.h"

static uint32_t first_of(struct xseg *xs, uint32_t port)
{
	uint32_t first, count;

	CHECK_EQ(xseg_port_slots(xs, port, &first, &count), 0);
	return first;
}

/*
 * Ports: BLOCKER lives and answers late; CLIENT lives; of each process that is killed
 * here, the first port serves and the second asks.
 */
enum { BLOCKER, CLIENT, SERVER, SERVERS_OWN, OTHER, OTHERS_OWN, LATE_PORTS };

static struct xseg *late; /* handle of BLOCKER and CLIENT, and who looks after the dead */

/* Accepts one at port and, as a part of that, asks to[0..n), one of its slots each. */
static void accept_and_ask(struct xseg *xs, uint32_t port, const uint32_t *to, uint32_t n)
{
	uint32_t slot;

	while (!xseg_accept(xs, port, &slot, 1))
		usleep(100);
	for (uint32_t i = 0; i < n; i++) {
		slot = first_of(xs, port + 1) + i;
		CHECK_EQ(xseg_submit(xs, to[i], &slot, 1), 1);
	}
}

/* A process with ports port and port + 1 that will be as above; n slots. */
static pid_t start_server(uint32_t port, const uint32_t *to, uint32_t n)
{
	pid_t child = fork();
	struct xseg *xs;

	if (!child) {
		xs = join();
		CHECK_EQ(xseg_bind(xs, port + 1, 2, 4096, "server's own", port + 1), 0);
		CHECK_EQ(xseg_bind(xs, port, 0, 0, "server", port + 1), 0);
		accept_and_ask(xs, port, to, n);
		raise(SIGSTOP);
		_exit(1);
	}
	while (!xseg_alive(late, port))
		usleep(100);
	return child;
}

static void ask(uint32_t port)
{
	uint32_t slot = first_of(late, CLIENT);

	CHECK_EQ(xseg_submit(late, port, &slot, 1), 1);
}

/* Once it has accepted and asked. */
static void end(pid_t child)
{
	int status;

	CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, &status, 0), child);
}

static uint32_t accept_at_blocker(void)
{
	uint32_t slot;

	CHECK_EQ(xseg_accept(late, BLOCKER, &slot, 1), 1);
	return slot;
}

static void answer_at_blocker(uint32_t slot)
{
	xseg_request(late, slot)->status = 0;
	CHECK_EQ(xseg_respond(late, &slot, 1), 1);
}

/* CLIENT's request has come back with EOWNERDEAD; or, not yet, is not answered. */
static void expect_failed(int failed)
{
	uint32_t slot;

	CHECK_EQ(xseg_receive(late, CLIENT, &slot, 1), failed);
	if (failed)
		CHECK_EQ(xseg_request(late, slot)->status, EOWNERDEAD);
	CHECK_EQ(xseg_verify(late, stderr), 0);
}

static void expect_free(uint32_t port)
{
	CHECK_EQ(xseg_bind(late, port, 1, 4096, "successor", port), 0);
	CHECK_EQ(xseg_unbind(late, port), 0);
}

/* What it had begun would come after what its sender does again. */
static void answered_after_its_parts(void)
{
	static const uint32_t to[] = { BLOCKER, BLOCKER };
	pid_t child = start_server(SERVER, to, 2);
	uint32_t part;

	ask(SERVER);
	end(child);
	part = accept_at_blocker(); /* the second is called back */
	CHECK_EQ(xseg_recover(late, SERVER), 0);
	CHECK_EQ(xseg_accept(late, BLOCKER, &(uint32_t){ 0 }, 1), 0);
	CHECK_EQ(xseg_recover_dead(late), 0);
	expect_failed(0);
	CHECK_EQ(xseg_bind(late, SERVER, 0, 0, "successor", SERVER), -EAGAIN);
	CHECK_EQ(xseg_bind(late, SERVERS_OWN, 0, 0, "successor", SERVERS_OWN), -EAGAIN);
	expect_failed(0);
	answer_at_blocker(part);
	CHECK_EQ(xseg_recover(late, SERVER), 1);
	expect_failed(1);
	expect_free(SERVER);
	expect_free(SERVERS_OWN);
}

/* Nobody works on a part that nobody had accepted, or whose worker is dead too. */
static void parts_that_nobody_has(void)
{
	static const uint32_t to[] = { BLOCKER, OTHER };
	pid_t other = start_server(OTHER, NULL, 0), child = start_server(SERVER, to, 2);

	ask(SERVER);
	end(child);
	end(other);
	CHECK(xseg_recover(late, SERVER) > 0);
	expect_failed(1);
	for (uint32_t port = SERVER; port < LATE_PORTS; port++)
		expect_free(port);
}

/* Two dead ones have requests of each other, which holds up neither. */
static void parts_in_a_circle(int one_is_with_the_living)
{
	static const uint32_t to_other[] = { OTHER }, back[] = { SERVER, BLOCKER };
	pid_t other = start_server(OTHER, back, 1 + one_is_with_the_living);
	pid_t child = fork();
	uint32_t part = 0;

	if (!child) {
		struct xseg *xs = join();

		CHECK_EQ(xseg_bind(xs, SERVERS_OWN, 2, 4096, "server's own", SERVERS_OWN), 0);
		CHECK_EQ(xseg_bind(xs, SERVER, 0, 0, "server", SERVERS_OWN), 0);
		accept_and_ask(xs, SERVER, to_other, 1);
		accept_and_ask(xs, SERVER, NULL, 0);
		raise(SIGSTOP);
		_exit(1);
	}
	while (!xseg_alive(late, SERVER))
		usleep(100);
	ask(SERVER);
	end(child);
	end(other);
	if (one_is_with_the_living) {
		part = accept_at_blocker();
		CHECK_EQ(xseg_recover(late, SERVER), 0);
		CHECK_EQ(xseg_recover(late, OTHER), 0);
		expect_failed(0);
		for (uint32_t port = SERVER; port < LATE_PORTS; port++)
			CHECK_EQ(xseg_bind(late, port, 0, 0, "successor", port), -EAGAIN);
		answer_at_blocker(part);
	}
	CHECK_EQ(xseg_recover(late, SERVER), 3); /* the client's and one of each */
	expect_failed(1);
	for (uint32_t port = SERVER; port < LATE_PORTS; port++)
		expect_free(port);
}

/* A part may use the data of the request that it is of: nobody may have that yet. */
static void data_of_a_dead_sender(void)
{
	static const uint32_t to_server[] = { SERVER }, to_blocker[] = { BLOCKER };
	pid_t server = start_server(SERVER, to_blocker, 1), sender = start_server(OTHER, to_server, 1);
	uint32_t part;

	ask(OTHER); /* so that the sender sends */
	end(sender);
	end(server);
	part = accept_at_blocker();
	CHECK_EQ(xseg_recover(late, OTHER), 0);
	expect_failed(0);
	CHECK_EQ(xseg_bind(late, OTHERS_OWN, 2, 4096, "successor", OTHERS_OWN), -EAGAIN);
	answer_at_blocker(part);
	CHECK_EQ(xseg_recover_dead(late), 2);
	expect_failed(1);
	for (uint32_t port = SERVER; port < LATE_PORTS; port++)
		expect_free(port);
}

/* Unbinding is no death: the owner answers first, or leaves it to whoever recovers. */
static void unbound_before_its_parts(void)
{
	static const uint32_t to[] = { BLOCKER };
	struct xseg *xs = join();
	uint32_t part;

	CHECK_EQ(xseg_bind(xs, SERVERS_OWN, 1, 0, "server's own", SERVERS_OWN), 0);
	CHECK_EQ(xseg_bind(xs, SERVER, 0, 0, "server", SERVERS_OWN), 0);
	ask(SERVER);
	accept_and_ask(xs, SERVER, to, 1);
	part = accept_at_blocker();
	CHECK_EQ(xseg_unbind(xs, SERVER), -EAGAIN);
	CHECK_EQ(xseg_unbind(xs, SERVERS_OWN), -EAGAIN);
	xseg_leave(xs);
	CHECK_EQ(xseg_recover(late, SERVER), 0);
	expect_failed(0);
	answer_at_blocker(part);
	CHECK_EQ(xseg_recover(late, SERVER), 1);
	expect_failed(1);
}

int main(void)
{
	struct xseg_params params = { LATE_PORTS, 8, 32, 0600, 16 * 4096 };

	test_begin("recovery");
	CHECK_EQ(xseg_create(test_segment, &params), 0);
	late = join();
	CHECK_EQ(xseg_bind(late, BLOCKER, 0, 0, "blocker", BLOCKER), 0);
	CHECK_EQ(xseg_bind(late, CLIENT, 4, 0, "client", CLIENT), 0);
	answered_after_its_parts();
	parts_that_nobody_has();
	parts_in_a_circle(0);
	parts_in_a_circle(1);
	data_of_a_dead_sender();
	unbound_before_its_parts();
	CHECK_EQ(xseg_destroy(test_segment), 0);
	xseg_leave(late);
	return test_exit_code;
}
