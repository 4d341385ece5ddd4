// SPDX-License-Identifier: BSD-2-Clause
/* Looking at a segment: contradictions for programs, reports for people. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "internal.h"

/* --- rings -------------------------------------------------------------- */

/* What the word at position says about the ring; NULL if it fits. */
static const char *word_trouble(const struct xs_ring *ring, uint64_t tail, uint64_t position,
				uint32_t nr_requests)
{
	uint64_t word = xs_load(xs_ring_word(ring, position));
	int32_t ahead = xs_ring_ahead(ring, position, word);
	int32_t from_tail = position - tail;

	if (ahead != 0 && ahead != 1)
		return "a word of another lap";
	if ((uint32_t)word > nr_requests)
		return "an entry that is no request";
	if (from_tail < 0 && !ahead && !(uint32_t)word)
		return "an empty word before its tail";
	if (from_tail > 0 && (ahead || (uint32_t)word))
		return "an entry behind its tail";
	return NULL;
}

/*
 * Valid while nobody takes from the ring or has moved its tail meanwhile; a ring
 * that is too busy to be caught so is not in trouble.
 */
const char *xs_ring_trouble(const struct xs_ring *ring, uint32_t nr_requests)
{
	uint32_t size = XS_RING_SIZE(ring);

	for (int tries = 0; tries < 100; tries++) {
		uint64_t head = xs_load(ring->head), tail = xs_load(ring->tail);
		const char *trouble = NULL;

		/* The head can lag by all that one call takes, the tail by one. */
		if (tail - head + 1 > 2 * (uint64_t)size + 1)
			trouble = "head and tail too far apart";
		for (uint32_t i = 0; i < size && !trouble; i++)
			trouble = word_trouble(ring, tail, head + i, nr_requests);
		if (!trouble)
			return NULL;
		if (xs_load(ring->head) == head && xs_load(ring->tail) == tail)
			return trouble;
	}
	return NULL;
}

static uint64_t waiting(const struct xs_ring *ring)
{
	uint64_t n = xs_load(ring->tail) - xs_load(ring->head);

	return n <= XS_RING_SIZE(ring) ? n : 0;
}

static int in_ring(const struct xs_ring *ring, uint32_t slot)
{
	uint64_t head = xs_load(ring->head);

	for (uint32_t i = 0; i < XS_RING_SIZE(ring); i++)
		if ((uint32_t)xs_load(xs_ring_word(ring, head + i)) == slot + 1)
			return 1;
	return 0;
}

/* --- verify ------------------------------------------------------------- */

struct survey {
	struct xseg *xs;
	FILE *out;
	uint32_t *owner; /* of each slot: port + 1, 0 none */
	int patience_ms; /* with requests that may be on their way */
	int found;
	int mend, mended; /* under the lock */
};

__attribute__((format(printf, 2, 3)))
static void found(struct survey *s, const char *format, ...)
{
	va_list arguments;

	s->found++;
	if (!s->out)
		return;
	va_start(arguments, format);
	vfprintf(s->out, format, arguments);
	va_end(arguments);
	fputc('\n', s->out);
}

/* 1 where what was found is to be mended, which is then counted as done. */
static int mends(struct survey *s)
{
	s->mended += s->mend;
	return s->mend;
}

static int runs_clash(uint64_t a, uint64_t a_count, uint64_t b, uint64_t b_count)
{
	return a_count && b_count && a < b + b_count && b < a + a_count;
}

/* A ring that is used is its owner's: it is mended when that is dead. */
static void survey_ring(struct survey *s, uint32_t number, const char *kind, struct xs_ring ring)
{
	const char *trouble = xs_ring_trouble(&ring, s->xs->h.nr_requests);

	if (!trouble)
		return;
	found(s, "port %u: its %s ring has %s", number, kind, trouble);
	if (xs_load(&xs_port(s->xs, number)->state) == XSEG_PORT_FREE && mends(s))
		xs_drain(s->xs, ring);
}

