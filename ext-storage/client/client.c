// SPDX-License-Identifier: BSD-2-Clause
/*
 * The front of vlmc, archipelago and Ganeti's ext-storage scripts: hands the command line to archipelagod over
 * RUN/control.sock, copies back what it prints, and returns its exit code. Where no daemon runs, a JVM of its own does
 * the work (LIB/jvm).
 *
 * The conversation: the client sends the 8 bytes "ARCTL001", then frames { u8 type; u8 zero[3]; u32 LE length; payload }
 * with at most 64 KiB of payload.
 *   client: P program, A argument, E NAME=value, W current directory, T "stdin stdout stderr columns" (1 = a terminal),
 *           G go; then, in answer to a verb, o captured output (any number) and s exit status (u32 LE)
 *   server: K still here (the first frame comes within 10 s after G, then one at least each 30 s), O for stdout,
 *           R for stderr, V a verb (words with a NUL between), X exit code (u32 LE), which ends it
 * What the verbs are, and what keeps a daemon from running anything else as root: verbs.c.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "client.h"

enum {
	HEAD = 8, MAX_WORDS = 256, MAX_SENT = 1 << 20,
	FIRST_MS = 10000, SILENCE_MS = 40000,	/* a keep-alive is due each 30 s */
	END_MS = 30000,				/* from the answer to a stop to the end of the daemon's process */
	COMES_MS = 20000, AGAIN_MS = 50,	/* a daemon that is starting or stopping is waited for */
	STOPPED_S = 3,				/* one that has stopped may be restarting: from its end to the next one's first word */
	AGAIN = -1,				/* no exit code: the daemon is about to end, and has done nothing */
};

struct frame {
	uint8_t type, zero[3];
	uint32_t length;
};

static const char *shown = "archipelago", *program;
static int sock = -1, frame_ms;
static char control[PATH_MAX + 16];
char **args, lib[PATH_MAX], run[PATH_MAX];
int nargs;

static void say(const char *format, va_list list)
{
	char text[8192];

	vsnprintf(text, sizeof(text), format, list);
	dprintf(2, "%s: %s\n", shown, text);
}

void fail(int code, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say(format, list);
	exit(code);
}

int refuse(int status, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say(format, list);
	va_end(list);
	return status;
}

/* ---- who we are, where our siblings are ---- */

bool one_of(const char *word, const char *list)
{
	const char *p = list;
	size_t n = strlen(word);

	while (n && !strchr(word, ' ') && (p = strstr(p, word))) {
		if ((p == list || p[-1] == ' ') && (!p[n] || p[n] == ' '))
			return true;
		p += n;
	}
	return false;
}

static void identify(int argc, char **argv)
{
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;

	shown = slash ? slash + 1 : argc ? argv[0] : "client";
	args = argv + (argc > 0);
	if (one_of(shown, "create attach detach remove grow setinfo verify snapshot open close")) {
		program = "ext-storage";
		argv[0] = (char *)shown;	/* the action is the first argument */
		args = argv;
	} else if (one_of(shown, "vlmc archipelago")) {
		program = shown;
	} else if (argc > 1 && one_of(argv[1], "vlmc archipelago ext-storage")) {
		program = shown = argv[1];
		args = argv + 2;
	} else {
		fail(E_USAGE, "call it as vlmc or archipelago, as one of the ext-storage scripts, or as %s PROGRAM ARGUMENTS "
		     "with the program vlmc, archipelago or ext-storage", shown);
	}
	while (args[nargs])
		nargs++;
}

