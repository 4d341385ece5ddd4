// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The protocol in the kernel, with itself: loads where a request goes there and back
 * in every way, and where nothing that stands in the segment leads outside it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include "protocol.h"

enum { CLIENT, SERVER, PORTS, RING = 8, SLOTS = 8, REQUESTS = 2 * SLOTS, PAGES = 2 };

static u64 seed;
module_param(seed, ullong, 0444);
MODULE_PARM_DESC(seed, "of what the hostile part writes; 0: the time");

static unsigned int rounds = 200000;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "of the hostile part");

static unsigned char mine[PORTS];
static struct xseg segment = { .mine = mine, .ring_shift = 3 };
static struct xseg *xs = &segment;
static u32 woken[PORTS];

static int failures;

static void check_eq(const char *test, int line, const char *what, long long is, long long expected)
{
	if (is == expected)
		return;
	if (failures++ < 10)
		pr_err("%s:%d: %s is %lld, not %lld\n", test, line, what, is, expected);
}

#define CHECK_EQ(is, expected) check_eq(__func__, __LINE__, #is, is, expected)
#define CHECK(that) CHECK_EQ(!(that), 0)

void xs_wake(struct xseg *of, __u32 bell)
{
	if (of == xs && bell < PORTS)
		woken[bell]++;
}

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* An empty segment that both ports are bound in. */
static void make_segment(void)
{
	struct xs_owner client = {
		.pid_ns = XSEG_KERNEL, .role = "client", .bell = CLIENT, .nr_requests = SLOTS,
		.nr_pages = PAGES,
	};
	struct xs_owner server = { .pid_ns = XSEG_KERNEL, .role = "server", .bell = SERVER };

	memset(xs->base, 0, xs->h.size);
	memcpy(xs->base, &xs->h, sizeof(xs->h));
	xs_give_port(xs, CLIENT, &client);
	xs_give_port(xs, SERVER, &server);
	mine[CLIENT] = 1;
	mine[SERVER] = 1;
	woken[CLIENT] = 0;
	woken[SERVER] = 0;
}

static void fill(u32 *slots, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		struct xseg_request *r = xs_slot(xs, i);

		r->data_at = xs->h.data_at;
		r->data_length = XSEG_PAGE;
		r->target_length = 0;
		r->submitted_ns = xs_monotonic_ns();
		slots[i] = i;
	}
}

static void there_and_back(void)
{
	u32 slots[SLOTS], n, i;

	for (n = 1; n <= SLOTS; n++) {
		fill(slots, n);
		CHECK_EQ(xs_submit(xs, SERVER, slots, n), n);
		CHECK_EQ(xs_submit(xs, SERVER, slots, n), -EINVAL); /* not free */
		CHECK_EQ(xs_receive(xs, CLIENT, 0, SLOTS, slots, SLOTS), 0);
		CHECK_EQ(xs_accept(xs, SERVER, slots, SLOTS), n);
		for (i = 0; i < n; i++) {
			CHECK_EQ(slots[i], i);
			xs_slot(xs, i)->status = i;
		}
		CHECK_EQ(xs_respond(xs, slots, n), n);
		CHECK_EQ(xs_respond(xs, slots, n), 0); /* answered */
		CHECK_EQ(xs_receive(xs, CLIENT, 0, SLOTS, slots, SLOTS), n);
		for (i = 0; i < n; i++)
			CHECK_EQ(xs_slot(xs, slots[i])->status, slots[i]);
	}
	CHECK_EQ(xs_port(xs, CLIENT)->timed, SLOTS * (SLOTS + 1) / 2);
}

static void refused(void)
{
	u32 slot = 0, foreign = SLOTS, outside = REQUESTS;

	CHECK_EQ(xs_submit(xs, SERVER, &foreign, 1), -EINVAL);
	CHECK_EQ(xs_submit(xs, SERVER, &outside, 1), -EINVAL);
	fill(&slot, 1);
	xs_slot(xs, 0)->data_length = xs->h.size;
	CHECK_EQ(xs_submit(xs, SERVER, &slot, 1), 1);
	CHECK_EQ(xs_accept(xs, SERVER, &slot, 1), 0);
	CHECK_EQ(xs_receive(xs, CLIENT, 0, SLOTS, &slot, 1), 1);
	CHECK_EQ(xs_slot(xs, 0)->status, EINVAL);
}

/* A server that is gone: what it had not accepted goes back, what is new does not go. */
static void sent_back(void)
{
	u32 slots[SLOTS], i;

	fill(slots, SLOTS);
	CHECK_EQ(xs_submit(xs, SERVER, slots, SLOTS), SLOTS);
	CHECK_EQ(xs_accept(xs, SERVER, slots, 1), 1);
	xs_store_mb(&xs_port(xs, SERVER)->state, XSEG_PORT_DEAD);
	for (i = 0; i < SLOTS; i++)
		CHECK_EQ(xs_send_back(xs, i, SERVER), i > 0);
	CHECK_EQ(xs_receive(xs, CLIENT, 0, SLOTS, slots, SLOTS), SLOTS - 1);
	for (i = 0; i < SLOTS - 1; i++)
		CHECK_EQ(xs_slot(xs, slots[i])->status, EOWNERDEAD);
	CHECK_EQ(xs_submit(xs, SERVER, slots, 1), -EHOSTDOWN);
}

