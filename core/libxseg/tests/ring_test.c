// SPDX-License-Identifier: BSD-2-Clause
/*
 * The ring against a model, with owners and producers that die between their
 * steps, at the turn of the lap counter; then many producers at once.
 */
#include <pthread.h>
#include "test.h"

#define MODEL_STEPS (SLOWED ? 300000 : 2000000)
#define PRODUCERS 4
#define EACH (SLOWED ? 20000 : 300000)

static __u64 tail, head, words[64];

static struct xs_ring make_ring(uint32_t shift, uint64_t start)
{
	struct xs_ring ring = { &tail, &head, words, shift };

	tail = head = start;
	for (uint32_t i = 0; i < XS_RING_SIZE(&ring); i++)
		*xs_ring_word(&ring, start + i) = (start + i) >> shift << 32;
	return ring;
}

/* A producer that dies after it published leaves the tail where it was. */
static void model(uint32_t shift, uint64_t start)
{
	struct xs_ring ring = make_ring(shift, start);
	uint32_t size = XS_RING_SIZE(&ring), queue[64], first = 0, count = 0;
	uint32_t out[64], got;
	uint64_t was;

	for (int step = 0; step < MODEL_STEPS / 6; step++) {
		if (below(2)) {
			uint32_t value = rnd();

			value = value == UINT32_MAX ? 0 : value;
			was = tail;
			CHECK_EQ(xs_ring_push(&ring, value), count < size);
			if (count < size)
				queue[(first + count++) % 64] = value;
			if (tail == was + 1 && !below(3))
				tail = was;
		} else {
			uint32_t max = below(size + 2);

			CHECK_EQ(xs_ring_has_entry(&ring), count > 0);
			got = xs_ring_pop(&ring, out, max);
			CHECK_EQ(got, count < max ? count : max);
			for (uint32_t i = 0; i < got; i++, first++, count--)
				CHECK_EQ(out[i], queue[first % 64]);
		}
	}
}

/* Whatever the words are, both ends return, in bounds. */
static void hostile(void)
{
	struct xs_ring ring = make_ring(3, 0);
	uint32_t out[64];

	for (int step = 0; step < MODEL_STEPS / 10; step++) {
		__u64 *victim[] = { &tail, &head, &words[below(8)] };

		*victim[below(3)] = below(2) ? rnd() : (uint64_t)below(4) << 32 | below(3);
		xs_ring_push(&ring, below(100));
		CHECK(xs_ring_pop(&ring, out, 64) <= 64);
	}
}

/* An owner that dies after it took some leaves the head where it was: what its
 * successor takes begins behind them, nothing is lost or repeated. */
static void succession(void)
{
	uint32_t out[64], next_in = 0, next_out = 0;

	for (int round = 0; round < 20000; round++) {
		struct xs_ring ring = { &tail, &head, words, 3 };
		uint64_t was;

		if (!round)
			ring = make_ring(3, (1ULL << 35) - 20);
		for (uint32_t n = below(9); n && xs_ring_push(&ring, next_in); n--)
			next_in++;
		was = head;
		for (uint32_t i = 0, n = xs_ring_pop(&ring, out, below(9)); i < n; i++)
			CHECK_EQ(out[i], next_out++);
		if (below(2))
			head = was;
		for (uint32_t n = below(9); n && xs_ring_push(&ring, next_in); n--)
			next_in++;
		for (uint32_t i = 0, n = xs_ring_pop(&ring, out, 9); i < n; i++)
			CHECK_EQ(out[i], next_out++);
		CHECK_EQ(next_out, next_in);
	}
}

static void *produce(void *argument)
{
	struct xs_ring ring = { &tail, &head, words, 4 };
	uint32_t me = (uintptr_t)argument;

	for (uint32_t i = 0; i < EACH; i++)
		while (!xs_ring_push(&ring, me << 24 | i))
			sched_yield();
	return NULL;
}

static void crowd(void)
{
	struct xs_ring ring = make_ring(4, (1ULL << 36) - 100);
	uint32_t seen[PRODUCERS] = { 0 }, out[16], total = 0;
	pthread_t threads[PRODUCERS];

	for (uintptr_t i = 0; i < PRODUCERS; i++)
		pthread_create(&threads[i], NULL, produce, (void *)i);
	while (total < PRODUCERS * EACH) {
		uint32_t n = xs_ring_pop(&ring, out, 16);

		for (uint32_t i = 0; i < n; i++)
			CHECK_EQ(out[i] & 0xffffff, seen[out[i] >> 24]++);
		total += n;
		if (!n)
			sched_yield();
	}
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(xs_ring_pop(&ring, out, 16), 0);
}

int main(void)
{
	test_begin("ring");
	for (uint32_t shift = 1; shift <= 6; shift++)
		model(shift, (1ULL << (32 + shift)) - 1000);
	hostile();
	succession();
	crowd();
	return test_exit_code;
}
