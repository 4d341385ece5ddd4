// SPDX-License-Identifier: BSD-2-Clause
/* What each function of ports and requests promises, one at a time. */
#define _GNU_SOURCE
#include <glob.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include "test.h"
#include "internal.h"

static uint32_t first_of(struct xseg *xs, uint32_t port)
{
	uint32_t first, count;

	CHECK_EQ(xseg_port_slots(xs, port, &first, &count), 0);
	return first;
}

static void space(struct xseg *xs)
{
	uint64_t at, length, other;
	uint32_t count, first;

	CHECK_EQ(xseg_bind(xs, 0, 9, 0, "r", 0), -EINVAL);
	CHECK_EQ(xseg_bind(xs, 4, 0, 0, "r", 0), -EINVAL);
	CHECK_EQ(xseg_bind(xs, 0, 0, 0, "r", 4), -EINVAL);
	CHECK_EQ(xseg_bind(xs, 0, 8, 4097, "r", 0), 0);
	CHECK_EQ(xseg_bind(xs, 0, 8, 0, "r", 0), -EBUSY);
	CHECK_EQ(xseg_bind(xs, 1, 8, 4096, "r", 0), 0);
	CHECK_EQ(xseg_bind(xs, 2, 1, 0, "r", 0), -ENOSPC);
	CHECK_EQ(xseg_bind(xs, 2, 0, 4097, "r", 0), -ENOSPC);
	CHECK_EQ(xseg_bind(xs, 2, 0, 4096, "r", 0), 0);
	CHECK_EQ(xseg_port_slots(xs, 1, &first, &count), 0);
	CHECK_EQ(first, 8);
	CHECK_EQ(count, 8);
	CHECK_EQ(xseg_port_data(xs, 0, &at, &length), 0);
	CHECK_EQ(length, 8192);
	CHECK_EQ(xseg_port_data(xs, 1, &other, &length), 0);
	CHECK_EQ(other, at + 8192);
	CHECK_EQ(xseg_port_data(xs, 3, &at, &length), -EINVAL);
	CHECK_EQ(xseg_unbind(xs, 3), -EPERM);
	/* The hole is found again. */
	CHECK_EQ(xseg_unbind(xs, 0), 0);
	CHECK_EQ(xseg_bind(xs, 3, 3, 8192, "r", 3), 0);
	CHECK_EQ(first_of(xs, 3), 0);
	CHECK_EQ(xseg_verify(xs, stderr), 0);
	for (uint32_t port = 1; port < 4; port++)
		CHECK_EQ(xseg_unbind(xs, port), 0);
}

