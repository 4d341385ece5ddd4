// SPDX-License-Identifier: BSD-2-Clause
/* Whether a process lives, by what /proc tells of it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "internal.h"

/* Fields 3, 20 and 22 of /proc/PID/stat; 0 where it cannot be read. */
static int process_stat(pid_t pid, char *state, long *threads, unsigned long long *start)
{
	char path[32], line[1024], *at;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = read(fd, line, sizeof(line) - 1);
	close(fd);
	line[length < 0 ? 0 : length] = 0;
	at = strrchr(line, ')'); /* the end of field 2, which may contain anything */
	for (int field = 3; at && field <= 22; field++) {
		at = strchr(at + 1, ' ');
		if (at && field == 3)
			*state = at[1];
		if (at && field == 20)
			*threads = atol(at);
	}
	if (at)
		*start = strtoull(at, NULL, 10);
	return !!at;
}

/* Where /proc hides other users' processes, a pid in use is taken for alive. */
int xs_process_lives(pid_t pid, uint64_t pid_start)
{
	unsigned long long start;
	long threads;
	char state;

	if (pid <= 0 || (kill(pid, 0) && errno == ESRCH))
		return 0;
	if (!process_stat(pid, &state, &threads, &start))
		return !(kill(pid, 0) && errno == ESRCH);
	/* The first thread of a process can be a zombie while others run. */
	return start == pid_start && (threads > 1 || !strchr("ZX", state));
}

const char *xs_process_condition(pid_t pid, uint64_t pid_start)
{
	unsigned long long start;
	long threads;
	char state;

	if (!xs_process_lives(pid, pid_start))
		return "dead";
	return process_stat(pid, &state, &threads, &start) && strchr("Tt", state) ? "stopped" :
										    "alive";
}

uint64_t xs_process_start(pid_t pid)
{
	unsigned long long start;
	long threads;
	char state;

	return process_stat(pid, &state, &threads, &start) ? start : 0;
}

uint64_t xs_pid_namespace(void)
{
	char self[16] = "";
	struct stat st;

	/* /proc may be of another namespace, and then its numbers are. */
	if (readlink("/proc/self", self, sizeof(self) - 1) < 0 || atoi(self) != getpid() ||
	    stat("/proc/self/ns/pid", &st))
		return 0;
	return st.st_ino;
}
