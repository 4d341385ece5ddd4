// SPDX-License-Identifier: BSD-2-Clause
/*
 * Processes use a segment that others scribble over all the time: every call
 * returns in bounds and within a bound, and in the end the segment is put in
 * order.  Then it is truncated under them, again and again.
 *
 * SECONDS=N in the environment: for a long run.
 */
#include "calls.h"
#include "fields.h"
#include "guarded.h"

/* Of a call: it waits 5 s for a lock, and for 200 ms where it looks at all requests. */
enum { USERS = 3, SCRIBBLERS = 2, CALL_S = 30, TRUNCATIONS = 30 };

static void say_where(int number)
{
	fprintf(stderr, "scribble: process %d: %s\n", getpid(),
		number == SIGALRM ? "no end of a call" : strsignal(number));
	_exit(1);
}

static void scribbler(void *segment)
{
	struct xseg *xs = segment;
	struct xseg_header *shared = xseg_base(xs), good = *xseg_header(xs);

	for (;;) {
		spoil(&good, shared, &fields[below(FIELDS)]);
		if (below(2))
			fix_crc(shared);
		if (!below(4))
			*shared = good;
		for (uint32_t n = below(200); n; n--)
			__asm__ volatile("" ::: "memory");
	}
}

static unsigned long use(uint64_t until)
{
	struct xseg *xs = NULL;
	unsigned long calls = 0;

	while (now_ms() < until) {
		alarm(CALL_S);
		if (!xs && SAYS(xseg_join(test_segment, &xs), EUCLEAN, EPROTO) < 0)
			xs = NULL;
		for (int i = 0; xs && i < CALLS; i++, calls++)
			call(xs, below(CALLS), 0);
		if (xs && !below(50)) {
			xseg_leave(xs);
			xs = NULL;
		}
	}
	return calls;
}

static pid_t start(void (*what)(void *), void *argument, int number)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (child)
		return child;
	test_random += number;
	what(argument);
	exit(0); /* so that coverage is counted */
}


static void user(void *until)
{
	printf("  %lu calls\n", use(*(uint64_t *)until));
}

/* Until it is seen that the file was truncated, and then for a while. */
static void user_of_ruin(void *ready)
{
	struct xseg *xs = join();
	int after = 0;

	alarm(CALL_S);
	CHECK(write(*(int *)ready, "", 1) == 1);
	while (after < 200) {
		call(xs, below(CALLS), 0);
		if (xseg_recover_dead(xs) == -EUCLEAN) {
			after++;
			CHECK(strstr(xseg_strerror(), "truncated"));
			CHECK_EQ(xseg_bind(xs, 1, 1, 0, "late", 1), -EUCLEAN);
			CHECK_EQ(xseg_verify(xs, NULL), -EUCLEAN);
		}
	}
	xseg_leave(xs);
}

static void truncate_it(void)
{
	struct xseg *xs = make(5, 8, 20, 4 * XSEG_PAGE);
	pid_t users[USERS];
	char path[128];
	int ready[2];

	snprintf(path, sizeof(path), "/dev/shm/%s", test_segment);
	CHECK(!pipe(ready));
	for (int i = 0; i < USERS; i++)
		users[i] = start(user_of_ruin, &ready[1], i);
	for (int i = 0; i < USERS; i++)
		CHECK(read(ready[0], path + sizeof(path) - 1, 1) == 1);
	usleep(below(10000));
	CHECK(!truncate(path, below(xseg_header(xs)->requests_at)));
	for (int i = 0; i < USERS; i++)
		reap(users[i]);
	close(ready[0]);
	close(ready[1]);
	xseg_leave(xs);
	CHECK_EQ(xseg_destroy(test_segment), 0);
}

int main(void)
{
	const char *seconds = getenv("SECONDS");
	pid_t scribblers[SCRIBBLERS], users[USERS];
	struct xseg *xs;
	uint64_t until;

	test_begin("scribble");
	signal(SIGSEGV, say_where);
	signal(SIGBUS, say_where);
	signal(SIGALRM, say_where);
	nowhere = fopen("/dev/null", "w");
	CHECK(nowhere);
	xs = make(5, 8, 20, 4 * XSEG_PAGE);
	until = now_ms() + 1000 * (seconds ? strtoul(seconds, NULL, 0) : SLOWED ? 3 : 8);
	for (int i = 0; i < SCRIBBLERS; i++)
		scribblers[i] = start(scribbler, xs, i);
	for (int i = 0; i < USERS; i++)
		users[i] = start(user, &until, 100 + i);
	for (int i = 0; i < USERS; i++)
		reap(users[i]);
	for (int i = 0; i < SCRIBBLERS; i++) {
		CHECK(!kill(scribblers[i], SIGKILL));
		CHECK_EQ(waitpid(scribblers[i], NULL, 0), scribblers[i]);
	}
	put_in_order(xs);
	xseg_leave(xs);
	CHECK_EQ(xseg_destroy(test_segment), 0);
	truncation = 1;
	for (int i = 0; i < TRUNCATIONS; i++)
		truncate_it();
	printf("  %d times truncated\n", TRUNCATIONS);
	fclose(nowhere);
	return test_exit_code;
}
