/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Rings and slots: the part of the protocol that user space and the kernel
 * share.  See xseg_layout.h for what the words mean.
 *
 * Nothing read from the segment is trusted: a word decides only whether to take
 * it, every loop is bounded, and positions are masked before they are used.
 * What pop() returns is any number; the caller checks it.
 */
#ifndef XSEG_RING_H
#define XSEG_RING_H

#include "platform.h"
#include "xseg_layout.h"

struct xs_ring {
	__u64 *tail;  /* next position to publish, or one behind */
	__u64 *head;  /* next position to take, or behind if its owner was killed */
	__u64 *words;
	__u32 shift;  /* ring_size = 1 << shift */
};

#define XS_RING_SIZE(r) (1u << (r)->shift)

static inline __u64 *xs_ring_word(const struct xs_ring *r, __u64 position)
{
	return &r->words[position & (XS_RING_SIZE(r) - 1)];
}

/* By how many laps word is ahead of the lap that position belongs to. */
static inline __s32 xs_ring_ahead(const struct xs_ring *r, __u64 position, __u64 word)
{
	return (__s32)((__u32)(word >> 32) - (__u32)(position >> r->shift));
}

/*
 * Publishes slot.  0 where the ring is full, or so contended that the caller
 * had better treat it as such.
 */
static inline int xs_ring_push(const struct xs_ring *r, __u32 slot)
{
	__u32 tries = 4 * XS_RING_SIZE(r) + 256;

	while (tries--) {
		__u64 tail = xs_load(r->tail);
		__u64 *at = xs_ring_word(r, tail);
		__u64 word = xs_load(at);
		__s32 ahead = xs_ring_ahead(r, tail, word);

		if (ahead < 0) {
			/* Not taken since the last lap: full, if tail is right. */
			if (xs_load(r->tail) == tail)
				return 0;
		} else if (ahead > 0 || (__u32)word) {
			/* Published by one that did not move the tail yet. */
			(void)xs_cas(r->tail, tail, tail + 1);
		} else if (xs_cas(at, word, word | (slot + 1))) {
			(void)xs_cas(r->tail, tail, tail + 1);
			return 1;
		}
	}
	return 0;
}

/* 1 where there is something to take; for the ring's one consumer, or who wakes it. */
static inline int xs_ring_has_entry(const struct xs_ring *r)
{
	__u64 head = xs_load(r->head);
	__u64 word = xs_load(xs_ring_word(r, head));
	__s32 ahead = xs_ring_ahead(r, head, word);

	return ahead > 0 || (!ahead && (__u32)word);
}

/* Takes up to max entries, unchecked; for the ring's one consumer. */
static inline __u32 xs_ring_pop(const struct xs_ring *r, __u32 *slots, __u32 max)
{
	__u64 start = xs_load(r->head), head = start;
	__u32 n = 0;

	/* At most one lap of what a killed owner took, then one of entries. */
	while (n < max && head - start < 2 * (__u64)XS_RING_SIZE(r)) {
		__u64 *at = xs_ring_word(r, head);
		__u64 word = xs_load(at);
		__s32 ahead = xs_ring_ahead(r, head, word);

		if (ahead < 0 || (!ahead && !(__u32)word))
			break;
		if (!ahead) {
			slots[n++] = (__u32)word - 1;
			xs_store(at, ((word >> 32) + 1) << 32);
		} /* else taken by an owner killed before it moved the head */
		head++;
	}
	if (head != start)
		xs_store(r->head, head);
	return n;
}

/* One step of a slot's life; 0 where it was not in that state and hand. */
static inline int xs_slot_step(struct xseg_request *slot, __u32 dst, __u32 from, __u32 to)
{
	__u64 hand = (__u64)dst << 32;

	return xs_cas(&slot->hand, hand | from, hand | to);
}

#endif