static void survey_runs(struct survey *s, uint32_t number, struct xseg_port *p)
{
	const struct xseg_header *h = &s->xs->h;
	uint32_t first, count;

	/* What was checked is what is used, whatever others write meanwhile. */
	if (!xs_run_of_slots(s->xs, p, &first, &count))
		found(s, "port %u: has requests %u + %u of %u", number, first, count,
		      h->nr_requests);
	else
		for (uint32_t slot = first; slot < first + count; slot++) {
			if (s->owner[slot])
				found(s, "request %u: belongs to ports %u and %u", slot,
				      s->owner[slot] - 1, number);
			s->owner[slot] = number + 1;
		}
	if ((uint64_t)p->first_page + p->nr_pages > h->data_pages)
		found(s, "port %u: has data pages %u + %u of %" PRIu64, number, p->first_page,
		      p->nr_pages, (uint64_t)h->data_pages);
	for (uint32_t other = 0; other < number; other++) {
		const struct xseg_port *o = xs_port(s->xs, other);

		if (o->state != XSEG_PORT_FREE &&
		    runs_clash(p->first_page, p->nr_pages, o->first_page, o->nr_pages))
			found(s, "ports %u and %u: have data pages in common", other, number);
	}
}

static void survey_port(struct survey *s, uint32_t number)
{
	struct xseg_port *p = xs_port(s->xs, number);

	survey_ring(s, number, "request", xs_request_ring(s->xs, p));
	survey_ring(s, number, "reply", xs_reply_ring(s->xs, p));
	if (xs_load(&p->state) > XSEG_PORT_DEAD) {
		found(s, "port %u: is in state %u, which does not exist", number, p->state);
		if (mends(s)) /* whether its owner lives shows next */
			xs_store_mb(&p->state, XSEG_PORT_BOUND);
	}
	if (xs_load(&p->state) == XSEG_PORT_FREE)
		return;
	survey_runs(s, number, p);
	if (xs_load(&p->state) == XSEG_PORT_BOUND && !xseg_alive(s->xs, number))
		found(s, "port %u: process %u, which bound it, is dead: recover it", number, p->pid);
	if (p->bell >= s->xs->h.nr_ports) {
		found(s, "port %u: its bell is port %u, which does not exist", number, p->bell);
		if (mends(s))
			xs_store(&p->bell, number);
	}
	if (xs_load(&p->sleeping) > XSEG_RUNG) {
		found(s, "port %u: its wait word is %u", number, p->sleeping);
		if (mends(s)) /* it looks once more before it sleeps again */
			xs_store_mb(&p->sleeping, XSEG_RUNG);
	}
	if (strnlen(p->role, XSEG_NAME_MAX) == XSEG_NAME_MAX) {
		found(s, "port %u: its role's name does not end", number);
		if (mends(s))
			p->role[XSEG_NAME_MAX - 1] = 0;
	}
}

static const char *slot_trouble(struct survey *s, uint32_t slot)
{
	struct xseg_request *r = xs_slot(s->xs, slot);
	uint64_t hand = xs_load(&r->hand);
	uint32_t state = hand, dst = hand >> 32;
	struct xseg_port *owner, *to;
	struct xs_ring ring;

	if (state > XSEG_REQUEST_FAILING)
		return "is in a state that does not exist";
	if (!s->owner[slot])
		return state == XSEG_REQUEST_FREE ? NULL : "travels but belongs to no port";
	owner = xs_port(s->xs, s->owner[slot] - 1);
	if (xs_load(&r->src) != s->owner[slot] - 1)
		return "names another source than the port that it belongs to";
	if (state == XSEG_REQUEST_FREE || xs_load(&owner->state) != XSEG_PORT_BOUND)
		return NULL;
	if (state == XSEG_REQUEST_DONE) {
		ring = xs_reply_ring(s->xs, owner);
		return xs_load(&owner->rescan) || in_ring(&ring, slot) ? NULL :
		       "was answered, but its owner is not told";
	}
	if (dst >= s->xs->h.nr_ports)
		return "was sent to a port that does not exist";
	to = xs_port(s->xs, dst);
	if (xs_load(&to->state) == XSEG_PORT_FREE)
		return "was sent to a port that nobody serves";
	if (state == XSEG_REQUEST_FAILING && xs_load(&to->state) != XSEG_PORT_DEAD)
		return "is being failed, but its destination is not dead";
	ring = xs_request_ring(s->xs, to);
	return state != XSEG_REQUEST_SUBMITTED || in_ring(&ring, slot) ? NULL :
	       "was sent, but the ring of its destination does not name it";
}