static void find_places(void)
{
	const char *root = getenv("ARCHIPELAGO_ROOT");
	ssize_t n = readlink("/proc/self/exe", lib, sizeof(lib) - 1);
	char *slash;

	if (n <= 0 || n == sizeof(lib) - 1 || !(slash = strrchr(lib, '/')))
		fail(E_INSTALL, "cannot find out where it is installed (/proc/self/exe: %s): is /proc mounted?", strerror(errno));
	*slash = 0;
	n = root && *root ? snprintf(run, sizeof(run), "%s/run", root) : snprintf(run, sizeof(run), "/run/archipelago");
	snprintf(control, sizeof(control), "%s/control.sock", run);
	if ((size_t)n >= sizeof(run) || strlen(control) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		fail(E_USAGE, "ARCHIPELAGO_ROOT is too long: the path of a socket has at most 107 bytes");
}

/* Ganeti's node daemon passes on whatever it was started with. */
static void clean_environment(void)
{
	static const char *const drop[] = { "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "LD_PRELOAD" };

	for (size_t i = 0; i < sizeof(drop) / sizeof(*drop); i++)
		unsetenv(drop[i]);
	if (!strcmp(program, "ext-storage"))
		setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
}

__attribute__((noreturn)) static void run_jvm(void)
{
	char path[PATH_MAX + 8], **argv = calloc(nargs + 3, sizeof(*argv));

	if (!argv)
		fail(E_INSTALL, "out of memory");
	snprintf(path, sizeof(path), "%s/jvm", lib);
	argv[0] = path;
	argv[1] = (char *)program;
	memcpy(argv + 2, args, nargs * sizeof(*argv));
	execv(path, argv);
	fail(E_INSTALL, "cannot run %s: %s: the installation is incomplete; install archipelago again", path, strerror(errno));
}

/* Place of the command among the arguments; nargs where there is none. */
int command_place(void)
{
	int i = 0;

	while (i < nargs && args[i][0] == '-')
		i += one_of(args[i], "-c --config") ? 2 : 1;
	return i < nargs ? i : nargs;
}

/* start, restart and config are about a daemon that may not be there, or not answer; bench is a process of its own */
static bool needs_jvm(void)
{
	int i = command_place();

	return !strcmp(program, "archipelago") && i < nargs && one_of(args[i], "start restart config bench");
}

/* Whether the daemon itself is asked to end: then the command is over when its process is. */
static bool ends_daemon(void)
{
	int i = command_place();

	if (strcmp(program, "archipelago") || i == nargs || strcmp(args[i], "stop"))
		return false;
	for (i++; i < nargs; i++)
		if (args[i][0] != '-' || !strcmp(args[i], "-h") || !strcmp(args[i], "--help"))
			return false;	/* a role, or a question */
	return true;
}

/* ---- sending ---- */

static uint8_t *request;
static size_t requested;

static void add(char type, const char *data, size_t length)
{
	struct frame head = { .type = type, .length = htole32(length) };
	size_t most = MAX_SENT + 4096 + (2 * MAX_WORDS + 8) * HEAD;

	if (length > PAYLOAD)
		fail(E_USAGE, "an argument or environment variable of %zu bytes, %d is the limit: \"%.40s...\"", length, PAYLOAD, data);
	if (!request && !(request = malloc(most)))
		fail(E_INSTALL, "out of memory");
	if (requested + HEAD + length > MAX_SENT)
		fail(E_USAGE, "the arguments and the environment (VOL_*, EXTP_*, ARCHIPELAGO_*) are longer than %d bytes together: "
		     "shorten them", MAX_SENT);
	memcpy(request + requested, &head, HEAD);
	memcpy(request + requested + HEAD, data, length);
	requested += HEAD + length;
}

static bool passed_on(const char *variable)
{
	static const char *const start[] = { "VOL_", "EXTP_", "ARCHIPELAGO_", "LANG=", "TERM=", "COLUMNS=", "NO_COLOR=" };

	for (size_t i = 0; i < sizeof(start) / sizeof(*start); i++)
		if (!strncmp(variable, start[i], strlen(start[i])))
			return true;
	return false;
}

static void build_request(void)
{
	struct winsize window = { 0 };
	char text[PATH_MAX];
	int variables = 0;

	add('P', program, strlen(program));
	if (nargs > MAX_WORDS)
		fail(E_USAGE, "%d arguments, %d is the limit", nargs, MAX_WORDS);
	for (int i = 0; i < nargs; i++)
		add('A', args[i], strlen(args[i]));
	for (char **e = environ; *e; e++) {
		if (!passed_on(*e))
			continue;
		if (++variables > MAX_WORDS)
			fail(E_USAGE, "more than %d environment variables VOL_*, EXTP_*, ARCHIPELAGO_*: unset some", MAX_WORDS);
		add('E', *e, strlen(*e));
	}
	if (!getcwd(text, sizeof(text)))
		strcpy(text, "/");
	add('W', text, strlen(text));
	if (ioctl(1, TIOCGWINSZ, &window) && ioctl(2, TIOCGWINSZ, &window))
		window.ws_col = 80;
	snprintf(text, sizeof(text), "%d %d %d %d", isatty(0), isatty(1), isatty(2), window.ws_col ? window.ws_col : 80);
	add('T', text, strlen(text));
	add('G', "", 0);
}

__attribute__((noreturn)) static void silent(int ms)
{
	fail(E_AWAY, "archipelagod does not answer on %s for %d s: it is stopped or overloaded; look at its log and at "
	     "`archipelago status`, or restart it, then repeat the command", control, ms / 1000);
}

__attribute__((noreturn)) static void went_away(void)
{
	char line[512] = "";
	size_t n = 0;

	for (int i = 0; i < nargs && n < sizeof(line); i++)
		n += snprintf(line + n, sizeof(line) - n, " %s", args[i]);
	fail(E_AWAY, "archipelagod went away while it worked on this (%s%s%s); look at its log, then repeat the command; "
	     "a create, snapshot, import or rename may have been done already", program, line, n >= sizeof(line) ? "..." : "");
}

/* A server that has had enough may answer and close early: its answer is still there to be read. */
static void send_all(const void *data, size_t length)
{
	for (const char *p = data; length;) {
		ssize_t n = send(sock, p, length, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			silent(FIRST_MS);
		if (n < 0)
			return;
		p += n;
		length -= n;
	}
}

void send_frame(char type, const void *data, size_t length)
{
	struct frame head = { .type = type, .length = htole32(length) };

	send_all(&head, HEAD);
	send_all(data, length);
}

static bool dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = FIRST_MS / 1000 };

	memcpy(address.sun_path, control, strlen(control));
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		fail(E_INSTALL, "cannot make a socket: %s", strerror(errno));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));	/* holds for connect too */
	frame_ms = FIRST_MS;
	if (!connect(sock, (struct sockaddr *)&address, sizeof(address)))
		return true;
	if (errno == EAGAIN || errno == EINPROGRESS)
		silent(FIRST_MS);
	if (errno == EACCES || errno == EPERM)
		fail(E_ROOT, "cannot connect to %s: %s: run it as root or as a member of the group archipelago", control, strerror(errno));
	if (errno != ENOENT && errno != ECONNREFUSED && errno != ENOTDIR)
		fail(E_AWAY, "cannot connect to %s: %s", control, strerror(errno));
	close(sock);
	return false;
}