/* Ports: 0 serves, 1 asks; both here. */
static void travel(struct xseg *xs)
{
	uint32_t slots[16], first, out[16];
	struct xseg_request *r;

	CHECK_EQ(xseg_bind(xs, 1, 8, 0, "client", 1), 0);
	first = first_of(xs, 1);
	slots[0] = first;
	CHECK_EQ(xseg_submit(xs, 0, slots, 1), -EHOSTDOWN);
	CHECK_EQ(xseg_submit(xs, 9, slots, 1), -EINVAL);
	CHECK_EQ(xseg_bind(xs, 0, 0, 0, "server", 0), 0);
	CHECK_EQ(xseg_accept(xs, 0, out, 16), 0);
	CHECK_EQ(xseg_accept(xs, 2, out, 16), -EPERM);
	CHECK_EQ(xseg_receive(xs, 7, out, 16), -EINVAL);

	for (int i = 0; i < 8; i++)
		slots[i] = first + i;
	slots[3] = 99; /* no slot of port 1 */
	CHECK_EQ(xseg_submit(xs, 0, slots, 8), 3);
	CHECK_EQ(xseg_submit(xs, 0, slots, 1), -EINVAL); /* on its way already */
	CHECK_EQ(xseg_unbind(xs, 1), 0); /* calls them back */
	CHECK_EQ(xseg_bind(xs, 1, 8, 0, "client", 1), 0);
	CHECK_EQ(xseg_accept(xs, 0, out, 16), 0); /* stale entries lead nowhere */

	slots[3] = first + 3;
	CHECK_EQ(xseg_submit(xs, 0, slots, 8), 8);
	CHECK_EQ(xseg_accept(xs, 0, out, 3), 3);
	CHECK_EQ(xseg_unbind(xs, 1), -EAGAIN);
	CHECK_EQ(xseg_accept(xs, 0, out + 3, 16), 0); /* the rest was called back */
	for (int i = 0; i < 3; i++)
		xseg_request(xs, out[i])->status = i;
	CHECK_EQ(xseg_respond(xs, out, 3), 3);
	CHECK_EQ(xseg_respond(xs, out, 3), 0); /* not twice */
	CHECK_EQ(xseg_receive(xs, 1, slots, 2), 2);
	CHECK_EQ(xseg_request(xs, slots[1])->status, 1);
	CHECK_EQ(xseg_receive(xs, 1, slots, 16), 1);
	CHECK_EQ(xseg_receive(xs, 1, slots, 16), 0);

	/* What would lead outside the segment comes back at once. */
	slots[0] = first;
	r = xseg_request(xs, first);
	r->data_at = xseg_size(xs);
	for (uint64_t length = 0; length < 2; length++) {
		r->data_length = length;
		CHECK_EQ(xseg_submit(xs, 0, slots, 1), 1);
		CHECK_EQ(xseg_accept(xs, 0, out, 16), 1 - length);
		if (!length) {
			r->status = 0;
			CHECK_EQ(xseg_respond(xs, out, 1), 1);
		}
		CHECK_EQ(xseg_receive(xs, 1, slots, 16), 1);
		CHECK_EQ(r->status, length ? EINVAL : 0);
	}
	r->data_at = xseg_header(xs)->data_at;
	r->data_length = UINT64_MAX - r->data_at + 1;
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(xseg_submit(xs, 0, slots, 1), 1);
		CHECK_EQ(xseg_accept(xs, 0, out, 16), 0);
		CHECK_EQ(xseg_receive(xs, 1, slots, 16), 1);
		CHECK_EQ(r->status, EINVAL);
		r->data_at = 4096; /* not among the data */
		r->data_length = 1;
	}
	r->data_length = 0;
	CHECK_EQ(xseg_verify(xs, stderr), 0);

	/* Unbinding answers what was not. */
	CHECK_EQ(xseg_submit(xs, 0, slots, 1), 1);
	CHECK_EQ(xseg_unbind(xs, 0), 0);
	CHECK_EQ(xseg_receive(xs, 1, slots, 16), 1);
	CHECK_EQ(r->status, EOWNERDEAD);
	CHECK_EQ(xseg_unbind(xs, 1), 0);
	CHECK_EQ(xseg_verify(xs, stderr), 0);
}

/* A ring that others fill does not stop answers from arriving. */
static void spoilt_ring(struct xseg *xs)
{
	struct xseg_port *port = xs_port(xs, 1);
	__u64 *replies = (__u64 *)(port + 1) + xseg_header(xs)->ring_size;
	uint32_t slots[8], out[8];

	CHECK_EQ(xseg_bind(xs, 0, 0, 0, "server", 0), 0);
	CHECK_EQ(xseg_bind(xs, 1, 4, 0, "client", 1), 0);
	for (int i = 0; i < 4; i++)
		slots[i] = first_of(xs, 1) + i;
	CHECK_EQ(xseg_submit(xs, 0, slots, 4), 4);
	CHECK_EQ(xseg_accept(xs, 0, out, 8), 4);
	for (int i = 0; i < 8; i++)
		replies[i] = 77ULL << 32;
	port->reply_tail = 5 + (80 << 3);
	for (int i = 0; i < 4; i++)
		xseg_request(xs, out[i])->status = 0;
	CHECK_EQ(xseg_respond(xs, out, 4), 4);
	CHECK(xseg_verify(xs, NULL) > 0);
	CHECK_EQ(xseg_receive(xs, 1, out, 3), 3);
	CHECK_EQ(xseg_receive(xs, 1, out, 8), 1);
	CHECK_EQ(xseg_unbind(xs, 1), 0);
	CHECK_EQ(xseg_unbind(xs, 0), 0);
	CHECK_EQ(xseg_verify(xs, stderr), 0); /* mended */
}

