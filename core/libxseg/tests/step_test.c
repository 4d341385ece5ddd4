// SPDX-License-Identifier: BSD-2-Clause
/*
 * Kills a process after each single instruction of a call, in turn, and checks
 * every time that nothing is lost, answered twice, or unusable afterwards.  Or
 * stops it there, while another does something, and lets it go on.  Instructions of
 * libc do not count: to the others, all of a system call happens at once.
 * STEPS=N in the environment: at most N instructions of each call (spread out).
 * The source lines at which it stopped go to step_test.points, beside this program.
 */
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include "internal.h"
#include "points.h"

enum { VICTIM, PARENT, GONE, PORTS };
enum { SLOTS = 4, SENT = 3, ALL = 10000000 };

static struct xseg *xs; /* the parent's */
static uint32_t mine;   /* first of its slots */
static int sent;
static struct addresses stops;

static uint32_t first_of(struct xseg *handle, uint32_t port)
{
	uint32_t first, count;

	CHECK_EQ(xseg_port_slots(handle, port, &first, &count), 0);
	return first;
}

static int submit(struct xseg *handle, uint32_t first, uint32_t to, uint32_t n)
{
	uint32_t slots[SLOTS];

	for (uint32_t i = 0; i < n; i++) {
		slots[i] = first + i;
		xseg_request(handle, first + i)->data_at = 0;
		xseg_request(handle, first + i)->data_length = 0;
		xseg_request(handle, first + i)->serviced = 0;
	}
	return xseg_submit(handle, to, slots, n);
}

/* Accepts up to max and answers them; what it does to a request shows in serviced. */
static int serve(struct xseg *handle, uint32_t port, uint32_t max)
{
	uint32_t slots[SLOTS];
	int n = xseg_accept(handle, port, slots, max);

	for (int i = 0; i < n; i++) {
		xseg_request(handle, slots[i])->serviced = 1000 + slots[i];
		xseg_request(handle, slots[i])->status = 0;
	}
	return n > 0 ? xseg_respond(handle, slots, n) : n;
}

static void bind_victim(struct xseg *handle)
{
	CHECK_EQ(xseg_bind(handle, VICTIM, SLOTS, 4096, "victim", VICTIM), 0);
}

/* --- what happens before, in the victim; before, in the parent; stepped ---- */

static void nothing(struct xseg *handle)
{
	(void)handle;
}

static void victim_asks(struct xseg *handle)
{
	bind_victim(handle);
	CHECK_EQ(submit(handle, first_of(handle, VICTIM), PARENT, SENT), SENT);
}

static void step_submit(struct xseg *handle)
{
	submit(handle, first_of(handle, VICTIM), PARENT, SENT);
}

static void ask_victim(struct xseg *handle)
{
	CHECK_EQ(submit(handle, mine, VICTIM, SENT), SENT);
	sent = SENT;
}

static void step_serve(struct xseg *handle)
{
	serve(handle, VICTIM, 2);
	serve(handle, VICTIM, 2);
}

static void answer_victim(struct xseg *handle)
{
	CHECK_EQ(serve(handle, PARENT, SENT), SENT);
}

static void step_receive(struct xseg *handle)
{
	uint32_t slots[SLOTS];

	xseg_receive(handle, VICTIM, slots, 2);
	xseg_receive(handle, VICTIM, slots, 2);
}

static void step_bind(struct xseg *handle)
{
	bind_victim(handle);
}

static void step_unbind(struct xseg *handle)
{
	xseg_unbind(handle, VICTIM);
}

static void step_accept_and_unbind(struct xseg *handle)
{
	uint32_t slots[SLOTS];

	xseg_accept(handle, VICTIM, slots, 2);
	xseg_unbind(handle, VICTIM);
}

static void step_leave(struct xseg *handle)
{
	xseg_leave(handle);
}

/* A third party goes, having accepted two of three and sent one. */
static void someone_goes(struct xseg *handle)
{
	struct xseg *other = join();
	uint32_t slots[SLOTS];

	CHECK_EQ(xseg_bind(other, GONE, SLOTS, 4096, "gone", GONE), 0);
	CHECK_EQ(submit(handle, mine, GONE, SENT), SENT);
	sent = SENT;
	CHECK_EQ(xseg_accept(other, GONE, slots, 2), 2);
	CHECK_EQ(submit(other, first_of(other, GONE), PARENT, 1), 1);
	xseg_leave(other);
}

