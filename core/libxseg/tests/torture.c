// SPDX-License-Identifier: BSD-2-Clause
/*
 * torture KILLS PROGRAM ARGUMENT...
 *
 * Kills clients, composers and blockers (torture.h) at random moments, KILLS times, and
 * starts a successor each time.  Some it stops for longer than LIVENESS_MS instead; they
 * are killed when they have shown no life for so long, as by a supervisor.  One of each
 * kind runs PROGRAM ARGUMENT... SEGMENT LEDGER WORKER, which is in Java; the others are
 * in C and forked.  What they check: every request is answered once and right, nothing
 * older is written over what is newer, what was written is read.  What this checks:
 *
 *   - nine in ten that are killed have requests on their way, to or from them
 *   - within a second of a death all that was with the dead has come back, and its ports
 *     are free or its successor's; not counting the time in which others, alive or
 *     stopped, worked on what the dead had asked
 *   - in pauses, and at the end, the segment has no contradiction, and no port, slot or
 *     page has an owner that is not there
 *   - at the end the disk has what was answered last
 *
 * Where they were when they were killed goes to torture.points, beside this program.
 * step_test.c kills at each instruction of a call.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <glob.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "points.h"
#include "torture.h"

enum { LIVENESS_MS = 2000, RECOVERY_MS = 1000, START_MS = 60000, PAUSE_MS = 60000, WARM = 10, TRIES = 20, ITSELF_MS = 60, STALL_MS = 100, LOOK_MS = 250 };
enum { FUTEX_WAKING = 1000000 }; /* no system call has this number */
enum { HANG_ONE_IN = 40, JAVA_ONE_IN = 8 };

static struct worker {
	pid_t pid;          /* 0: to be started at start_ms */
	uint64_t start_ms;
	uint64_t stopped_ms; /* since when it is stopped; 0: it is not */
	uint64_t generations[PORTS]; /* + 1, of the ports that it had then; 0: not its */
} workers[WORKERS];

/* Of each worker, what its predecessor's death left to be recovered. */
static struct death {
	pid_t pid;
	uint64_t since_ms;  /* 0: nothing */
	uint64_t generations[PORTS];
} deaths[WORKERS];

static struct ledger *ledger;
static char ledger_path[128];
static char **java;
static struct xseg *xs;
static struct addresses in_c, in_library;
static char library[256];
static uint32_t kills, java_kills, with_requests, hung, slowest_ms, stalled_ms, pauses;

static int in_java(uint32_t worker)
{
	return worker == 1 || worker == BLOCKERS + 1 || worker == WORKERS - 1;
}

static const char *name_of(uint32_t worker)
{
	static const char *const names[] = { "C blocker", "C composer", "C client",
					     "Java blocker", "Java composer", "Java client" };

	return names[3 * in_java(worker) + (worker >= BLOCKERS) + (worker >= BLOCKERS + COMPOSERS)];
}

/* --- starting ----------------------------------------------------------- */

