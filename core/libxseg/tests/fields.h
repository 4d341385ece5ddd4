/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every field of every structure of a segment, and values to spoil them with.
 * check_fields() fails where xseg_layout.h has a field that is not named here.
 */
#ifndef XSEG_FIELDS_H
#define XSEG_FIELDS_H

#include "test.h"

enum where { HEADER, NOTE, PORT, WORDS, REQUEST, WHERES };

struct field {
	enum where where;
	const char *name;
	uint32_t at, size; /* bytes, from the structure's start */
	unsigned long spoilt; /* how many times */
};

#define FIELD(where, type, name)                                                      \
	{ where, #type "." #name, offsetof(struct type, name),                         \
	  sizeof(((struct type *)0)->name), 0 }
#define OF_HEADER(name) FIELD(HEADER, xseg_header, name)
#define OF_NOTE(name) FIELD(NOTE, xseg_lock_note, name)
#define OF_PORT(name) FIELD(PORT, xseg_port, name)
#define OF_REQUEST(name) FIELD(REQUEST, xseg_request, name)

/* In the order of their positions. */
static struct field fields[] = {
	OF_HEADER(magic), OF_HEADER(abi), OF_HEADER(header_size), OF_HEADER(size),
	OF_HEADER(nr_ports), OF_HEADER(port_stride), OF_HEADER(ring_size),
	OF_HEADER(nr_requests), OF_HEADER(ports_at), OF_HEADER(requests_at),
	OF_HEADER(data_at), OF_HEADER(data_pages), OF_HEADER(created_s),
	OF_HEADER(creator_pid), OF_HEADER(crc), OF_HEADER(name),

	OF_NOTE(pid), OF_NOTE(reserved0), OF_NOTE(pid_start), OF_NOTE(since_ns),
	OF_NOTE(pid_ns),

	OF_PORT(state), OF_PORT(pid), OF_PORT(pid_start), OF_PORT(first_request),
	OF_PORT(nr_requests), OF_PORT(first_page), OF_PORT(nr_pages), OF_PORT(bell),
	OF_PORT(generation), OF_PORT(heartbeat), OF_PORT(dropped), OF_PORT(pid_ns),
	OF_PORT(role), OF_PORT(sleeping), OF_PORT(rescan), OF_PORT(fifo),
	OF_PORT(reserved1), OF_PORT(request_tail), OF_PORT(reserved2),
	OF_PORT(request_head), OF_PORT(reserved3), OF_PORT(reply_tail),
	OF_PORT(reserved4), OF_PORT(reply_head), OF_PORT(timed), OF_PORT(timed_ns),
	OF_PORT(reserved5),

	{ WORDS, "request_words[]", 0, sizeof(__u64), 0 },
	{ WORDS, "reply_words[]", 1, sizeof(__u64), 0 },

	OF_REQUEST(state), OF_REQUEST(hand), OF_REQUEST(dst), OF_REQUEST(src),
	OF_REQUEST(op), OF_REQUEST(flags), OF_REQUEST(status), OF_REQUEST(offset),
	OF_REQUEST(length), OF_REQUEST(serviced), OF_REQUEST(data_at),
	OF_REQUEST(data_length), OF_REQUEST(cookie), OF_REQUEST(submitted_ns),
	OF_REQUEST(target_length), OF_REQUEST(reserved0), OF_REQUEST(reserved1),
	OF_REQUEST(target),
};

enum { FIELDS = sizeof(fields) / sizeof(*fields) };

/* No byte of a structure is in no field. */
__attribute__((unused)) static void check_fields(void)
{
	static const uint32_t sizes[WHERES] = {
		[HEADER] = sizeof(struct xseg_header),
		[NOTE] = sizeof(struct xseg_lock_note),
		[PORT] = sizeof(struct xseg_port),
		[REQUEST] = sizeof(struct xseg_request),
	};
	uint32_t ends[WHERES] = { 0 };

	for (const struct field *f = fields; f < fields + FIELDS; f++) {
		if (f->where == WORDS)
			continue;
		if (f->at > ends[f->where])
			fprintf(stderr, "what lies before %s is not in the table\n", f->name);
		CHECK(f->at <= ends[f->where]);
		if (f->at + f->size > ends[f->where])
			ends[f->where] = f->at + f->size;
	}
	for (int where = 0; where < WHERES; where++)
		CHECK_EQ(ends[where], sizes[where]);
}

/* Where a field is, of some port or request of the segment; h: as it was made. */
static void *place(const struct xseg_header *h, void *base, const struct field *f)
{
	unsigned char *start = base;
	unsigned char *port = start + h->ports_at + (uint64_t)below(h->nr_ports) * h->port_stride;

	switch (f->where) {
	case HEADER:
		return start + f->at;
	case NOTE:
		return start + XSEG_LOCK_NOTE_AT + f->at;
	case PORT:
		return port + f->at;
	case WORDS:
		return port + sizeof(struct xseg_port) +
		       8 * (uint64_t)(f->at * h->ring_size + below(h->ring_size));
	default:
		return start + h->requests_at +
		       (uint64_t)below(h->nr_requests) * sizeof(struct xseg_request) + f->at;
	}
}

/* A number at or beside one that means something, or any. */
static uint64_t odd(const struct xseg_header *h)
{
	const uint64_t meaning[] = { 0, 1, 2, 3, 4, 5, 8, 16, 255, 4095, 4096, 1 << 20, 1ULL << 31,
				     1ULL << 32, UINT32_MAX, UINT64_MAX, 1ULL << 63, h->nr_ports,
				     h->ring_size, h->nr_requests, h->port_stride, h->ports_at,
				     h->requests_at, h->data_at, h->data_pages, h->size,
				     UINT64_MAX - h->size, XSEG_TARGET_MAX, getpid() };
	uint64_t value = meaning[below(sizeof(meaning) / sizeof(*meaning))];

	switch (below(8)) {
	case 0: return rnd();
	case 1: return value + 1;
	case 2: return value - 1;
	case 3: return value << 32 | below(4);
	case 4: return below(2 * h->nr_requests);
	default: return value;
	}
}

static uint32_t crc32c(uint32_t crc, const void *bytes, size_t n)
{
	for (const unsigned char *p = bytes; n--; p++) {
		crc ^= *p;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

__attribute__((unused)) static void fix_crc(struct xseg_header *h)
{
	h->crc = ~crc32c(crc32c(~0u, h, offsetof(struct xseg_header, crc)), h->name,
			 sizeof(h->name));
}

/* Spoils the field: by another number, by one beside it, or by one bit. */
static void spoil(const struct xseg_header *h, void *base, struct field *f)
{
	unsigned char *at = place(h, base, f);
	uint32_t size = f->size, grain = size % 8 ? 4 : 8;
	uint64_t value = 0;

	f->spoilt++;
	if (size > 8) { /* bytes: a part of them, perhaps all */
		uint32_t from = below(2) ? 0 : below(size);

		for (uint32_t n = from; n < size; n++)
			at[n] = below(4) ? 'A' + below(26) : rnd();
		return;
	}
	memcpy(&value, at, grain);
	switch (below(4)) {
	case 0: value ^= 1ULL << below(8 * grain); break;
	case 1: value += below(2) ? below(3) + 1 : -(uint64_t)(below(3) + 1); break;
	default: value = odd(h);
	}
	memcpy(at, &value, grain);
}

#endif
