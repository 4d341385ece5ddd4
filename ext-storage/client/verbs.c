// SPDX-License-Identifier: BSD-2-Clause
/*
 * Verbs: the few things that need the caller's rights. A daemon, whoever took it over, gets nothing else run: the verbs
 * are fixed, and each is for certain commands of the user's; a volume's name is checked here, and a file must be the one
 * that the user wrote where the command takes it.
 *
 *   loop-attach NAME  loop-detach NAME  loop-resize NAME               LIB/loop (root only)
 *   nbd-attach NAME  nbd-detach NAME  nbd-resize NAME                  LIB/nbd (root only)
 *   xsegbd-add NAME  xsegbd-remove NAME  xsegbd-refresh NAME           xsegbd.c (root only)
 *   convert-in FORMAT FILE NAME  convert-out FORMAT NAME FILE          qemu-img convert, to or from the volume's socket for that
 *   inspect FILE                                                       qemu-img info, as JSON
 *
 * The status is the program's; 77 it needs root, 78 an argument was refused, 79 it printed more than one frame holds,
 * 126 it could not be started, 127 it is not there.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "client.h"

#define DEVICE_VERBS "loop-attach loop-detach loop-resize nbd-attach nbd-detach nbd-resize xsegbd-add xsegbd-remove xsegbd-refresh"

enum { NAME_BYTES = 80, VERB_WORDS = 4 };

static bool good_name(const char *name)
{
	size_t n = strlen(name);

	return n >= 1 && n <= NAME_BYTES && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+:@-") == n;
}

/* What the user's command needs. One that fails takes back what it did: hence the detach of an attach. */
static bool permitted(const char *verb)
{
	static const struct { const char *commands, *verbs; } needs[] = {
		{ "attach map", DEVICE_VERBS },
		{ "detach unmap", "loop-detach nbd-detach xsegbd-remove" }, { "grow resize", "loop-resize nbd-resize xsegbd-refresh" },
		{ "import", "inspect convert-in" }, { "export", "convert-out" },
	};
	int place = command_place();

	for (size_t i = 0; place < nargs && i < sizeof(needs) / sizeof(*needs); i++)
		if (one_of(args[place], needs[i].commands))
			return one_of(verb, needs[i].verbs);
	return false;
}

/* What follows the command and is no option, nor an option's value. NULL: not so many. */
static const char *operand(int number)
{
	bool options = true;

	for (int i = command_place() + 1; i < nargs; i++) {
		if (options && !strcmp(args[i], "--"))
			options = false;
		else if (options && args[i][0] == '-' && args[i][1])
			i += one_of(args[i], "-c --config --format");
		else if (!number--)
			return args[i];
	}
	return NULL;
}

/* "./x" keeps qemu from taking a name with a colon for a protocol, or one with a dash for an option */
static const char *own_file(const char *file, int place, char *buffer, size_t size)
{
	const char *own = operand(place);

	if (!own || !*own || strcmp(file, own))
		return NULL;
	return snprintf(buffer, size, "%s%s", *file == '/' ? "" : "./", file) < (int)size ? buffer : NULL;
}