static void start(uint32_t worker)
{
	uint64_t seed = rnd();
	char number[16], *arguments[256];
	int n = 0;

	__atomic_store_n(&ledger->workers[worker].progress, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&ledger->workers[worker].out, 0, __ATOMIC_SEQ_CST);
	workers[worker].start_ms = now_ms();
	workers[worker].pid = fork();
	CHECK(workers[worker].pid >= 0);
	if (workers[worker].pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	if (!in_java(worker))
		torture_worker(worker, test_segment, ledger, seed);
	while (java[n] && n < 250) {
		arguments[n] = java[n];
		n++;
	}
	snprintf(number, sizeof(number), "%u", worker);
	arguments[n++] = test_segment;
	arguments[n++] = ledger_path;
	arguments[n++] = number;
	arguments[n] = NULL;
	execv(arguments[0], arguments);
	perror(arguments[0]);
	_exit(1);
}

static int is_warm(uint32_t worker)
{
	return workers[worker].pid && !workers[worker].stopped_ms &&
	       __atomic_load_n(&ledger->workers[worker].progress, __ATOMIC_SEQ_CST) >= WARM;
}

/* --- looking ------------------------------------------------------------ */

static int is_of(uint32_t port, pid_t pid)
{
	const struct xseg_port *p = xs_port(xs, port);

	return xs_load(&p->state) != XSEG_PORT_FREE && xs_load(&p->pid) == (uint32_t)pid;
}

/* Requests that pid has sent, or been sent, and that are not finished. */
static uint32_t on_their_way(pid_t pid)
{
	uint32_t n = 0;

	for (uint32_t slot = 0; slot < xs->h.nr_requests; slot++) {
		uint64_t hand = xs_load(&xs_slot(xs, slot)->hand);
		uint32_t src = xs_load(&xs_slot(xs, slot)->src), dst = hand >> 32, state = hand;

		if (state == XSEG_REQUEST_FREE || !xs_source_of(xs, slot))
			continue;
		n += is_of(src, pid) || (state != XSEG_REQUEST_DONE && is_of(dst, pid));
	}
	return n;
}

/* Whether another has accepted a request of pid's: one that is stopped, or waits for it. */
static int is_with_others(pid_t pid)
{
	for (uint32_t slot = 0; slot < xs->h.nr_requests; slot++)
		if (xs_load(&xs_slot(xs, slot)->state) == XSEG_REQUEST_ACCEPTED &&
		    xs_source_of(xs, slot) && is_of(xs_load(&xs_slot(xs, slot)->src), pid))
			return 1;
	return 0;
}

static void note_generations(pid_t pid, uint64_t *generations)
{
	for (uint32_t port = 0; port < PORTS; port++)
		generations[port] = is_of(port, pid) ?
			xs_load(&xs_port(xs, port)->generation) + 1ULL : 0;
}

/* --- where it is ---------------------------------------------------------- */

static const char *system_call(long number, char *text, size_t size)
{
	static const struct {
		long number;
		const char *name;
	} names[] = { { SYS_futex, "futex wait" }, { FUTEX_WAKING, "futex wake" }, { SYS_epoll_wait, "epoll_wait" },
		      { SYS_epoll_pwait, "epoll_wait" }, { SYS_clock_nanosleep, "nanosleep" },
		      { SYS_fcntl, "fcntl" }, { SYS_write, "write" }, { SYS_read, "read" },
		      { SYS_openat, "open" }, { SYS_newfstatat, "stat" },
		      { SYS_close, "close" }, { SYS_kill, "kill" } };

	snprintf(text, size, "(system call %ld)", number);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].number == number)
			snprintf(text, size, "(%s)", names[i].name);
	return text;
}

/* Which file the code at pc is of, "" of none; *from: where that begins. */
static void file_at(pid_t pid, unsigned long pc, char *file, size_t size, unsigned long *from)
{
	char path[64], line[512], name[256];
	unsigned long start, end, offset;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	snprintf(file, size, "%s", "");
	while (maps && fgets(line, sizeof(line), maps)) {
		name[0] = 0;
		if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %255s", &start, &end, &offset, name) < 3 ||
		    pc < start || pc >= end)
			continue;
		snprintf(file, size, "%s", name);
		*from = start - offset;
	}
	if (maps)
		fclose(maps);
}

static void note_java_place(pid_t pid, const char *who, long number, unsigned long pc)
{
	char file[256], text[64];
	unsigned long from = 0;

	if (number >= 0) {
		count_point(who, system_call(number, text, sizeof(text)), "-");
		return;
	}
	file_at(pid, pc, file, sizeof(file), &from);
	if (strstr(file, "/libxseg.so")) {
		if (!library[0]) {
			snprintf(library, sizeof(library), "%s", file);
			open_addresses(&in_library, library);
		}
		note_address(&in_library, who, pc - from);
	} else {
		count_point(who, !file[0] ? "(compiled or interpreted)" : strstr(file, "libjvm") ?
			    "(jvm)" : strstr(file, "libc") ? "(libc)" : "(jna)", "-");
	}
}

static void note_c_place(const char *who, long number, unsigned long pc)
{
	extern const char __executable_start, etext;
	unsigned long from = (uintptr_t)&__executable_start;
	char text[64];

	if (number >= 0)
		count_point(who, system_call(number, text, sizeof(text)), "-");
	else
		note_address(&in_c, who, pc >= from && pc < (uintptr_t)&etext ? pc - from : 0);
}

/* Where a thread of a stopped process is. */
struct place {
	long number;      /* of its system call; -1: none */
	unsigned long pc;
};