/*
 * Gives a slot that leads nowhere back to its owner, with EOWNERDEAD where it
 * travelled, or sends it on.  Each step is taken only from the state that was seen.
 */
static void mend_slot(struct survey *s, uint32_t slot, uint64_t hand)
{
	struct xseg_request *r = xs_slot(s->xs, slot);
	uint32_t dst = hand >> 32, state = hand, owner = s->owner[slot];
	struct xs_ring ring;

	if (!owner || state > XSEG_REQUEST_FAILING) {
		(void)xs_cas(&r->hand, hand, XSEG_REQUEST_FREE);
		return;
	}
	if (xs_load(&r->src) != owner - 1) {
		xs_store(&r->src, owner - 1); /* and the rest may be in order */
		return;
	}
	if (state == XSEG_REQUEST_DONE) {
		xs_tell(s->xs, xs_port(s->xs, owner - 1), slot);
	} else if (state == XSEG_REQUEST_SUBMITTED && dst < s->xs->h.nr_ports &&
		   xs_load(&xs_port(s->xs, dst)->state) == XSEG_PORT_BOUND) {
		ring = xs_request_ring(s->xs, xs_port(s->xs, dst));
		xs_ring_push(&ring, slot);
		xs_ring_bell(s->xs, xs_port(s->xs, dst));
	} else if (state != XSEG_REQUEST_FREE &&
		   (state == XSEG_REQUEST_FAILING ||
		    xs_slot_step(r, dst, state, XSEG_REQUEST_FAILING))) {
		r->status = EOWNERDEAD;
		r->serviced = 0;
		(void)xs_slot_step(r, dst, XSEG_REQUEST_FAILING, XSEG_REQUEST_DONE);
		xs_tell(s->xs, xs_port(s->xs, owner - 1), slot);
	}
}

/* A slot between a step and the ring is in order, so looks again for a while. */
static void survey_slot(struct survey *s, uint32_t slot)
{
	__u64 *hand = &xs_slot(s->xs, slot)->hand, was = xs_load(hand);
	const char *trouble;

	while ((trouble = slot_trouble(s, slot)) && s->patience_ms-- > 0)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	if (!trouble || xs_load(hand) != was)
		return;
	found(s, "request %u: %s (state %u, destination %u)", slot, trouble, (uint32_t)was,
	      (uint32_t)(was >> 32));
	if (mends(s))
		mend_slot(s, slot, was);
}

static int survey(struct survey *s)
{
	struct xseg *xs = s->xs;

	if (xs_spoilt(xs))
		return -EUCLEAN;
	s->patience_ms = 200;
	s->owner = calloc(xs->h.nr_requests, sizeof(*s->owner));
	if (!s->owner)
		return xs_fail(ENOMEM, "no memory to verify segment %s", xs->h.name);
	if (memcmp(xs->base, &xs->h, sizeof(xs->h))) {
		found(s, "the header has changed since this process joined");
		if (mends(s))
			memcpy(xs->base, &xs->h, sizeof(xs->h));
	}
	for (uint32_t port = 0; port < xs->h.nr_ports; port++)
		survey_port(s, port);
	for (uint32_t slot = 0; slot < xs->h.nr_requests; slot++)
		survey_slot(s, slot);
	free(s->owner);
	return 0;
}

int xseg_verify(struct xseg *xs, FILE *out)
{
	struct survey s = { .xs = xs, .out = out };

	return survey(&s) ?: s.found;
}