/* ---- receiving ---- */

static uint8_t inbox[HEAD + PAYLOAD];
static size_t in_start, in_end;

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Makes the inbox hold at least this many bytes from in_start on. */
static bool receive(size_t wanted, int limit, long long deadline)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };

	if (in_start + wanted > sizeof(inbox)) {
		memmove(inbox, inbox + in_start, in_end - in_start);
		in_end -= in_start;
		in_start = 0;
	}
	while (in_end - in_start < wanted) {
		long long left = deadline - now_ms();
		int ready = poll(&p, 1, left > 0 ? left : 0);
		ssize_t n;

		if (!ready)
			silent(limit);
		if (ready < 0)
			continue;	/* EINTR: stopped and continued */
		n = recv(sock, inbox + in_end, sizeof(inbox) - in_end, 0);
		if (!n || (n < 0 && errno != EINTR))
			return false;
		in_end += n > 0 ? n : 0;
	}
	return true;
}

/* The payload stays valid until the next call. */
static bool next_frame(struct frame *head, const uint8_t **payload)
{
	long long deadline = now_ms() + frame_ms;

	if (in_start == in_end)
		in_start = in_end = 0;
	if (!receive(HEAD, frame_ms, deadline))
		return false;
	memcpy(head, inbox + in_start, HEAD);
	head->length = le32toh(head->length);
	if (head->zero[0] || head->zero[1] || head->zero[2] || head->length > PAYLOAD)
		fail(E_PROTOCOL, "%s sent what is no frame (type 0x%02x, length %u): is it archipelagod, and of this version? "
		     "restart it", control, head->type, head->length);
	if (!receive(HEAD + head->length, frame_ms, deadline))
		return false;
	*payload = inbox + in_start + HEAD;
	in_start += HEAD + head->length;
	frame_ms = SILENCE_MS;
	return true;
}

/* Whoever reads our output may have gone (EPIPE): the work goes on. Any other loss of output is told in the exit code. */
static bool output_lost;

static void output(int fd, const uint8_t *data, size_t length)
{
	static bool dead[3];

	while (length && !dead[fd]) {
		ssize_t n = write(fd, data, length);

		if (n < 0 && errno == EAGAIN) {
			poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			dead[fd] = true;
			if (errno != EPIPE && fd == 1) {
				output_lost = true;
				refuse(0, "cannot write to stdout: %s: the rest of the output is lost", strerror(errno));
			}
		} else if (n > 0) {
			data += n;
			length -= n;
		}
	}
}