static struct place place_of(const char *path)
{
	struct place place = { .number = -1 };
	char line[256] = "", *last;
	unsigned long second = 0;
	FILE *file = fopen(path, "re");

	if (file && fgets(line, sizeof(line), file) && (last = strrchr(line, ' ')) &&
	    sscanf(line, "%ld %*x %lx", &place.number, &second) >= 1)
		place.pc = strtoul(last, NULL, 16);
	if (file)
		fclose(file);
	if (place.number == SYS_restart_syscall)
		place.number = SYS_futex; /* waiting goes on after a stop */
	else if (place.number == SYS_futex && second & 1)
		place.number = FUTEX_WAKING;
	return place;
}

static int is_reactor(const char *task)
{
	char path[64], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/comm", task);
	file = fopen(path, "re");
	if (file && !fgets(name, sizeof(name), file))
		name[0] = 0;
	if (file)
		fclose(file);
	return !strncmp(name, "torture-", 8);
}

/*
 * Of the threads that do the work (in Java the reactors, torture-WORKER-N): notes where
 * they are, if asked to, and returns whether one of them runs.
 */
static int look_at_threads(uint32_t worker, int note)
{
	char path[64];
	glob_t tasks;
	int runs = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/*", workers[worker].pid);
	if (glob(path, 0, NULL, &tasks))
		return 0;
	for (size_t i = 0; i < tasks.gl_pathc; i++) {
		struct place place;

		if (in_java(worker) && !is_reactor(tasks.gl_pathv[i]))
			continue;
		snprintf(path, sizeof(path), "%s/syscall", tasks.gl_pathv[i]);
		place = place_of(path);
		runs |= place.number < 0;
		if (note && in_java(worker))
			note_java_place(workers[worker].pid, name_of(worker), place.number, place.pc);
		else if (note)
			note_c_place(name_of(worker), place.number, place.pc);
	}
	globfree(&tasks);
	return runs;
}

/* --- life and death ----------------------------------------------------- */

/* It is dead: what it had is to be free, or another's, within RECOVERY_MS. */
static void died(uint32_t worker)
{
	struct worker *w = &workers[worker];
	struct death *d = &deaths[worker];

	CHECK(!d->since_ms); /* its predecessor's death was long ago: it was warm */
	d->pid = w->pid;
	d->since_ms = now_ms();
	memcpy(d->generations, w->generations, sizeof(d->generations));
	/* Of a death in Java the supervisor learns, and has it recovered, as it does in earnest. */
	if (in_java(worker) || below(2))
		CHECK(xseg_recover_dead(xs) >= 0);
	w->pid = 0;
	w->stopped_ms = 0;
	w->start_ms = now_ms() + (in_java(worker) || below(4) ? 0 : below(300));
	kills++;
	java_kills += in_java(worker);
}

static void end(uint32_t worker)
{
	uint32_t n = on_their_way(workers[worker].pid);
	int status;

	kill(workers[worker].pid, SIGKILL);
	CHECK_EQ(waitpid(workers[worker].pid, &status, 0), workers[worker].pid);
	CHECK(WIFSIGNALED(status));
	with_requests += n > 0;
	died(worker);
}

static uint32_t stopped_workers(void)
{
	uint32_t n = 0;

	for (uint32_t worker = 0; worker < WORKERS; worker++)
		n += workers[worker].stopped_ms != 0;
	return n;
}

static void supervise(void);
static void supervise_for(uint64_t us);
static pid_t awaited; /* 0, or one that is to stop; and then 0 again */

/* One in C has its own CPU time stop it: so it is stopped while it runs, not while it waits. */
static int stops_by_itself(uint32_t worker)
{
	uint64_t until = now_ms() + ITSELF_MS;

	awaited = workers[worker].pid;
	__atomic_store_n(&ledger->workers[worker].stop_us, 1 + below(2000), __ATOMIC_SEQ_CST);
	while (awaited && now_ms() < until) {
		supervise();
		usleep(100);
	}
	__atomic_store_n(&ledger->workers[worker].stop_us, 0, __ATOMIC_SEQ_CST);
	return !awaited;
}

static void stop_now(uint32_t worker)
{
	pid_t pid = workers[worker].pid;
	int status;

	awaited = 0;
	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
}

/*
 * Stops it, with something to lose, mostly; one in Java while a reactor runs, mostly.  0
 * where that is not so for a while: it goes on.
 */
static int stop(uint32_t worker)
{
	int is_in_java = in_java(worker), sends;

	for (int tries = 0; tries < TRIES; tries++) {
		if (is_in_java || !stops_by_itself(worker))
			stop_now(worker);
		sends = on_their_way(workers[worker].pid) || !below(200);
		if (sends && (!is_in_java || look_at_threads(worker, 0) || tries == TRIES - 1))
			return 1;
		kill(workers[worker].pid, SIGCONT);
		supervise_for(below(1000));
	}
	return 0;
}

/* Stopped first, so that where it is and what it has can be seen. */
static void kill_or_hang(uint32_t worker)
{
	struct worker *w = &workers[worker];

	if (!stop(worker))
		return;
	look_at_threads(worker, 1);
	note_generations(w->pid, w->generations);
	if (stopped_workers() || below(HANG_ONE_IN)) {
		end(worker);
	} else {
		w->stopped_ms = now_ms();
		hung++;
	}
}

static uint64_t last_beat_ms(pid_t pid)
{
	uint64_t last = 0;

	for (uint32_t port = 0; port < PORTS; port++)
		if (is_of(port, pid) && xs_load(&xs_port(xs, port)->heartbeat) > last)
			last = xs_load(&xs_port(xs, port)->heartbeat);
	return last / 1000000;
}

/* Nothing of a process that may yet go on is given to others. */
static void look_after_stopped(uint32_t worker)
{
	struct worker *w = &workers[worker];
	uint64_t generations[PORTS];

	note_generations(w->pid, generations);
	CHECK(!memcmp(generations, w->generations, sizeof(generations)));
	for (uint32_t port = 0; port < PORTS; port++)
		CHECK(!generations[port] ||
		      xs_load(&xs_port(xs, port)->state) == XSEG_PORT_BOUND);
	if (xs_boottime_ns() / 1000000 > last_beat_ms(w->pid) + LIVENESS_MS)
		end(worker);
}

static void look_after_death(uint32_t worker)
{
	static uint64_t next;
	struct death *d = &deaths[worker];
	uint32_t left = 0;
	uint64_t ms;

	/*
	 * A composer may wait for a blocker to be started again, and a client's requests
	 * with it; a blocker works on while it is stopped, as far as anyone can tell.
	 */
	if (is_with_others(d->pid) && (worker >= BLOCKERS + COMPOSERS || stopped_workers()))
		d->since_ms = now_ms();
	for (uint32_t port = 0; port < PORTS; port++)
		left += d->generations[port] && is_of(port, d->pid) &&
			xs_load(&xs_port(xs, port)->generation) + 1ULL == d->generations[port];
	ms = now_ms() - d->since_ms;
	if (!left) {
		slowest_ms = ms > slowest_ms ? ms : slowest_ms;
		d->since_ms = 0;
		return;
	}
	if (ms > RECOVERY_MS) {
		fprintf(stderr, "%s (worker %u, process %d): %u ports not recovered after %llu ms\n",
			name_of(worker), worker, d->pid, left, (unsigned long long)ms);
		xseg_report_all(xs, stderr);
		CHECK(ms <= RECOVERY_MS);
	}
	/* It looks again; in C the others are given time to do it without. */
	if ((in_java(worker) || ms > RECOVERY_MS / 2) && now_ms() >= next) {
		next = now_ms() + LOOK_MS;
		CHECK(xseg_recover_dead(xs) >= 0);
	}
}

/* While the machine does not let even this process run, nobody can recover anything. */
static void look_at_clock(void)
{
	static uint64_t last;
	uint64_t ms = now_ms(), gap = last ? ms - last : 0;

	last = ms;
	if (gap < STALL_MS)
		return;
	stalled_ms += gap;
	for (uint32_t worker = 0; worker < WORKERS; worker++)
		if (deaths[worker].since_ms)
			deaths[worker].since_ms = deaths[worker].since_ms + gap < ms ?
				deaths[worker].since_ms + gap : ms;
}

static void supervise(void)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG | WUNTRACED);

	look_at_clock();

	if (pid > 0 && WIFSTOPPED(status) && pid == awaited) {
		awaited = 0;
	} else if (pid > 0 && WIFSTOPPED(status)) {
		kill(pid, SIGCONT); /* it was told to, and came to that too late */
	} else if (pid > 0) {
		for (uint32_t worker = 0; worker < WORKERS; worker++)
			if (workers[worker].pid == pid) {
				workers[worker].pid = 0;
				fprintf(stderr, "%s, process %d, ended by itself: status %#x\n",
					name_of(worker), pid, status);
			}
		CHECK(pid <= 0);
	}
	for (uint32_t worker = 0; worker < WORKERS; worker++) {
		if (deaths[worker].since_ms)
			look_after_death(worker);
		if (workers[worker].stopped_ms)
			look_after_stopped(worker);
		if (!workers[worker].pid && now_ms() >= workers[worker].start_ms)
			start(worker);
		CHECK(__atomic_load_n(&ledger->workers[worker].progress, __ATOMIC_SEQ_CST) ||
		      workers[worker].stopped_ms || now_ms() < workers[worker].start_ms + START_MS);
	}
}

