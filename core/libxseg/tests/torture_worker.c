// SPDX-License-Identifier: BSD-2-Clause
/* A client, composer or blocker of the torture test, in C.  See torture.h. */
#include "torture.h"

static struct xseg *xs;
static struct ledger *ledger;
static uint32_t me;          /* worker, and port */
static uint32_t asks;        /* the port that it asks through */
static uint32_t first;       /* slot of that */
static uint64_t now;         /* ms, as of a few turns ago */

/* What this process has asked for: in slot first + i. */
enum asked { IDLE, OUT, AGAIN };
enum { ASKED_MAX = 16 };
static enum asked asked[ASKED_MAX];
static uint32_t nr_asked, busy;

static enum phase phase(void)
{
	return __atomic_load_n(&ledger->phase, __ATOMIC_ACQUIRE);
}

static void progress(void)
{
	__atomic_add_fetch(&ledger->workers[me].progress, 1, __ATOMIC_RELAXED);
}

static void bind_patiently(uint32_t port, uint32_t n, uint64_t bytes)
{
	static const char *const roles[] = { "blocker", "composer", "client" };
	uint64_t until = now_ms() + PATIENCE_MS;
	int rc;

	while ((rc = xseg_bind(xs, port, n, bytes, roles[(me >= BLOCKERS) + (me >= BLOCKERS +
				COMPOSERS)], me)) == -EAGAIN) {
		CHECK(now_ms() < until);
		usleep(500);
	}
	CHECK_EQ(rc, 0);
}

static void *data_of(const struct xseg_request *r)
{
	CHECK(r->data_length == 4096 && r->data_at >= xseg_header(xs)->data_at &&
	      r->data_at <= xseg_size(xs) - 4096);
	return (char *)xseg_base(xs) + r->data_at;
}

static void check_page(const uint64_t *page, uint64_t cell, uint64_t number)
{
	CHECK(cell < CELLS);
	for (uint64_t i = 0; i < PAGE_WORDS; i++)
		if (page[i] != expected_word(cell, number, i)) {
			fprintf(stderr, "[%d] worker %u: cell %llu, number %llu: word %llu is that of "
				"cell %llu, number %llu\n", getpid(), me, (unsigned long long)cell,
				(unsigned long long)number, (unsigned long long)i,
				(unsigned long long)page[0], (unsigned long long)page[1]);
			test_failed();
		}
}

/* --- blocker ------------------------------------------------------------ */

static struct held {
	uint32_t slot;
	uint64_t due_ms; /* some are answered late, so as to be overtaken */
} held[RING * 2];
static uint32_t nr_held;

/* A page of the disk is written bit by bit: it may be killed on the way. */
static void copy_page(uint64_t *to, const uint64_t *from)
{
	uint32_t half = below(PAGE_WORDS);

	memcpy(to, from, half * 8);
	for (volatile uint32_t spin = below(16) ? 0 : below(10000); spin; spin--)
		;
	memcpy(to + half, from + half, (PAGE_WORDS - half) * 8);
}

static void do_on_disk(struct xseg_request *r)
{
	uint64_t *page = data_of(r), *disk = ledger->disk[r->offset % CELLS];

	if (r->op == XSEG_OP_WRITE) {
		check_page(page, r->offset, r->length);
		/* The same again perhaps, but nothing older than what is there. */
		CHECK(disk[1] <= r->length);
		copy_page(disk, page);
	} else {
		CHECK_EQ(r->op, XSEG_OP_READ);
		memcpy(page, disk, 4096);
	}
	r->serviced = receipt(r->offset, r->length);
	r->status = 0;
}

static int block_some(void)
{
	uint32_t slots[RING], done = 0;
	int n = xseg_accept(xs, me, slots, 1 + below(RING));

	CHECK(n >= 0);
	for (int i = 0; i < n; i++) {
		CHECK(nr_held < sizeof(held) / sizeof(*held));
		held[nr_held++] = (struct held){ slots[i], below(8) ? now : now + below(4) };
	}
	for (uint32_t i = 0; i < nr_held; i++)
		if (held[i].due_ms <= now && done < RING) {
			do_on_disk(xseg_request(xs, held[i].slot));
			slots[done++] = held[i].slot;
			held[i--] = held[--nr_held];
			progress();
		}
	if (done)
		CHECK_EQ(xseg_respond(xs, slots, done), done);
	return n + done;
}

/* --- what those have in common that ask --------------------------------- */

