// SPDX-License-Identifier: BSD-2-Clause
/* What each function of ports and requests promises, one at a time. */
#include <poll.h>
#include "test.h"

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
	struct xseg_port *port = (void *)((char *)xseg_base(xs) + xseg_header(xs)->ports_at +
					  xseg_header(xs)->port_stride);
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
	CHECK_EQ(xseg_recover(xs, 0), 4);
	CHECK_EQ(xseg_recover(xs, 0), 0);
	CHECK_EQ(xseg_receive(xs, 1, slots, 8), 4);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(xseg_request(xs, slots[i])->status, EOWNERDEAD);
	/* Its own request is in our hands: nobody may have its slots yet. */
	CHECK_EQ(xseg_bind(xs, 0, 1, 0, "server", 0), -EAGAIN);
	CHECK_EQ(xseg_verify(xs, stderr), 0);
	xseg_request(xs, out[0])->status = 0;
	CHECK_EQ(xseg_respond(xs, out, 1), 1);
	CHECK_EQ(xseg_bind(xs, 0, 1, 0, "server", 0), 0);
	for (uint32_t port = 0; port < 3; port++)
		CHECK_EQ(xseg_unbind(xs, port), 0);
	CHECK_EQ(xseg_verify(xs, stderr), 0);
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
	snprintf(sink, sizeof(sink), "/dev/shm/%s.bell.2", test_segment);
	CHECK(access(sink, F_OK) && errno == ENOENT);
}

static int bell_is_there(void)
{
	char path[96];

	snprintf(path, sizeof(path), "/dev/shm/%s.bell.3", test_segment);
	return !access(path, F_OK);
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
		CHECK(bell_is_there());
		if (!round)
			CHECK_EQ(xseg_recover(xs, 3), 0);
		else
			CHECK_EQ(xseg_destroy(test_segment), 0);
		CHECK(!bell_is_there());
	}
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
	orphaned_bell(xs);
	xseg_leave(other);
	xseg_leave(xs);
	CHECK_EQ(xseg_anonymous(&params, &xs), 0);
	bell_fd(xs, xs);
	xseg_leave(xs);
	return test_exit_code;
}