static void supervise_for(uint64_t us)
{
	for (uint64_t done = 0; done <= us; done += 500) {
		supervise();
		usleep(us < 500 ? us : 500);
	}
}

/* --- pauses, and the end --------------------------------------------------- */

static void set_phase(enum phase phase)
{
	__atomic_store_n(&ledger->phase, phase, __ATOMIC_SEQ_CST);
}

static int is_quiet(void)
{
	for (uint32_t worker = 0; worker < WORKERS; worker++)
		if (!workers[worker].pid || workers[worker].stopped_ms || deaths[worker].since_ms ||
		    !__atomic_load_n(&ledger->workers[worker].progress, __ATOMIC_SEQ_CST) ||
		    __atomic_load_n(&ledger->workers[worker].out, __ATOMIC_SEQ_CST))
			return 0;
	return 1;
}

static void expect_living_owners(void)
{
	for (uint32_t port = 0; port < PORTS; port++) {
		uint32_t owners = xs_load(&xs_port(xs, port)->state) == XSEG_PORT_FREE;

		for (uint32_t worker = 0; worker < WORKERS; worker++)
			owners += workers[worker].pid && is_of(port, workers[worker].pid);
		CHECK_EQ(owners, 1);
	}
}

/* What a client that was killed had sent last may be there, or in part, or not. */
static void expect_disk(int all)
{
	for (uint64_t cell = 0; cell < CELLS; cell++) {
		uint64_t number = ledger->cells[cell].answered;

		if (!all && number != ledger->cells[cell].sent)
			continue;
		CHECK(number > 0 && number == ledger->cells[cell].sent);
		for (uint64_t i = 0; i < PAGE_WORDS; i++)
			CHECK(ledger->disk[cell][i] == expected_word(cell, number, i));
	}
}

