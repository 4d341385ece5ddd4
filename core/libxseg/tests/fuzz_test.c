// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every field of every structure is spoilt in turn, headers with their checksum
 * put right.  After each time, every call returns in bounds and says what its
 * contract allows, and once the owners are dead, recovery and mending bring
 * the segment back into order.
 *
 * ROUNDS=N in the environment: for a long run.  Time and death are made up: a
 * sleep takes none, and owners are dead when the test says so.
 */
#include "calls.h"
#include "fields.h"
#include "guarded.h"

enum { PORTS = 5, RING = 8, REQUESTS = 20, PAGES = 4, MEDLEY = 3 };

static struct xseg *client, *server;
static const struct field *spoiling; /* for who finds this test dead */
static unsigned long round_number, joined, refused;
static int all_dead;

/* In libc's stead. */
int nanosleep(const struct timespec *wanted, struct timespec *left)
{
	(void)wanted;
	(void)left;
	return 0;
}

int kill(pid_t pid, int number)
{
	if (!all_dead || number)
		return syscall(SYS_kill, pid, number);
	errno = ESRCH;
	return -1;
}

static void say_where(int number)
{
	if (number)
		fprintf(stderr, "fuzz: %s\n", number == SIGALRM ? "no end" : strsignal(number));
	fprintf(stderr, "fuzz: in round %lu, after %s was spoilt\n", round_number,
		spoiling ? spoiling->name : "nothing");
	if (number)
		test_interrupted(number);
}

static void say_end(void)
{
	if (spoiling)
		say_where(0);
}

/* --- a segment in use --------------------------------------------------- */

static void join_both(void)
{
	client = join();
	server = join();
}

/* Every slot of the client's in a state of its own: free, on its way, there, or back. */
static void use_it(void)
{
	uint32_t first, count, slots[RING], n;

	CHECK_EQ(xseg_bind(client, 1, RING, 4096, "client", 1), 0);
	CHECK_EQ(xseg_bind(server, 0, 2, 0, "server", 3), 0);
	CHECK_EQ(xseg_bind(server, 3, 4, 4096, "bell", 3), 0);
	CHECK_EQ(xseg_port_slots(client, 1, &first, &count), 0);
	for (uint32_t i = 0; i < count; i++) {
		struct xseg_request *r = xseg_request(client, first + i);

		slots[i] = first + i;
		r->op = XSEG_OP_READ;
		r->data_at = xseg_header(client)->data_at;
		r->data_length = 4096;
		r->target_length = 8;
		r->submitted_ns = below(2);
	}
	/* Fewer where entries of former owners are still in the rings. */
	n = SAYS(xseg_submit(client, 0, slots, below(RING)), 0);
	n = SAYS(xseg_accept(server, 0, slots, below(n + 1)), 0);
	CHECK_EQ(xseg_respond(server, slots, n / 2), n / 2);
	SAYS(xseg_receive(client, 1, slots, below(n + 1)), 0);
}

/* All calls, from one of them on. */
static void call_all(struct xseg *xs, int quiet)
{
	int first = below(CALLS);

	for (int i = 0; i < CALLS; i++)
		call(xs, (first + i) % CALLS, quiet);
}

/* --- rounds ------------------------------------------------------------- */

static void fill_data(void)
{
	memset((char *)xseg_base(client) + xseg_header(client)->data_at, 0x5a, PAGES * XSEG_PAGE);
}

static uint64_t page_up(uint64_t bytes)
{
	return (bytes + XSEG_PAGE - 1) & -(uint64_t)XSEG_PAGE;
}

