// SPDX-License-Identifier: BSD-2-Clause
/* A helper process: how a command makes and ends it, and what it does with itself first. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "loop.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

enum { READY_MS = 10000, END_MS = 10000, LOG_MOST = 64 * 1024 };

/* ---- the command's side ---- */

__attribute__((noreturn)) static void become_helper(const char *name, int talk, int log, int file)
{
	const char *root = getenv("ARCHIPELAGO_ROOT");
	int null = open("/dev/null", O_RDWR), fds[] = { null, null, null, talk, log, file < 0 ? null : file };
	char variable[PATH_MAX + 32], *environment[] = { variable, NULL }, self[32];
	sigset_t none;

	snprintf(self, sizeof(self), "archipelago-%s", program.name);
	snprintf(variable, sizeof(variable), "ARCHIPELAGO_ROOT=%s", root ? root : "");
	for (int i = 0; i < 6; i++)	/* out of the way of 0..5 */
		fds[i] = fcntl(fds[i], F_DUPFD, 16);
	for (int i = 0; i < 6; i++)
		if (dup2(fds[i], i) < 0)
			_exit(E_FAILED);
	close_range(6, ~0U, 0);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	umask(077);
	if (!chdir("/"))
		execve("/proc/self/exe", (char *[]){ self, "serve", (char *)name, NULL }, environment);
	_exit(E_FAILED);
}

static int await(struct volume *v, int talk, struct helper_ready *ready)
{
	struct pollfd p = { .fd = talk, .events = POLLIN };
	ssize_t n;

	send(talk, "g", 1, MSG_NOSIGNAL);
	if (poll(&p, 1, READY_MS) <= 0)
		return error(E_LATER, "the helper of volume %s is not ready after %d s: look at %s/%s.log in the run folder", v->name,
			     READY_MS / 1000, program.folder, v->name);
	n = recv(talk, ready, sizeof(*ready), 0);
	if (n != sizeof(*ready))
		return error(E_FAILED, "the helper of volume %s ended before it was ready: look at dmesg and %s/%s.log in the run folder",
			     v->name, program.folder, v->name);
	if (ready->code)
		return error(ready->code, "%s%s", ready->why, ready->code == E_LATER ? ": is the volume served? see `archipelago status`" : "");
	return 0;
}

int start_helper(struct volume *v, int file, struct helper_ready *ready)
{
	int ends[2], code = 0, log = place_file(v, "log", O_WRONLY | O_CREAT | O_APPEND);
	pid_t pid = -1;

	if (log < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return error(E_FAILED, "cannot make the files of volume %s in the run folder: %s", v->name, strerror(errno));
	pid = fork();
	if (!pid)
		become_helper(v->name, ends[1], log, file);
	close(ends[1]);
	close(log);
	if (pid < 0)
		code = error(E_FAILED, "cannot start a process: %s", strerror(errno));
	if (!code)
		code = record_helper(v, pid);
	if (!code)
		code = await(v, ends[0], ready);
	close(ends[0]);
	return code;
}

int end_helper(struct volume *v)
{
	static const int signals[] = { SIGTERM, SIGKILL };
	int handle = process_handle(&v->helper), ended = handle < 0;

	for (int i = 0; i < 2 && !ended; i++) {
		syscall(SYS_pidfd_send_signal, handle, signals[i], NULL, 0);
		ended = poll(&(struct pollfd){ .fd = handle, .events = POLLIN }, 1, END_MS) > 0;
	}
	if (handle >= 0)
		close(handle);
	v->helper.alive = !ended;
	return ended ? 0 : error(E_FAILED, "the helper of volume %s, process %d, does not end, not even by SIGKILL: look at dmesg", v->name, v->helper.pid);
}

void forget_log(struct volume *v)
{
	struct stat s;
	int log = place_file(v, "log", O_RDONLY);

	if (log >= 0 && !fstat(log, &s) && !s.st_size)
		place_forget(v, "log");
	if (log >= 0)
		close(log);
}

/* ---- the helper's side ---- */

void note(const char *format, ...)
{
	time_t now = time(NULL);
	char text[1024];
	struct stat s;
	struct tm tm;
	va_list list;
	size_t n = strftime(text, 64, "%Y-%m-%d %H:%M:%S ", localtime_r(&now, &tm));

	va_start(list, format);
	vsnprintf(text + n, sizeof(text) - n, format, list);
	va_end(list);
	if (!fstat(HELPER_LOG, &s) && s.st_size > LOG_MOST && ftruncate(HELPER_LOG, 0))
		return;
	dprintf(HELPER_LOG, "%s\n", text);
}

int catch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool told_to_start(void)
{
	char go;

	return recv(HELPER_TALK, &go, 1, 0) == 1;
}

void become_daemon(const char *comm)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "-900", 4) < 0)
		note("cannot protect itself from running out of memory: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0))	/* our memory must not wait for the I/O that we do */
		note("cannot become an I/O flusher: %s", strerror(errno));
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	prctl(PR_SET_NAME, comm);
	close(HELPER_TALK);
	close(HELPER_FILE);
}