/* All that was asked is answered meanwhile. */
static void pause_all(void)
{
	uint64_t until = now_ms() + PAUSE_MS;

	set_phase(PAUSE);
	do {
		CHECK(now_ms() < until);
		supervise_for(5000);
	} while (!is_quiet());
	usleep(20000); /* a client may have looked at the phase just before it was set */
	while (!is_quiet()) {
		CHECK(now_ms() < until);
		supervise_for(5000);
	}
	CHECK_EQ(xseg_verify(xs, stderr), 0);
	expect_living_owners();
	expect_disk(0);
	pauses++;
}

/* All clients have written to all their cells. */
static void supervise_until_warm(void)
{
	uint32_t warm;

	do {
		supervise_for(100000);
		warm = 0;
		for (uint32_t worker = 0; worker < WORKERS; worker++)
			warm += is_warm(worker) && ledger->workers[worker].progress > 100;
	} while (warm < WORKERS);
}

static void end_phase(enum phase phase, uint32_t from, uint32_t n)
{
	uint64_t until = now_ms() + PAUSE_MS;
	int status;

	set_phase(phase);
	for (uint32_t worker = from; worker < from + n; worker++) {
		while (!waitpid(workers[worker].pid, &status, WNOHANG)) {
			CHECK(now_ms() < until);
			usleep(1000);
		}
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			fprintf(stderr, "%s ended with status %#x\n", name_of(worker), status);
		CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
		workers[worker].pid = 0;
	}
}