/* Of a port that another handle left behind. */
static void left(struct xseg *xs)
{
	struct xseg *other = join();
	uint32_t slots[8], out[8];

	CHECK_EQ(xseg_bind(other, 0, 2, 0, "server", 0), 0);
	CHECK_EQ(xseg_bind(xs, 1, 4, 0, "client", 1), 0);
	CHECK_EQ(xseg_bind(xs, 2, 1, 0, "third", 2), 0);
	CHECK_EQ(xseg_alive(xs, 0), 1);
	CHECK_EQ(xseg_recover(xs, 0), -EBUSY);
	CHECK_EQ(xseg_accept(xs, 0, out, 8), -EPERM);
	for (int i = 0; i < 4; i++)
		slots[i] = first_of(xs, 1) + i;
	CHECK_EQ(xseg_submit(xs, 0, slots, 4), 4);
	CHECK_EQ(xseg_accept(other, 0, out, 2), 2);
	slots[4] = first_of(xs, 0);
	CHECK_EQ(xseg_submit(other, 2, slots + 4, 1), 1);
	CHECK_EQ(xseg_accept(xs, 2, out, 8), 1); /* out[0]: the server's own */
	xseg_leave(other);
	CHECK_EQ(xseg_alive(xs, 0), 0);
	CHECK_EQ(xseg_submit(xs, 0, slots, 1), -EHOSTDOWN);
	/* What it had not accepted; its own request, in our hands, may be of the rest. */
	CHECK_EQ(xseg_recover(xs, 0), 2);
	CHECK_EQ(xseg_recover(xs, 0), 0);
	CHECK_EQ(xseg_receive(xs, 1, slots, 8), 2);
	CHECK_EQ(xseg_bind(xs, 0, 1, 0, "server", 0), -EAGAIN);
	CHECK_EQ(xseg_verify(xs, stderr), 0);
	xseg_request(xs, out[0])->status = 0;
	CHECK_EQ(xseg_respond(xs, out, 1), 1);
	CHECK_EQ(xseg_bind(xs, 0, 1, 0, "server", 0), 0);
	CHECK_EQ(xseg_receive(xs, 1, slots + 2, 8), 2);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(xseg_request(xs, slots[i])->status, EOWNERDEAD);
	for (uint32_t port = 0; port < 3; port++)
		CHECK_EQ(xseg_unbind(xs, port), 0);
	CHECK_EQ(xseg_verify(xs, stderr), 0);
}

static int bells_there(void)
{
	char pattern[128];
	glob_t found;
	int n;

	snprintf(pattern, sizeof(pattern), "/dev/shm/%s.bell.*", test_segment);
	n = glob(pattern, 0, NULL, &found) ? 0 : found.gl_pathc;
	if (n)
		globfree(&found);
	return n;
}

/* An owner that sleeps in poll() is rung through a FIFO or an eventfd. */
static void bell_fd(struct xseg *xs, struct xseg *ringer)
{
	struct pollfd poll_fd = { .events = POLLIN };
	char sink[96];

	CHECK_EQ(xseg_bell_fd(xs, 2), -EPERM);
	CHECK_EQ(xseg_bind(xs, 2, 0, 0, "sleeper", 2), 0);
	for (int round = 0; round < 2; round++) {
		poll_fd.fd = xseg_bell_fd(xs, 2);
		CHECK(poll_fd.fd >= 0);
		CHECK_EQ(xseg_wake(ringer, 2), 0);
		CHECK_EQ(poll(&poll_fd, 1, 0), 0); /* awake: not rung */
		CHECK_EQ(xseg_prepare_wait(xs, 2), 0);
		CHECK_EQ(poll(&poll_fd, 1, 0), 0);
		CHECK_EQ(xseg_wake(ringer, 2), 0);
		CHECK_EQ(poll(&poll_fd, 1, 0), 1);
		CHECK_EQ(xseg_cancel_wait(xs, 2), 0);
		CHECK(read(poll_fd.fd, sink, sizeof(sink)) > 0);
		CHECK_EQ(poll(&poll_fd, 1, 0), 0);
	}
	CHECK_EQ(xseg_unbind(xs, 2), 0);
	CHECK_EQ(bells_there(), 0);
}