/* The same, and the one that it sent, which may be a part of the two, is worked on. */
static uint32_t part;
static int part_is_out;

static void someone_goes_with_a_part_out(struct xseg *handle)
{
	someone_goes(handle);
	CHECK_EQ(xseg_accept(handle, PARENT, &part, 1), 1);
	part_is_out = 1;
}

static void answer_part(struct xseg *handle)
{
	for (int i = 0; i < 2; i++)
		CHECK_EQ(xseg_request(handle, mine + i)->state, XSEG_REQUEST_ACCEPTED);
	xseg_request(handle, part)->status = 0;
	CHECK_EQ(xseg_respond(handle, &part, 1), 1);
	part_is_out = 0;
}

static void step_recover(struct xseg *handle)
{
	xseg_recover(handle, GONE);
}

static void fall_asleep(struct xseg *handle)
{
	CHECK_EQ(xseg_prepare_wait(handle, PARENT), 0);
}

static void step_wake(struct xseg *handle)
{
	xseg_wake(handle, PARENT);
}

/* Not killed: sends to one that goes meanwhile.  All of it must come back. */
static struct xseg *goer;
static int asked;

static void goer_comes(struct xseg *handle)
{
	goer = join();
	CHECK_EQ(xseg_bind(goer, GONE, 0, 0, "gone", GONE), 0);
	(void)handle;
}

static void goer_goes(struct xseg *handle)
{
	xseg_leave(goer);
	CHECK(xseg_recover(handle, GONE) >= 0);
}

static void step_ask_goer(struct xseg *handle)
{
	asked = submit(handle, first_of(handle, VICTIM), GONE, SENT);
}

static void expect_asked(struct xseg *handle)
{
	uint32_t slots[SLOTS];
	int n;

	CHECK(asked == SENT || asked == -EHOSTDOWN);
	while (asked > 0) {
		n = xseg_receive(handle, VICTIM, slots, SLOTS);
		CHECK(n > 0);
		asked -= n;
		while (n--)
			CHECK_EQ(xseg_request(handle, slots[n])->status, EOWNERDEAD);
	}
}

/* Not killed: goes to sleep when a request comes. */
static void send_one(struct xseg *handle)
{
	CHECK_EQ(submit(handle, mine, VICTIM, 1), 1);
	sent = 1;
}

static void step_sleep(struct xseg *handle)
{
	CHECK_EQ(xseg_prepare_wait(handle, VICTIM), 0);
	if (serve(handle, VICTIM, 1))
		CHECK_EQ(xseg_cancel_wait(handle, VICTIM), 0);
	else
		CHECK_EQ(xseg_wait(handle, VICTIM, 5000000000), 1);
	serve(handle, VICTIM, 1);
}

/* Not killed: unbinds while another thread (here the parent, to be simple) answers. */
static uint32_t taken[SLOTS], answered; /* answered: bit i: so was the parent's slot i */

static void accept_as_victim(struct xseg *handle)
{
	ask_victim(handle);
	handle->mine[VICTIM] = 1;
	CHECK_EQ(xseg_accept(handle, VICTIM, taken, SLOTS), SENT);
	for (int i = 0; i < SENT; i++) {
		xseg_request(handle, taken[i])->serviced = 1000 + taken[i];
		xseg_request(handle, taken[i])->status = 0;
	}
}

static void answer_as_victim(struct xseg *handle)
{
	uint32_t slot;

	for (int i = 0; i < SENT; i++)
		if (xseg_respond(handle, taken + i, 1) == 1) {
			CHECK_EQ(xs_take_answer(handle, taken[i]), 1);
			answered |= 1u << (taken[i] - mine);
		}
	handle->mine[VICTIM] = 0;
	/* Free again: what is in it now is the parent's alone. */
	for (int i = 0; i < SENT; i++)
		if (answered & 1u << i) {
			slot = mine + i;
			CHECK_EQ(xseg_request(handle, slot)->status, 0);
			xseg_request(handle, slot)->status = 4711;
		}
}