/* All slots and pages can be had again. */
static void expect_all_free(void)
{
	uint32_t port = 0;

	for (port = 0; port < PORTS; port++)
		CHECK_EQ(xs_load(&xs_port(xs, port)->state), XSEG_PORT_FREE);
	for (port = 0; port < xs->h.nr_requests / RING; port++)
		CHECK_EQ(xseg_bind(xs, port, RING, port ? 0 : xs->h.data_pages * XSEG_PAGE, "all",
				   port), 0);
	CHECK_EQ(xseg_verify(xs, stderr), 0);
	while (port--)
		CHECK_EQ(xseg_unbind(xs, port), 0);
}

/* Before the segment goes: bells of the living stay. */
static void clean_up(void)
{
	if (getpid() != test_process)
		return;
	for (uint32_t worker = 0; worker < WORKERS; worker++)
		if (workers[worker].pid) {
			kill(workers[worker].pid, SIGKILL);
			waitpid(workers[worker].pid, NULL, 0);
		}
	unlink(ledger_path);
}

static void interrupted(int signal)
{
	clean_up();
	test_interrupted(signal);
}

static void make_ledger(void)
{
	int fd;

	snprintf(ledger_path, sizeof(ledger_path), "/dev/shm/%s.ledger", test_segment);
	atexit(clean_up);
	signal(SIGTERM, interrupted);
	signal(SIGINT, interrupted);
	fd = open(ledger_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && !ftruncate(fd, sizeof(*ledger)));
	ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(ledger != MAP_FAILED);
	close(fd);
}

/* One that has something to lose; one in JAVA_ONE_IN is to be in Java, at least. */
static uint32_t choose(void)
{
	uint32_t worker = below(WORKERS);

	if (!is_warm(worker) || deaths[worker].since_ms ||
	    (java_kills * JAVA_ONE_IN < kills && !in_java(worker)))
		return WORKERS;
	return worker;
}

int main(int argc, char **argv)
{
	uint32_t wanted = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	uint64_t from = now_ms(), done = 0;
	uint32_t stretch = wanted / 20 > 100 ? wanted / 20 : 100, next_pause = stretch;

	if (!wanted) {
		fprintf(stderr, "usage: torture KILLS PROGRAM ARGUMENT...\n");
		return 2;
	}
	java = argv + 2;
	test_begin("torture");
	make_ledger();
	open_addresses(&in_c, argv[0]);
	xs = make(PORTS, RING, 8 * RING, 128 * 4096);
	for (uint32_t worker = 0; worker < WORKERS; worker++)
		start(worker);
	while (kills < wanted) {
		uint32_t worker = choose();

		supervise_for(worker < WORKERS ? below(10000) : 100);
		if (worker < WORKERS && is_warm(worker))
			kill_or_hang(worker);
		if (kills >= next_pause) {
			pause_all();
			set_phase(RUN);
			next_pause += stretch;
			printf("  %u killed\n", kills);
			fflush(stdout);
		}
	}
	supervise_until_warm();
	pause_all();
	end_phase(END_CLIENTS, BLOCKERS + COMPOSERS, CLIENTS);
	end_phase(END_COMPOSERS, BLOCKERS, COMPOSERS);
	end_phase(END_BLOCKERS, 0, BLOCKERS);
	expect_disk(1);
	CHECK_EQ(xseg_verify(xs, stderr), 0);
	expect_all_free();
	for (uint64_t cell = 0; cell < CELLS; cell++)
		done += ledger->cells[cell].answered;
	name_addresses(&in_c);
	if (library[0])
		name_addresses(&in_library);
	report_points(argv[0]);
	printf("  %u killed in %llu s, %u of them in Java, %u stopped for %u ms first; %u had requests "
	       "on their way\n  slowest recovery %u ms (not counting %u in which the machine stood still); %u pauses; "
	       "%llu writes answered and as many read\n", kills, (unsigned long long)(now_ms() - from) / 1000, java_kills, hung,
	       LIVENESS_MS, with_requests, slowest_ms, stalled_ms, pauses, (unsigned long long)done);
	CHECK(with_requests * 10 >= kills * 9);
	CHECK(java_kills * JAVA_ONE_IN >= kills - kills / 10);
	xseg_leave(xs);
	return test_exit_code;
}