/* Of ports from..from + n - 1, one that is served, as far as that is known. */
static uint32_t any_of(uint32_t from, uint32_t n)
{
	uint32_t port = 0;

	for (int tries = 0; tries < 4; tries++) {
		port = from + below(n);
		if (xs_load(&xs_port(xs, port)->state) == XSEG_PORT_BOUND)
			break;
	}
	return port;
}

static void ask(uint32_t i, uint32_t port)
{
	uint32_t slot = first + i;
	int went = xseg_submit(xs, port, &slot, 1);

	CHECK(went >= 0 || went == -EHOSTDOWN);
	asked[i] = went == 1 ? OUT : AGAIN;
}

/* What was with the dead comes back when somebody looks after them. */
static void look_after(uint32_t from, uint32_t n)
{
	static uint64_t next;

	if (!busy || now < next)
		return;
	next = now + ALIVE_MS;
	for (uint32_t port = from; port < from + n; port++) {
		int rc = xseg_alive(xs, port) ? 0 : xseg_try_recover(xs, port);

		CHECK(rc >= 0 || rc == -EAGAIN || rc == -EBUSY);
	}
}

static int answers(uint32_t *slots)
{
	int n = xseg_receive(xs, asks, slots, RING);

	CHECK(n >= 0);
	for (int i = 0; i < n; i++)
		CHECK(slots[i] - first < nr_asked && asked[slots[i] - first] == OUT);
	return n;
}

/* --- composer ----------------------------------------------------------- */

static uint32_t whole[ASKED_MAX]; /* the request that the one in first + i is a part of */

static void answer(uint32_t i, int status, uint64_t serviced)
{
	struct xseg_request *r = xseg_request(xs, whole[i]);

	r->serviced = serviced;
	r->status = status;
	CHECK_EQ(xseg_respond(xs, &whole[i], 1), 1);
	asked[i] = IDLE;
	busy--;
	progress();
}

static void take_on(uint32_t i, uint32_t slot)
{
	struct xseg_request *r = xseg_request(xs, slot), *part = xseg_request(xs, first + i);

	data_of(r);
	part->op = r->op;
	part->flags = 0;
	part->offset = r->offset;
	part->length = r->length;
	part->data_at = r->data_at;
	part->data_length = r->data_length;
	part->target_length = r->target_length;
	memcpy(part->target, r->target, 8);
	whole[i] = slot;
	busy++;
	ask(i, any_of(0, BLOCKERS));
}

static int compose_some(void)
{
	uint32_t slots[RING], next = 0;
	int n, work;

	for (uint32_t i = 0; i < nr_asked; i++)
		if (asked[i] == AGAIN)
			ask(i, any_of(0, BLOCKERS));
	work = n = answers(slots);
	for (int k = 0; k < n; k++) {
		uint32_t i = slots[k] - first;
		struct xseg_request *r = xseg_request(xs, slots[k]);

		CHECK(!r->status || r->status == EOWNERDEAD);
		if (!r->status)
			answer(i, 0, r->serviced);
		else if (below(2))
			answer(i, EOWNERDEAD, 0); /* nobody works on the part any more */
		else
			ask(i, any_of(0, BLOCKERS));
	}
	if (busy == nr_asked)
		return work;
	n = xseg_accept(xs, me, slots, nr_asked - busy);
	CHECK(n >= 0);
	for (int k = 0; k < n; k++) {
		while (asked[next] != IDLE)
			next++;
		take_on(next, slots[k]);
	}
	look_after(0, BLOCKERS);
	return work + n;
}

/* --- client ------------------------------------------------------------- */

static uint64_t heard;

static void ask_next(uint32_t i)
{
	struct xseg_request *r = xseg_request(xs, first + i);
	uint64_t *page = data_of(r), cell = r->offset;

	if (r->op == XSEG_OP_WRITE && ledger->cells[cell].answered == r->length) {
		r->op = XSEG_OP_READ;
		memset(page, 0xee, 4096);
	} else {
		r->op = XSEG_OP_WRITE;
		r->length++;
		__atomic_store_n(&ledger->cells[cell].sent, r->length, __ATOMIC_SEQ_CST);
		for (uint64_t k = 0; k < PAGE_WORDS; k++)
			page[k] = expected_word(cell, r->length, k);
	}
	busy++;
	ask(i, any_of(BLOCKERS, COMPOSERS));
}