static const struct call {
	const char *name;
	void (*victim)(struct xseg *), (*parent)(struct xseg *), (*stepped)(struct xseg *);
	void (*during)(struct xseg *), (*after)(struct xseg *); /* else it is killed */
} calls[] = {
	{ "submit", bind_victim, nothing, step_submit, NULL, NULL },
	{ "accept and respond", bind_victim, ask_victim, step_serve, NULL, NULL },
	{ "receive", victim_asks, answer_victim, step_receive, NULL, NULL },
	{ "bind", nothing, nothing, step_bind, NULL, NULL },
	{ "unbind", bind_victim, ask_victim, step_unbind, NULL, NULL },
	{ "accept and unbind", bind_victim, ask_victim, step_accept_and_unbind, NULL, NULL },
	{ "leave", bind_victim, ask_victim, step_leave, NULL, NULL },
	{ "recover", nothing, someone_goes, step_recover, NULL, NULL },
	{ "recover with a part out", nothing, someone_goes_with_a_part_out, step_recover, NULL,
	  NULL },
	{ "recover as it comes", nothing, someone_goes_with_a_part_out, step_recover, answer_part,
	  nothing },
	{ "wake", bind_victim, fall_asleep, step_wake, NULL, NULL },
	{ "submit to one who goes", bind_victim, goer_comes, step_ask_goer, goer_goes,
	  expect_asked },
	{ "unbind while answered", bind_victim, accept_as_victim, step_unbind, answer_as_victim,
	  nothing },
	{ "sleep when rung", bind_victim, nothing, step_sleep, send_one, nothing },
};

/* --- afterwards --------------------------------------------------------- */

static void expect_answers(void)
{
	uint32_t slots[SLOTS], seen = answered;
	int n;

	for (int i = 0; i < SENT; i++)
		if (answered & 1u << i)
			CHECK_EQ(xseg_request(xs, mine + i)->status, 4711);
	answered = 0;
	while ((n = xseg_receive(xs, PARENT, slots, SLOTS)) > 0)
		for (int i = 0; i < n; i++) {
			struct xseg_request *r = xseg_request(xs, slots[i]);
			uint32_t bit = 1u << (slots[i] - mine);

			CHECK(slots[i] - mine < SENT && !(seen & bit));
			seen |= bit;
			CHECK(r->status == EOWNERDEAD ||
			      (r->status == 0 && r->serviced == 1000 + slots[i]));
		}
	CHECK_EQ(n, 0);
	CHECK_EQ(seen, (1u << sent) - 1);
	sent = 0;
}

/* A port is as good as new. */
static void expect_usable(uint32_t port)
{
	uint32_t slots[SLOTS];

	CHECK_EQ(xseg_bind(xs, port, SLOTS, 4096, "new", port), 0);
	CHECK_EQ(serve(xs, port, SLOTS), 0); /* stale entries may be there */
	for (int round = 0; round < 3; round++) {
		CHECK_EQ(submit(xs, first_of(xs, port), PARENT, SLOTS), SLOTS);
		CHECK_EQ(serve(xs, PARENT, SLOTS), SLOTS);
		CHECK_EQ(xseg_receive(xs, port, slots, SLOTS), SLOTS);
		CHECK_EQ(submit(xs, mine, port, SLOTS), SLOTS);
		CHECK_EQ(serve(xs, port, SLOTS), SLOTS);
		CHECK_EQ(xseg_receive(xs, PARENT, slots, SLOTS), SLOTS);
	}
	CHECK_EQ(xseg_unbind(xs, port), 0);
}

static void check_all(int variant)
{
	int slept = ((struct xseg_port *)((char *)xseg_base(xs) + xseg_header(xs)->ports_at +
			PARENT * xseg_header(xs)->port_stride))->sleeping != XSEG_AWAKE;

	if (part_is_out) {
		CHECK(xseg_recover(xs, GONE) >= 0);
		answer_part(xs);
	}
	if (variant & 1) /* what the victim sent is served before anyone notices, or not */
		serve(xs, PARENT, SLOTS);
	if (variant & 2 || sent || slept) { /* else bind recovers by itself */
		CHECK(xseg_recover(xs, VICTIM) >= 0);
		CHECK(xseg_recover(xs, GONE) >= 0);
	}
	if (slept)
		CHECK_EQ(xseg_wait(xs, PARENT, 0), 1);
	serve(xs, PARENT, SLOTS);
	expect_answers();
	expect_usable(VICTIM);
	expect_usable(GONE);
	CHECK_EQ(xseg_verify(xs, stderr), 0);
}