/* Makes the header tell of a segment that could be, though not in this file. */
static void make_consistent(struct xseg_header *h)
{
	h->magic = XSEG_MAGIC;
	h->abi = XSEG_ABI;
	h->header_size = sizeof(*h);
	h->port_stride = sizeof(struct xseg_port) + 2 * sizeof(__u64) * h->ring_size;
	h->ports_at = XSEG_PAGE;
	h->requests_at = page_up(h->ports_at + (uint64_t)h->nr_ports * h->port_stride);
	h->data_at = page_up(h->requests_at + h->nr_requests * sizeof(struct xseg_request));
	h->size = h->data_at + h->data_pages * XSEG_PAGE;
}

/*
 * A header that is wrong is refused.  What is joined fits into the file all the
 * same, though it may divide it otherwise: 21 requests need no more pages than 20.
 */
static void join_spoilt(void)
{
	struct xseg_header *shared = xseg_base(client);
	const struct xseg_header *good = xseg_header(client);
	struct xseg *xs;
	int elsewhere;

	if (below(2))
		make_consistent(shared);
	if (strcmp(spoiling->name, "xseg_header.crc"))
		fix_crc(shared);
	if (SAYS(xseg_join(test_segment, &xs), EUCLEAN, EPROTO) < 0) {
		refused++;
		return;
	}
	joined++;
	CHECK_EQ(xseg_size(xs), good->size);
	call_all(xs, 1);
	elsewhere = xseg_header(xs)->data_at != good->data_at;
	xseg_leave(xs);
	if (elsewhere) /* what it did there was within its own bounds */
		fill_data();
}

static void check_rest(void)
{
	const struct xseg_header *h = xseg_header(client);
	const unsigned char *data = (unsigned char *)xseg_base(client) + h->data_at;

	CHECK(!memcmp(xseg_base(client), h, sizeof(*h)));
	/* All of it is as its first byte. */
	CHECK(data[0] == 0x5a && !memcmp(data, data + 1, PAGES * XSEG_PAGE - 1));
}

static void one_round(struct field *f)
{
	const struct xseg_header *h = xseg_header(client);

	spoiling = f;
	alarm(60);
	use_it();
	spoil(h, xseg_base(client), f);
	for (uint32_t more = below(4) ? 0 : 1 + below(MEDLEY); more; more--)
		spoil(h, xseg_base(client), &fields[below(FIELDS)]);
	if (memcmp(xseg_base(client), h, sizeof(*h)))
		join_spoilt();
	call_all(below(2) ? client : server, 1);
	all_dead = 1;
	put_in_order(client);
	all_dead = 0;
	check_rest();
	if (round_number % 16 == 0) {
		xseg_leave(client);
		xseg_leave(server);
		join_both();
	}
}

static void report(void)
{
	unsigned long all = 0;

	printf("  how many times each field was spoilt:\n");
	for (int i = 0; i < FIELDS; i++) {
		all += fields[i].spoilt;
		printf("  %-28s %6lu%s", fields[i].name, fields[i].spoilt,
		       i % 3 == 2 || i == FIELDS - 1 ? "\n" : "");
	}
	printf("  %lu in all, in %lu rounds; of the spoilt headers %lu were refused "
	       "and %lu, which fit the file, joined\n", all, round_number, refused,
	       joined);
}

int main(void)
{
	const char *rounds = getenv("ROUNDS");
	unsigned long wanted = rounds ? strtoul(rounds, NULL, 0) : SLOWED ? 10000 : 100000;

	test_begin("fuzz");
	check_fields();
	atexit(say_end);
	signal(SIGSEGV, say_where);
	signal(SIGBUS, say_where);
	signal(SIGALRM, say_where);
	nowhere = fopen("/dev/null", "w");
	CHECK(nowhere);
	xseg_leave(make(PORTS, RING, REQUESTS, PAGES * XSEG_PAGE));
	join_both();
	fill_data();
	for (; round_number < wanted; round_number++)
		one_round(&fields[round_number % FIELDS]);
	spoiling = NULL;
	report();
	CHECK(joined && refused);
	xseg_leave(client);
	xseg_leave(server);
	fclose(nowhere);
	return test_exit_code;
}