/* A killed owner's FIFO does not stay for ever. */
static void orphaned_bell(struct xseg *xs)
{
	for (int round = 0; round < 2; round++) {
		pid_t child = fork();

		if (!child) {
			xs = join();
			CHECK_EQ(xseg_bind(xs, 3, 0, 0, "sleeper", 3), 0);
			CHECK(xseg_bell_fd(xs, 3) >= 0);
			_exit(0);
		}
		reap(child);
		CHECK_EQ(bells_there(), 1);
		if (!round)
			CHECK_EQ(xseg_recover(xs, 3), 0);
		else
			CHECK_EQ(xseg_destroy(test_segment), 0);
		CHECK_EQ(bells_there(), 0);
	}
}

/* Who still uses a segment that was removed rings, and removes, its own bells. */
static void bell_of_another_life(void)
{
	struct xseg *old = make(4, 8, 16, 4096), *new, *other;
	struct pollfd poll_fd = { .events = POLLIN };

	CHECK_EQ(xseg_bind(old, 3, 0, 0, "old", 3), 0);
	CHECK(xseg_bell_fd(old, 3) >= 0);
	CHECK_EQ(xseg_destroy(test_segment), 0);
	CHECK_EQ(bells_there(), 1); /* in use */
	new = make(4, 8, 16, 4096);
	CHECK_EQ(xseg_bind(new, 3, 0, 0, "new", 3), 0);
	poll_fd.fd = xseg_bell_fd(new, 3);
	xseg_leave(old);
	CHECK_EQ(bells_there(), 1);
	other = join();
	CHECK_EQ(xseg_prepare_wait(new, 3), 0);
	CHECK_EQ(xseg_wake(other, 3), 0);
	CHECK_EQ(poll(&poll_fd, 1, 0), 1);
	CHECK_EQ(xseg_destroy(test_segment), 0);
	xseg_leave(new);
	xseg_leave(other);
	CHECK_EQ(bells_there(), 0);
}

/* --- what the dead leave behind ----------------------------------------- */

static void make_small(void)
{
	struct xseg_params params = { 4, 8, 16, 0600, 4 * 4096 };

	CHECK_EQ(xseg_create(test_segment, &params), 0);
}