/* --- where it stops ------------------------------------------------------- */

/* Where the child stands. */
struct place {
	uintptr_t at;   /* in this program, which is the child's too, at the same addresses; or 0 */
	int sleeps;     /* it would sleep until rung, and so would the test */
};

static struct place place_of(pid_t child)
{
#ifdef __x86_64__
	extern const char __executable_start, etext;
	struct user_regs_struct regs;
	struct place place = { 0 };

	CHECK(!ptrace(PTRACE_GETREGS, child, NULL, &regs));
	if (regs.rip >= (uintptr_t)&__executable_start && regs.rip < (uintptr_t)&etext)
		place.at = regs.rip - (uintptr_t)&__executable_start;
	else
		place.sleeps = regs.rax == SYS_futex &&
			(ptrace(PTRACE_PEEKTEXT, child, regs.rip, NULL) & 0xffff) == 0x050f;
	return place;
#else
	test_lacks("x86-64, whose instructions this test knows");
	exit((void)child, test_exit_code);
#endif
}

/* --- stepping ----------------------------------------------------------- */

static void victim(const struct call *call)
{
	struct xseg *handle = join();

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(77);
	call->victim(handle);
	raise(SIGSTOP);
	call->stepped(handle);
	raise(SIGSTOP);
	call->after(handle);
	_exit(0);
}

/* Lets a stopped child finish, unless it has finished the call. */
static void go_on(pid_t child, int at_end)
{
	int status;

	if (!at_end) {
		CHECK(!ptrace(PTRACE_CONT, child, NULL, NULL));
		CHECK(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
	}
	CHECK(!ptrace(PTRACE_DETACH, child, NULL, NULL));
	reap(child);
}

/* Returns how many instructions the call had, as far as it went; -1 no ptrace. */
static long step(const struct call *call, long steps)
{
	pid_t child = fork();
	int status, at_end = 0;
	struct place place;
	long done = 0;

	if (!child)
		victim(call);
	CHECK_EQ(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		return -1;
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	call->parent(xs);
	place = place_of(child);
	while (done < steps && !at_end && !place.sleeps) {
		CHECK(!ptrace(PTRACE_SINGLESTEP, child, NULL, NULL));
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(WIFSTOPPED(status));
		at_end = WSTOPSIG(status) == SIGSTOP;
		place = place_of(child);
		done += !at_end && place.at;
	}
	if (steps != ALL)
		note_address(&stops, call->name, place.at);
	if (call->during) {
		call->during(xs);
		go_on(child, at_end);
	} else {
		kill(child, SIGKILL);
		CHECK_EQ(waitpid(child, &status, 0), child);
	}
	check_all(done);
	return done;
}

static int each_step(const struct call *call, long most)
{
	long all = step(call, ALL), stride = all / most + 1, runs = 0;

	if (all < 0)
		return 0;
	for (long n = below(stride); n < all; n += stride, runs++)
		step(call, n);
	printf("  %-23s %6ld instructions, stopped after %ld of them\n", call->name, all, runs);
	return 1;
}

int main(int argc __attribute__((unused)), char **argv)
{
	const char *steps = getenv("STEPS");

	test_begin("step");
	open_addresses(&stops, argv[0]);
	xs = make(PORTS, SLOTS, 3 * SLOTS, 3 * 4096);
	CHECK_EQ(xseg_bind(xs, PARENT, SLOTS, 0, "parent", PARENT), 0);
	mine = first_of(xs, PARENT);
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (!each_step(&calls[i], steps ? atol(steps) : 60)) {
			test_lacks("ptrace, to stop a process between two instructions");
			break;
		}
	name_addresses(&stops);
	report_points(argv[0]);
	xseg_leave(xs);
	return test_exit_code;
}