int xseg_mend(struct xseg *xs, FILE *out)
{
	struct survey s = { .xs = xs, .out = out, .mend = 1 };
	int rc = xs_lock(xs);

	if (rc)
		return rc;
	rc = survey(&s);
	xs_unlock(xs);
	if (!rc)
		rc = xseg_recover_dead(xs); /* also of what has just been found dead */
	return rc < 0 ? rc : s.mended;
}

/* --- report ------------------------------------------------------------- */

static void report_requests(struct xseg *xs, uint32_t port, FILE *out)
{
	static const char *const names[] = { "free", "submitted", "accepted", "done", "failing",
					     "spoilt" };
	uint32_t first, count, states[6] = { 0 };

	if (xseg_port_slots(xs, port, &first, &count))
		return;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t state = xs_load(&xs_slot(xs, first + i)->state);

		states[state < 5 ? state : 5]++;
	}
	fprintf(out, "  requests      %u from %u:", count, first);
	for (int i = 0; i < 6; i++)
		if (i < 4 || states[i])
			fprintf(out, "%s %u %s", i ? "," : "", states[i], names[i]);
	fputc('\n', out);
}

/* Whoever may write a segment must not write to a terminal through it. */
void xs_print_role(const struct xseg_port *p, FILE *out)
{
	for (int i = 0; i < XSEG_NAME_MAX - 1; i++) {
		unsigned char c = __atomic_load_n(&p->role[i], __ATOMIC_RELAXED);

		if (!c)
			break;
		fprintf(out, c < ' ' || c > '~' || c == '\\' ? "\\x%02x" : "%c", c);
	}
}

static void report_bound(struct xseg *xs, uint32_t number, FILE *out)
{
	struct xseg_port *p = xs_port(xs, number);
	struct xs_ring requests = xs_request_ring(xs, p), replies = xs_reply_ring(xs, p);
	static const char *const sleep[] = { "awake", "asleep", "rung", "?" };
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	fprintf(out, "port %u: ", number);
	xs_print_role(p, out);
	fputc('\n', out);
	fprintf(out, "  owner         process %u, %s, last seen %.3f s ago; bind %u of this port\n",
		p->pid, p->state == XSEG_PORT_DEAD ? "gone, requests still with others" :
		xs_foreign(xs, p->pid_ns) ? "in another PID namespace" :
		xseg_alive(xs, number) ? "alive" : "dead: recover it",
		now.tv_sec + now.tv_nsec / 1e9 - p->heartbeat / 1e9, p->generation);
	report_requests(xs, number, out);
	fprintf(out, "  data          %u pages from %u\n", p->nr_pages, p->first_page);
	fprintf(out, "  request ring  %" PRIu64 " waiting, %" PRIu64 " taken\n",
		waiting(&requests), (uint64_t)xs_load(requests.head));
	fprintf(out, "  reply ring    %" PRIu64 " waiting, %" PRIu64 " taken\n",
		waiting(&replies), (uint64_t)xs_load(replies.head));
	fprintf(out, "  bell          port %u, %s; %" PRIu64 " dropped\n", p->bell,
		sleep[xs_load(&p->sleeping) & 3], (uint64_t)xs_load(&p->dropped));
}

int xseg_report(struct xseg *xs, uint32_t port, FILE *out)
{
	int rc = xs_bad_port(xs, port);

	if (rc)
		return rc;
	if (xs_load(&xs_port(xs, port)->state) == XSEG_PORT_FREE)
		fprintf(out, "port %u: free\n", port);
	else
		report_bound(xs, port, out);
	return 0;
}

int xseg_report_all(struct xseg *xs, FILE *out)
{
	uint32_t bound = 0;

	for (uint32_t port = 0; port < xs->h.nr_ports; port++)
		if (xs_load(&xs_port(xs, port)->state) != XSEG_PORT_FREE) {
			report_bound(xs, port, out);
			bound++;
		}
	fprintf(out, "segment %s: %u of %u ports bound\n", xs->h.name, bound, xs->h.nr_ports);
	return 0;
}