__attribute__((noreturn)) static void child(const char *const *argv, int out, pid_t parent)
{
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* qemu-img ends with us; the commands for devices are short and leave no half work behind if they are let finish */
	if (argv[0][0] != '/' && (prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != parent))
		_exit(E_AWAY);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || close_range(3, ~0U, 0)) {
		refuse(0, "cannot set up the descriptors of %s: %s", argv[0], strerror(errno));
		_exit(126);
	}
	execvp(argv[0], (char *const *)argv);
	if (errno == ENOENT && argv[0][0] != '/')
		refuse(0, "%s is not installed: apt install qemu-utils", argv[0]);
	else
		refuse(0, "cannot run %s: %s", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Runs it; sends its output to the server if that is wanted (else it goes to stderr). Returns its exit status. */
static int run_child(const char *const *argv, bool capture)
{
	static uint8_t text[PAYLOAD + 1];
	size_t length = 0;
	pid_t pid, parent = getpid();
	int ends[2] = { -1, -1 }, process, status;
	ssize_t n = 1;

	if (capture && pipe2(ends, O_CLOEXEC))
		return refuse(126, "cannot make a pipe: %s", strerror(errno));
	pid = fork();
	if (!pid)
		child(argv, capture ? ends[1] : 2, parent);
	close(ends[1]);
	process = pid > 0 ? syscall(SYS_pidfd_open, pid, 0) : -1;
	while (pid > 0 && capture && length < sizeof(text) && n) {
		struct pollfd p[2] = { { .fd = ends[0], .events = POLLIN }, { .fd = process, .events = POLLIN } };

		if (poll(p, 2, -1) < 0)
			continue;	/* EINTR: stopped and continued */
		if (!p[0].revents)
			break;		/* it has ended; what it left running has the pipe's other end */
		n = read(ends[0], text + length, sizeof(text) - length);
		if (n < 0 && errno != EINTR)
			break;
		length += n > 0 ? n : 0;
	}
	close(ends[0]);
	close(process);
	if (pid < 0)
		return refuse(126, "cannot start %s: %s", argv[0], strerror(errno));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (length > PAYLOAD)
		return refuse(E_LONG, "%s printed more than %d bytes", argv[0], PAYLOAD);
	if (length)
		send_frame('o', text, length);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* kind: of the device */
static int verb_device(const char *kind, const char *action, const char *name)
{
	char path[PATH_MAX + 8];

	if (!good_name(name))
		return refuse(E_ARGUMENT, "archipelagod asks to %s a device for \"%.100s\", which is no volume's name: refused", action, name);
	if (geteuid())
		return refuse(E_ROOT, "cannot %s a %s device: this needs root; run the command as root, or use the volume's "
			      "NBD socket, which needs no rights", action, kind);
	if (!strcmp(kind, "xsegbd"))
		return xsegbd_verb(action, name);
	snprintf(path, sizeof(path), "%s/%s", lib, kind);
	return run_child((const char *[]){ path, action, name, NULL }, true);
}

static int refuse_file(const char *given)
{
	return refuse(E_ARGUMENT, "archipelagod asks for the file \"%.200s\", which is not the command line's: refused", given);
}

static int verb_inspect(const char *given)
{
	char file[PATH_MAX];

	if (!own_file(given, 0, file, sizeof(file)))
		return refuse_file(given);
	return run_child((const char *[]){ "qemu-img", "info", "--output=json", file, NULL }, true);
}

static int verb_convert(bool in, const char *format, const char *given, const char *name)
{
	char file[PATH_MAX], volume[PATH_MAX + 128];
	const char *argv[16] = { "qemu-img", "convert", "-m", "8" };
	int n = 4;

	if (!one_of(format, "raw qcow2 vmdk vdi vhdx vpc"))
		return refuse(E_ARGUMENT, "the image format \"%.40s\" is not known; raw, qcow2, vmdk, vdi, vhdx and vpc are", format);
	if (!good_name(name))
		return refuse(E_ARGUMENT, "archipelagod asks to convert \"%.100s\", which is no volume's name: refused", name);
	if (!own_file(given, in ? 0 : 1, file, sizeof(file)))
		return refuse_file(given);
	snprintf(volume, sizeof(volume), "nbd:unix:%s/img/%s.sock", run, name);
	if (isatty(2))
		argv[n++] = "-p";
	if (in) {
		argv[n++] = "-n";
		argv[n++] = "-W";
	}
	argv[n++] = "-f";
	argv[n++] = in ? format : "raw";
	argv[n++] = "-O";
	argv[n++] = in ? "raw" : format;
	argv[n++] = in ? file : volume;
	argv[n++] = in ? volume : file;
	return run_child(argv, false);
}

static int run_verb(const char *verb, const char *const *w, int n)
{
	static const char *const kinds[] = { "loop", "nbd", "xsegbd" };

	if (!(n == 1 && one_of(verb, DEVICE_VERBS " inspect")) && !(n == 3 && one_of(verb, "convert-in convert-out")))
		fail(E_PROTOCOL, "archipelagod asks for \"%.40s\" with %d arguments, which this client does not know: they are of "
		     "different versions; restart archipelagod", verb, n);
	if (!permitted(verb))
		return refuse(E_ARGUMENT, "archipelagod asks for \"%s\", which this command does not need: refused; if it goes on, restart "
			      "archipelagod", verb);
	if (!strcmp(verb, "inspect"))
		return verb_inspect(w[0]);
	if (!strcmp(verb, "convert-in"))
		return verb_convert(true, w[0], w[1], w[2]);
	if (!strcmp(verb, "convert-out"))
		return verb_convert(false, w[0], w[2], w[1]);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strncmp(verb, kinds[i], strlen(kinds[i])))
			return verb_device(kinds[i], verb + strlen(kinds[i]) + 1, w[0]);
	return E_ARGUMENT;	/* there is no other */
}

void answer_verb(const uint8_t *payload, size_t length)
{
	static char text[PAYLOAD + 1];
	const char *words[VERB_WORDS] = { text };
	uint32_t status;
	int n = 1;

	memcpy(text, payload, length);
	text[length] = 0;
	for (size_t i = 0; i < length; i++) {
		if (text[i])
			continue;
		if (n == VERB_WORDS)
			fail(E_PROTOCOL, "archipelagod asks for \"%.40s\" with more than %d arguments: they are of different "
			     "versions; restart archipelagod", text, VERB_WORDS - 1);
		words[n++] = text + i + 1;
	}
	status = htole32(run_verb(words[0], words + 1, n - 1));
	send_frame('s', &status, sizeof(status));
}