static void answered(uint32_t i)
{
	struct xseg_request *r = xseg_request(xs, first + i);

	heard = now;
	if (r->status) {
		CHECK(r->status == EOWNERDEAD || r->status == EHOSTDOWN);
		asked[i] = AGAIN;
		return;
	}
	CHECK_EQ(r->serviced, receipt(r->offset, r->length));
	if (r->op == XSEG_OP_WRITE)
		__atomic_store_n(&ledger->cells[r->offset].answered, r->length, __ATOMIC_SEQ_CST);
	else
		check_page(data_of(r), r->offset, r->length);
	asked[i] = IDLE;
	busy--;
	progress();
}

static int ask_some(void)
{
	uint32_t slots[RING];
	int n = answers(slots), sent = 0;

	for (int k = 0; k < n; k++)
		answered(slots[k] - first);
	for (uint32_t i = 0; i < nr_asked; i++) {
		if (asked[i] == AGAIN)
			ask(i, any_of(BLOCKERS, COMPOSERS));
		else if (asked[i] == IDLE && phase() == RUN && ++sent)
			ask_next(i);
	}
	__atomic_store_n(&ledger->workers[me].out, busy, __ATOMIC_SEQ_CST);
	look_after(BLOCKERS, COMPOSERS);
	CHECK(!busy || now < heard + PATIENCE_MS); /* else lost */
	if (!busy)
		heard = now;
	return n + sent;
}

static void prepare_client(void)
{
	uint64_t at, length;

	CHECK_EQ(xseg_port_data(xs, me, &at, &length), 0);
	for (uint32_t i = 0; i < DEPTH; i++) {
		struct xseg_request *r = xseg_request(xs, first + i);
		uint64_t cell = (me - BLOCKERS - COMPOSERS) * DEPTH + i;

		r->op = XSEG_OP_READ; /* so it begins with a write */
		r->flags = 0;
		r->offset = cell;
		r->length = ledger->cells[cell].sent;
		r->data_at = at + i * 4096;
		r->data_length = 4096;
		r->submitted_ns = 0;
		r->target_length = 8;
		snprintf(r->target, 9, "cell%04u", (unsigned)cell);
	}
	heard = now = now_ms();
}

/* ------------------------------------------------------------------------ */

static int (*turn)(void);
static enum phase last;

static void prepare(void)
{
	uint32_t count;

	if (me < BLOCKERS) {
		turn = block_some;
		last = END_BLOCKERS;
		bind_patiently(me, 0, 0);
		return;
	}
	if (me < BLOCKERS + COMPOSERS) {
		turn = compose_some;
		last = END_COMPOSERS;
		asks = me + ASKING;
		nr_asked = ASKED_MAX;
		bind_patiently(asks, nr_asked, 0);
		bind_patiently(me, 0, 0);
	} else {
		turn = ask_some;
		last = END_CLIENTS;
		asks = me;
		nr_asked = DEPTH;
		bind_patiently(me, nr_asked, DEPTH * 4096);
	}
	CHECK_EQ(xseg_port_slots(xs, asks, &first, &count), 0);
	CHECK_EQ(count, nr_asked);
	if (turn == ask_some)
		prepare_client();
}

static timer_t stopper;

static void make_stopper(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGSTOP };

	CHECK(!timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &stopper));
}

static void stop_if_told(void)
{
	uint64_t us = __atomic_load_n(&ledger->workers[me].stop_us, __ATOMIC_RELAXED);
	struct itimerspec after = { .it_value.tv_nsec = us * 1000 };

	if (us && __atomic_exchange_n(&ledger->workers[me].stop_us, 0, __ATOMIC_RELAXED))
		CHECK(!timer_settime(stopper, 0, &after, NULL));
}

void torture_worker(uint32_t worker, const char *segment, struct ledger *shared, uint64_t seed)
{
	snprintf(test_segment, sizeof(test_segment), "%s", segment);
	test_random = seed;
	me = worker;
	ledger = shared;
	xs = join();
	make_stopper();
	prepare();
	progress();
	for (uint32_t turns = 0; phase() < last || busy; turns++) {
		if (turns % 16 == 0) {
			now = now_ms();
			CHECK_EQ(xseg_heartbeat(xs, me), 0);
		}
		if (turn() == 0 && !below(1000)) { /* spins, as a rule */
			xseg_prepare_wait(xs, me);
			if (turn())
				xseg_cancel_wait(xs, me);
			else
				xseg_wait(xs, me, REST_NS);
		}
		stop_if_told();
	}
	CHECK_EQ(xseg_unbind(xs, me), 0);
	if (asks && asks != me)
		CHECK_EQ(xseg_unbind(xs, asks), 0);
	_exit(0);
}