static void bells(void)
{
	struct xseg_port *bell = xs_port(xs, SERVER);
	u32 slot;

	fill(&slot, 1);
	CHECK_EQ(xs_submit(xs, SERVER, &slot, 1), 1);
	CHECK_EQ(woken[SERVER], 0);
	xs_bell_set(bell);
	xs_ring_bell(xs, bell);
	xs_wake_all(xs);
	CHECK_EQ(woken[SERVER], 2);
	CHECK_EQ(woken[CLIENT], 0);
	CHECK_EQ(xs_bell_was_rung(bell), 1);
	xs_bell_set(bell);
	xs_bell_clear(bell);
	CHECK_EQ(xs_bell_was_rung(bell), 0);
	xs_store(&bell->bell, PORTS);
	xs_ring_bell(xs, bell);
	CHECK_EQ(woken[SERVER], 2);
}

/* Any word of ports and requests: any value, or what nearly fits a ring. */
static void scribble(void)
{
	u64 *words = (u64 *)(xs->base + xs->h.ports_at);
	u64 nr_words = (xs->h.data_at - xs->h.ports_at) / sizeof(*words);
	u64 lap = rnd() % 5 << 32;
	u64 values[] = { rnd(), lap | rnd() % (REQUESTS + 2), lap | (u32)rnd() };

	words[rnd() % nr_words] = values[rnd() % ARRAY_SIZE(values)];
}

static void untouched(void)
{
	CHECK_EQ(memcmp(xs->base, &xs->h, sizeof(xs->h)), 0);
	CHECK(!memchr_inv(xs->base + xs->h.data_at, 0, xs->h.size - xs->h.data_at));
}

static bool fits(const struct xseg_request *r)
{
	return !r->data_length || (r->data_at >= xs->h.data_at && r->data_at <= xs->h.size &&
				   r->data_length <= xs->h.size - r->data_at);
}

/* What comes out is in range, once; nothing is written but ports and requests. */
static void hostile(void)
{
	u32 slots[2 * SLOTS], seen, n, i;
	u64 accepted = 0, received = 0;
	unsigned int round;

	for (round = 0; round < rounds; round++) {
		if (round % 50 == 0) {
			untouched();
			make_segment();
		}
		scribble();
		for (i = 0; i < SLOTS; i++)
			slots[i] = rnd() % 16 ? rnd() % REQUESTS : rnd();
		CHECK(xs_submit(xs, rnd() % PORTS, slots, rnd() % (SLOTS + 1)) <= SLOTS);
		n = xs_accept(xs, SERVER, slots, 2 * SLOTS);
		CHECK(n <= RING);
		for (i = 0, seen = 0; i < n; seen |= 1u << slots[i++])
			CHECK(slots[i] < REQUESTS && !(seen & 1u << slots[i]) &&
			      fits(xs_slot(xs, slots[i])));
		CHECK(xs_respond(xs, slots, n) <= n);
		accepted += n;
		n = xs_receive(xs, CLIENT, 0, SLOTS, slots, 2 * SLOTS);
		CHECK(n <= RING);
		for (i = 0, seen = 0; i < n; seen |= 1u << slots[i++])
			CHECK(slots[i] < SLOTS && !(seen & 1u << slots[i]));
		received += n;
		xs_send_back(xs, rnd() % REQUESTS, rnd() % PORTS);
		xs_wake_all(xs);
	}
	/* It was not stuck all the time. */
	CHECK(accepted > rounds / 10);
	CHECK(received > rounds / 10);
	pr_info("%u rounds: %llu accepted, %llu received\n", rounds, accepted, received);
}

static void run(const char *name, void (*test)(void))
{
	int before = failures;

	make_segment();
	test();
	pr_info("%s: %s\n", name, failures == before ? "passed" : "FAILED");
}

static int __init selftest_init(void)
{
	seed = seed ?: ktime_get_ns() | 1;
	pr_info("seed=%llu\n", seed);
	xs_lay_out(&xs->h, PORTS, RING, REQUESTS, PAGES);
	xs->h.crc = xs_header_crc(&xs->h);
	xs->base = vmalloc_user(xs->h.size);
	if (!xs->base)
		return -ENOMEM;
	run("there and back", there_and_back);
	run("refused", refused);
	run("sent back", sent_back);
	run("bells", bells);
	run("hostile", hostile);
	vfree(xs->base);
	return failures ? -EINVAL : 0;
}

static void __exit selftest_exit(void)
{
}

module_init(selftest_init);
module_exit(selftest_exit);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("Self-test of the libxseg protocol");