/* patient: one that is stopping is not asked for the last time, so what it says of that is not for the user. */
static int converse(bool patient)
{
	bool stops = false, begun = false;

	for (;;) {
		const uint8_t *payload;
		struct frame head;
		uint32_t code;

		if (!next_frame(&head, &payload)) {
			if (patient && !begun && in_start == in_end)
				return AGAIN;
			went_away();
		}
		begun = true;	/* the first thing that a command at work does is to say so */
		if (patient && head.type == 'R' && memmem(payload, head.length, "archipelagod is stopping", 24)) {
			stops = true;
			continue;
		}
		patient = patient && head.type == 'K';	/* once it does something, that is no more so */
		if (head.type == 'O' || head.type == 'R') {
			output(head.type == 'O' ? 1 : 2, payload, head.length);
		} else if (head.type == 'V') {
			answer_verb(payload, head.length);
		} else if (head.type == 'X' && head.length == sizeof(code)) {
			memcpy(&code, payload, sizeof(code));
			code = le32toh(code);
			if (code == E_AWAY && stops)
				return AGAIN;
			if (code <= 255)
				return code ? (int)code : output_lost ? E_OUTPUT : 0;
			fail(E_PROTOCOL, "archipelagod sent the exit code %u, 255 is the largest: restart it", code);
		} else if (head.type != 'K' || head.length) {
			fail(E_PROTOCOL, "archipelagod sent a frame of type 0x%02x and length %u, which this client does not know: "
			     "they are of different versions; restart archipelagod", head.type, head.length);
		}
	}
}

/* A descriptor of the daemon's process; -1 where it cannot be had. */
static int daemon_process(void)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &length) || peer.pid <= 0)
		return -1;
	return syscall(SYS_pidfd_open, peer.pid, 0);
}

static void await_end(int process)
{
	struct pollfd end = { .fd = process, .events = POLLIN };

	if (process >= 0 && poll(&end, 1, END_MS) == 0)
		fail(E_AWAY, "archipelagod has stopped serving, but its process has not ended within %d s: look at its log; "
		     "kill -9 loses no write that was answered", END_MS / 1000);
}

/* ---- a daemon that comes or goes ---- */

/* Start time in clock ticks since boot; 0: no such process, or it is a zombie. */
static unsigned long long start_time(int pid)
{
	unsigned long long start = 0;
	char path[32], text[1024], state, *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	p = strrchr(text, ')');		/* the command's name may hold anything */
	if (!p || sscanf(p, ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu", &state, &start) != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : start;
}

/*
 * Whether a daemon that does not listen is about to, by RUN/archipelagod.state: it starts, or it stops, and that may be half
 * of a restart. Who works without it would be in the next one's way. A clock that is set in those seconds costs this wait, or one
 * for nothing, and no more: whoever works has the lock of the identity.
 */
static bool daemon_comes(void)
{
	char path[PATH_MAX + 32], text[512], phase[16];
	unsigned long long start;
	struct stat s;
	ssize_t n;
	int pid, fd;

	snprintf(path, sizeof(path), "%s/archipelagod.state", run);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	n = fd < 0 || fstat(fd, &s) ? 0 : read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	if (sscanf(text, "{\"pid\":%d,\"start\":%llu,\"phase\":\"%15[A-Z]", &pid, &start, phase) != 3 || !strcmp(phase, "FAILED"))
		return false;
	return (start && start_time(pid) == start) || (!strcmp(phase, "STOPPED") && llabs(time(NULL) - s.st_mtime) <= STOPPED_S);
}

static int ask(bool patient)
{
	int process = ends_daemon() ? daemon_process() : -1, code;

	if (!requested)
		build_request();
	in_start = in_end = 0;
	send_all("ARCTL001", 8);
	send_all(request, requested);
	code = converse(patient);
	if (code == 0)
		await_end(process);
	close(sock);
	return code;
}

int main(int argc, char **argv)
{
	long long deadline;
	int fd, code;

	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= 2)
		;
	if (fd > 2)
		close(fd);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	identify(argc, argv);
	clean_environment();
	find_places();
	/* what archipelago has to say is about the daemon as it is now */
	deadline = now_ms() + (strcmp(program, "archipelago") ? COMES_MS : 0);
	while (!needs_jvm()) {
		bool patient = now_ms() < deadline;

		if (dial()) {
			code = ask(patient);
			if (code != AGAIN)
				return code;
		} else if (!patient || !daemon_comes()) {
			break;
		}
		poll(NULL, 0, AGAIN_MS);
	}
	signal(SIGPIPE, SIG_DFL);
	run_jvm();
}