static void killed(void (*doing)(struct xseg *))
{
	pid_t child = fork();
	int status;

	if (!child) {
		doing(join());
		raise(SIGKILL);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void take_all_space(struct xseg *xs)
{
	CHECK_EQ(xseg_bind(xs, 3, 0, 0, "bell", 3), 0);
	CHECK_EQ(xseg_bind(xs, 2, 8, 4096, "a", 3), 0);
	CHECK_EQ(xseg_bind(xs, 1, 8, 3 * 4096, "b", 3), 0);
}

static void serve_myself(struct xseg *xs)
{
	uint32_t slot, out;

	CHECK_EQ(xseg_bind(xs, 0, 0, 0, "server", 0), 0);
	CHECK_EQ(xseg_bind(xs, 1, 8, 4096, "client", 1), 0);
	slot = first_of(xs, 1);
	CHECK_EQ(xseg_submit(xs, 0, &slot, 1), 1);
	CHECK_EQ(xseg_accept(xs, 0, &out, 1), 1);
}

/* All that dead processes had is free for whoever binds, in any order. */
static void estate(void)
{
	struct xseg *xs;

	make_small();
	xs = join();
	killed(take_all_space);
	CHECK_EQ(xseg_bind(xs, 3, 0, 0, "bell", 3), 0);
	CHECK_EQ(xseg_bind(xs, 2, 8, 3 * 4096, "b", 3), 0);
	CHECK_EQ(xseg_unbind(xs, 2), 0);
	CHECK_EQ(xseg_unbind(xs, 3), 0);

	killed(serve_myself); /* each of its ports has the other's request */
	CHECK_EQ(xseg_bind(xs, 1, 8, 4096, "client", 1), 0);
	CHECK_EQ(xseg_unbind(xs, 1), 0);
	killed(serve_myself);
	CHECK_EQ(xseg_recover(xs, 1), 1);
	CHECK_EQ(xseg_verify(xs, stderr), 0);
	killed(serve_myself);
	CHECK_EQ(xseg_recover_dead(xs), 1);
	CHECK_EQ(xseg_recover_dead(xs), 0);
	CHECK_EQ(xseg_verify(xs, stderr), 0);
	CHECK_EQ(xseg_destroy(test_segment), 0);
	xseg_leave(xs);
}

static void be_stepped(void)
{
	struct xseg *xs = join();
	uint32_t slots[8];

	CHECK_EQ(xseg_bind(xs, 1, 4, 0, "victim", 1), 0);
	for (int i = 0; i < 4; i++)
		slots[i] = first_of(xs, 1) + i;
	CHECK_EQ(xseg_submit(xs, 0, slots, 4), 4);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(77);
	raise(SIGSTOP);
	xseg_receive(xs, 1, slots, 8);
	_exit(1);
}

/*
 * An owner is killed when it has taken all answers and not yet moved the head.
 * Its successor may look at that word alone to see whether there are answers.
 */
static void lagging_head(void)
{
	struct xseg_port *port;
	uint32_t out[8];
	struct xseg *xs;
	int status, n;
	pid_t child;
	__u64 *last;

	make_small();
	xs = join();
	CHECK_EQ(xseg_bind(xs, 0, 0, 0, "server", 0), 0);
	child = fork();
	if (!child)
		be_stepped();
	CHECK_EQ(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		test_lacks("ptrace, to stop a process between two instructions");
		return;
	}
	n = xseg_accept(xs, 0, out, 8);
	CHECK_EQ(n, 4);
	CHECK_EQ(xseg_respond(xs, out, n), n);
	port = xs_port(xs, 1);
	last = (__u64 *)(port + 1) + xseg_header(xs)->ring_size + n - 1;
	while (xs_load(last) >> 32 == 0) {
		CHECK(!ptrace(PTRACE_SINGLESTEP, child, NULL, NULL));
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(WIFSTOPPED(status));
	}
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(xs_load(&port->reply_head) != xs_load(&port->reply_tail));
	CHECK_EQ(xseg_bind(xs, 1, 4, 0, "successor", 1), 0);
	CHECK_EQ(xs_load(&port->reply_head), xs_load(&port->reply_tail));
	CHECK_EQ(xseg_destroy(test_segment), 0);
	xseg_leave(xs);
}

/* One that is stopped with the lock holds up only those who want to wait. */
static void stopped_with_lock(void)
{
	uint32_t holder;
	struct xseg *xs;
	uint64_t start;
	pid_t child;
	int status;

	make_small();
	xs = join();
	child = fork();
	if (!child) {
		CHECK_EQ(xs_lock(join()), 0);
		raise(SIGSTOP);
		_exit(1);
	}
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	start = now_ms();
	CHECK_EQ(xseg_try_recover(xs, 0), -EAGAIN);
	CHECK(strstr(xseg_strerror(), "stopped"));
	CHECK_EQ(xseg_lock_holder(xs, &holder), 1);
	CHECK_EQ(holder, child);
	CHECK_EQ(xseg_recover_dead(xs), 0); /* nobody is: no lock is needed */
	CHECK(now_ms() < start + 1000);
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(xseg_lock_holder(xs, &holder), 0);
	CHECK_EQ(xseg_try_recover(xs, 0), 0);
	CHECK_EQ(xs_lock(xs), 0);
	CHECK_EQ(xseg_lock_holder(xs, &holder), 0); /* by another, it says */
	xs_unlock(xs);
	CHECK_EQ(xseg_destroy(test_segment), 0);
	xseg_leave(xs);
}

/* Each entry of a mended ring is one that no producer has seen there before. */
static void mended_ring(void)
{
	struct xs_ring ring;
	uint32_t slot, out;
	struct xseg *xs;

	make_small();
	xs = join();
	ring = xs_request_ring(xs, xs_port(xs, 0));
	CHECK_EQ(xseg_bind(xs, 1, 1, 0, "client", 1), 0);
	slot = first_of(xs, 1);
	for (int life = 0; life < 3; life++) {
		__u64 tail, words[8];

		CHECK_EQ(xseg_bind(xs, 0, 0, 0, "server", 0), 0);
		for (int i = 0; i < 21; i++) {
			CHECK_EQ(xseg_submit(xs, 0, &slot, 1), 1);
			CHECK_EQ(xseg_accept(xs, 0, &out, 1), 1);
			CHECK_EQ(xseg_respond(xs, &out, 1), 1);
			CHECK_EQ(xseg_receive(xs, 1, &out, 1), 1);
		}
		tail = xs_load(ring.tail); /* as a producer sees them that is then stopped */
		memcpy(words, ring.words, sizeof(words));
		ring.words[6] = 99;
		CHECK_EQ(xseg_unbind(xs, 0), 0);
		CHECK(!xs_ring_trouble(&ring, 16));
		CHECK_EQ(xseg_bind(xs, 0, 0, 0, "server", 0), 0);
		for (int i = 0; i < 40; i++) {
			CHECK(!xs_cas(ring.tail, tail, tail + 1));
			CHECK(!xs_cas(ring.tail, tail - 1, tail));
			for (int k = 0; k < 8; k++)
				CHECK(xs_load(&ring.words[k]) != words[k]);
			CHECK_EQ(xseg_submit(xs, 0, &slot, 1), 1);
			CHECK_EQ(xseg_accept(xs, 0, &out, 1), 1);
			CHECK_EQ(xseg_respond(xs, &out, 1), 1);
			CHECK_EQ(xseg_receive(xs, 1, &out, 1), 1);
		}
		CHECK_EQ(xseg_unbind(xs, 0), 0);
	}
	CHECK_EQ(xseg_verify(xs, stderr), 0);
	CHECK_EQ(xseg_destroy(test_segment), 0);
	xseg_leave(xs);
}

/* What contradicts itself, where an owner lives, is mended by what is around it. */
static void mended_segment(void)
{
	struct xseg_request *r;
	uint32_t slot, out;
	struct xseg *xs;
	int again;

	make_small();
	xs = join();
	CHECK_EQ(xseg_bind(xs, 0, 0, 0, "server", 0), 0);
	CHECK_EQ(xseg_bind(xs, 1, 1, 0, "client", 1), 0);
	slot = first_of(xs, 1);
	r = xseg_request(xs, slot);
	CHECK_EQ(xseg_mend(xs, NULL), 0);

	xs_store(&r->hand, XSEG_REQUEST_SUBMITTED); /* and not published */
	xs_store(&xseg_request(xs, 9)->hand, XSEG_REQUEST_DONE); /* and nobody's */
	xs_store(&xs_port(xs, 1)->bell, 99);
	xs_port(xs, 2)->request_tail = 77;
	CHECK_EQ(xseg_mend(xs, NULL), 4);
	CHECK_EQ(xseg_verify(xs, stderr), 0);
	CHECK_EQ(xseg_accept(xs, 0, &out, 1), 1);
	xs_store(&r->src, 3);
	CHECK_EQ(xseg_mend(xs, NULL), 1); /* the server still has it */
	r->status = 0;
	CHECK_EQ(xseg_respond(xs, &out, 1), 1);
	CHECK_EQ(xseg_receive(xs, 1, &out, 1), 1);
	CHECK_EQ(r->status, 0);

	for (again = 0; again < 3; again++) { /* lost: nowhere, to nobody, on the way back */
		static const uint64_t hands[] = { 77ULL << 32 | XSEG_REQUEST_ACCEPTED,
						  3ULL << 32 | XSEG_REQUEST_SUBMITTED,
						  0ULL << 32 | XSEG_REQUEST_FAILING };

		xs_store(&r->hand, hands[again]);
		CHECK_EQ(xseg_mend(xs, NULL), 1);
		CHECK_EQ(xseg_receive(xs, 1, &out, 1), 1);
		CHECK_EQ(r->status, EOWNERDEAD);
	}
	CHECK_EQ(xseg_unbind(xs, 0), 0);
	CHECK_EQ(xseg_unbind(xs, 1), 0);
	CHECK_EQ(xseg_verify(xs, stderr), 0);
	CHECK_EQ(xseg_destroy(test_segment), 0);
	xseg_leave(xs);
}

/* xseg top has its latencies from what the owner times, and from that alone. */
static void timed_requests(void)
{
	struct xseg_port *port;
	uint32_t slot, out;
	struct xseg *xs;

	make_small();
	xs = join();
	CHECK_EQ(xseg_bind(xs, 0, 0, 0, "server", 0), 0);
	CHECK_EQ(xseg_bind(xs, 1, 1, 0, "client", 1), 0);
	port = xs_port(xs, 1);
	slot = first_of(xs, 1);
	for (int i = 0; i < 10; i++) {
		struct timespec now;

		clock_gettime(CLOCK_MONOTONIC, &now);
		xseg_request(xs, slot)->submitted_ns =
			i % 2 ? now.tv_sec * 1000000000ULL + now.tv_nsec : 0;
		CHECK_EQ(xseg_submit(xs, 0, &slot, 1), 1);
		CHECK_EQ(xseg_accept(xs, 0, &out, 1), 1);
		usleep(2000);
		CHECK_EQ(xseg_respond(xs, &out, 1), 1);
		CHECK_EQ(xseg_receive(xs, 1, &out, 1), 1);
	}
	CHECK_EQ(port->timed, 5);
	CHECK(port->timed_ns >= 5 * 2000000 && port->timed_ns < 5000000000);
	CHECK_EQ(xseg_destroy(test_segment), 0);
	xseg_leave(xs);
}

/* --- answered, or failed, by two threads at once -------------------------- */

enum { RACES = SLOWED ? 500 : 3000, RACED = 8 };

static struct {
	struct xseg *xs;
	pthread_barrier_t barrier;
	uint32_t slots[RACED];
	int n, pause;
} race;

static void *answer_each(void *argument)
{
	for (int i = 0; i < RACES; i++) {
		pthread_barrier_wait(&race.barrier);
		for (volatile int n = race.pause; n; n--)
			;
		for (int k = 0; k < race.n; k++)
			xseg_respond(race.xs, race.slots + k, 1);
		pthread_barrier_wait(&race.barrier);
	}
	return argument;
}

static int expect_whole_answers(struct xseg *xs)
{
	int died = 0;

	for (int left = RACED; left; left--) {
		struct xseg_request *r;
		uint32_t slot;

		CHECK_EQ(xseg_receive(xs, 1, &slot, 1), 1);
		r = xseg_request(xs, slot);
		CHECK_EQ(r->serviced, r->status ? 0 : 77);
		CHECK(!r->status || r->status == EOWNERDEAD);
		died += !!r->status;
	}
	return died;
}

static void unbound_while_answering(void)
{
	uint32_t slots[RACED];
	int died = 0, window = 40000;
	pthread_t thread;
	struct xseg *xs;

	make_small();
	race.xs = xs = join();
	CHECK_EQ(xseg_bind(xs, 1, RACED, 0, "client", 1), 0);
	for (int i = 0; i < RACED; i++)
		slots[i] = first_of(xs, 1) + i;
	pthread_barrier_init(&race.barrier, NULL, 2);
	CHECK(!pthread_create(&thread, NULL, answer_each, NULL));
	for (int i = 0; i < RACES; i++) {
		int was = died;

		CHECK_EQ(xseg_bind(xs, 0, 0, 0, "server", 0), 0);
		CHECK_EQ(xseg_submit(xs, 0, slots, RACED), RACED);
		race.n = xseg_accept(xs, 0, race.slots, RACED);
		CHECK_EQ(race.n, RACED);
		for (int k = 0; k < race.n; k++) {
			xseg_request(xs, race.slots[k])->status = 0;
			xseg_request(xs, race.slots[k])->serviced = 77;
		}
		race.pause = below(window + 1);
		pthread_barrier_wait(&race.barrier);
		CHECK_EQ(xseg_unbind(xs, 0), 0);
		pthread_barrier_wait(&race.barrier);
		died += expect_whole_answers(xs);
		/* Seeks the moment at which either may be first. */
		window += died - was > RACED / 2 ? -window / 64 : window / 64 + 1;
	}
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&race.barrier);
	printf("  %d of %d requests failed, the others were answered\n", died, RACES * RACED);
	CHECK_EQ(xseg_destroy(test_segment), 0);
	xseg_leave(xs);
}

/* --- PID namespaces ------------------------------------------------------ */

/* Process 1 of a namespace: binds once it has a /proc of its own, until told to end. */
static void be_contained(int told, int tell)
{
	struct xseg *xs = join();
	char byte = 0;

	CHECK_EQ(xseg_bind(xs, 0, 0, 0, "contained", 0), -EXDEV);
	xseg_leave(xs);
	CHECK(!mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK(!mount("proc", "/proc", "proc", 0, NULL));
	xs = join();
	CHECK_EQ(xseg_bind(xs, 0, 0, 0, "contained", 0), 0);
	CHECK_EQ(write(tell, &byte, 1), 1);
	CHECK_EQ(read(told, &byte, 1), 1);
	CHECK_EQ(xseg_unbind(xs, 0), 0);
	_exit(0);
}

static void in_another_namespace(void)
{
	int to[2], from[2];
	struct xseg *xs;
	pid_t child;
	char byte;

	make_small();
	xs = join();
	CHECK(!pipe(to) && !pipe(from));
	child = fork();
	if (!child) {
		if (unshare(CLONE_NEWPID | CLONE_NEWNS))
			_exit(77);
		child = fork();
		if (!child)
			be_contained(to[0], from[1]);
		reap(child);
		_exit(0);
	}
	close(from[1]);
	if (read(from[0], &byte, 1) == 1) {
		CHECK_EQ(xseg_alive(xs, 0), 1);
		CHECK_EQ(xseg_recover(xs, 0), -EXDEV);
		CHECK_EQ(xseg_bind(xs, 0, 0, 0, "thief", 0), -EXDEV);
		CHECK_EQ(xseg_recover_dead(xs), 0);
		CHECK_EQ(xseg_verify(xs, stderr), 0);
		CHECK_EQ(write(to[1], &byte, 1), 1);
		reap(child);
		CHECK_EQ(xseg_bind(xs, 0, 0, 0, "successor", 0), 0);
	} else {
		int status;

		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 77);
		test_lacks("root, for a PID namespace");
	}
	CHECK_EQ(xseg_destroy(test_segment), 0);
	xseg_leave(xs);
}

/* --- a segment that changes while it is looked at ------------------------ */

static int flipping;

static void *flip(void *argument)
{
	static const uint32_t values[] = { 0, 0x7fffffff, 0, 0xfff0, 0 };
	__u32 *first = argument;

	for (uint32_t i = 0; __atomic_load_n(&flipping, __ATOMIC_RELAXED); i++)
		__atomic_store_n(first, values[i % 5], __ATOMIC_RELAXED);
	return NULL;
}

static void verified_while_it_changes(void)
{
	struct xseg_port *port;
	pthread_t thread;
	struct xseg *xs;

	make_small();
	xs = join();
	CHECK_EQ(xseg_bind(xs, 0, 8, 0, "flipped", 0), 0);
	port = xs_port(xs, 0);
	flipping = 1;
	CHECK(!pthread_create(&thread, NULL, flip, &port->first_request));
	for (int i = 0; i < 3000; i++)
		CHECK(xseg_verify(xs, NULL) >= 0);
	flipping = 0;
	pthread_join(thread, NULL);
	CHECK_EQ(xseg_destroy(test_segment), 0);
	xseg_leave(xs);
}

int main(void)
{
	struct xseg_params params = { 4, 8, 16, 0600, 4 * 4096 };
	struct xseg *xs, *other;

	test_begin("ports");
	xs = make(4, 8, 16, 4 * 4096);
	space(xs);
	travel(xs);
	spoilt_ring(xs);
	left(xs);
	other = join();
	bell_fd(xs, other);
	orphaned_bell(xs); /* and destroys it */
	xseg_leave(other);
	xseg_leave(xs);
	CHECK_EQ(xseg_anonymous(&params, &xs), 0);
	bell_fd(xs, xs);
	xseg_leave(xs);
	bell_of_another_life();
	estate();
	lagging_head();
	in_another_namespace();
	stopped_with_lock();
	mended_ring();
	mended_segment();
	timed_requests();
	unbound_while_answering();
	verified_while_it_changes();
	return test_exit_code;
}
