// SPDX-License-Identifier: BSD-2-Clause
/* Who has a block device: mounts and processes that can be seen from here, and what is stacked on it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "loop.h"

enum { NAMED = 8 };

static void add(struct holders *h, const char *what, const char *name)
{
	size_t n = strlen(h->text);

	if (h->count++ < NAMED)
		snprintf(h->text + n, sizeof(h->text) - n, "%s%s%s", n ? ", " : "", what, name);
}

static void add_mounts(const char *device, struct holders *h)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096], where[2048], wanted[32], number[32];
	struct stat s;

	if (!f || stat(device, &s))
		s.st_rdev = 0;
	snprintf(wanted, sizeof(wanted), "%u:%u", major(s.st_rdev), minor(s.st_rdev));
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*d %*d %31s %*s %2047s", number, where) == 2 && !strcmp(number, wanted))
			add(h, "mounted at ", where);
	if (f)
		fclose(f);
}

static void add_stacked(const char *device, struct holders *h)
{
	char path[64];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/sys/block/%s/holders", device + strlen("/dev/"));
	d = opendir(path);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			add(h, "part of ", e->d_name);
	if (d)
		closedir(d);
}

/* By the links' text alone: looking at each file itself could wait for a dead file system. */
static bool in_folder(const char *folder, const char *name, bool *empty)
{
	char file[600];
	bool found = false;
	struct dirent *e;
	DIR *d = opendir(folder);

	while (d && !found && (e = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, file, sizeof(file) - 1);

		file[n > 0 ? n : 0] = 0;
		*empty &= n <= 0;
		found = n > 0 && strrchr(file, '/') && !strcmp(strrchr(file, '/'), name);
	}
	if (d)
		closedir(d);
	return found;
}

/* A killed process's first thread may have let go of all while another one is stuck with it. */
static bool has_open(const char *pid, const char *device)
{
	const char *name = strrchr(device, '/');
	bool empty = true, found;
	struct dirent *e;
	char path[600];
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%.10s/fd", pid);
	found = in_folder(path, name, &empty);
	if (found || !empty)
		return found;
	snprintf(path, sizeof(path), "/proc/%.10s/task", pid);
	d = opendir(path);
	while (d && !found && (e = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/%.10s/task/%.10s/fd", pid, e->d_name);
		found = e->d_name[0] != '.' && in_folder(path, name, &empty);
	}
	if (d)
		closedir(d);
	return found;
}

/* Killed, but stuck in the kernel. */
static bool dying(const char *pid)
{
	unsigned long long pending = 0, shared = 0;
	char path[64], line[256], state = 'X';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.10s/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "State: %c", &state);
		sscanf(line, "SigPnd: %llx", &pending);
		sscanf(line, "ShdPnd: %llx", &shared);
	}
	if (f)
		fclose(f);
	return state == 'Z' || state == 'X' || ((pending | shared) & (1ULL << (SIGKILL - 1)));
}

static void add_processes(const char *device, struct holders *h)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[300], name[64], command[32] = "";
		FILE *f;

		if (e->d_name[0] < '1' || e->d_name[0] > '9' || atoi(e->d_name) == getpid() || !has_open(e->d_name, device))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		f = fopen(path, "re");
		if (f && fgets(command, sizeof(command), f))
			command[strcspn(command, "\n")] = 0;
		if (f)
			fclose(f);
		snprintf(name, sizeof(name), "%.10s (%s)", e->d_name, command);
		add(h, "open in process ", name);
		h->dying += dying(e->d_name);
	}
	if (d)
		closedir(d);
}

void holders_find(const char *device, struct holders *h)
{
	*h = (struct holders){ 0 };
	add_mounts(device, h);
	add_stacked(device, h);
	add_processes(device, h);
}

uint64_t device_size(const char *path)
{
	char file[64];
	unsigned long long sectors = 0;
	FILE *f;

	snprintf(file, sizeof(file), "/sys/block/%s/size", path + strlen("/dev/"));
	f = fopen(file, "re");
	if (!f || fscanf(f, "%llu", &sectors) != 1)
		sectors = 0;
	if (f)
		fclose(f);
	return sectors * 512;
}
