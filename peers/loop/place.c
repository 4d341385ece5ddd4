// SPDX-License-Identifier: BSD-2-Clause
/*
 * RUN/loop or RUN/nbd-devices, root's own folder: for each volume a lock, and what is there of it.
 *   NAME.lock    flock'ed by the command at work, or what it left stuck in the kernel; holds its pid
 *   NAME.pid     the helper: pid, start time, boot
 *   NAME.log     what the helper says
 * and for a loop device
 *   NAME.device  the loop device: path, st_dev of the FUSE file, the binding's number (written as 0 before it is bound)
 *   NAME.file    where the FUSE file is mounted
 * A record alone is never believed: a pid counts with its start time and boot, a device with what it is bound to.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>
#include "loop.h"

enum { LOCK_WAIT_MS = 60000 };

long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

void nap(int ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

int error(int code, const char *format, ...)
{
	char text[2048];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	dprintf(2, "%s: %s\n", program.name, text);
	return code;
}

bool good_name(const char *name)
{
	size_t n = strlen(name);

	return n >= 1 && n <= NAME_BYTES && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+:@-") == n;
}

static void run_path(char *path, size_t size, const char *rest)
{
	const char *root = getenv("ARCHIPELAGO_ROOT");

	snprintf(path, size, "%s%s%s", root && *root ? root : "", root && *root ? "/run" : "/run/archipelago", rest);
}

void socket_path(const char *name, char *path, size_t size)
{
	char rest[NAME_BYTES + 16];

	snprintf(rest, sizeof(rest), "/nbd/%s.sock", name);
	run_path(path, size, rest);
}

int place_open(bool make, int *dir)
{
	char path[PATH_MAX], rest[32];
	struct stat s;

	snprintf(rest, sizeof(rest), "/%s", program.folder);
	run_path(path, sizeof(path), rest);
	if (make && mkdir(path, 0700) && errno != EEXIST)
		return error(E_FAILED, "cannot make the folder %s: %s: does archipelagod run?", path, strerror(errno));
	*dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*dir < 0 && errno == ENOENT && !make)
		return 0;
	if (*dir < 0 || fstat(*dir, &s))
		return error(E_FAILED, "cannot open the folder %s: %s", path, strerror(errno));
	if (s.st_uid || s.st_mode & 077)
		return error(E_FAILED, "the folder %s is not root's alone (owner %u, mode %o): remove it and try again", path, s.st_uid, s.st_mode & 07777);
	return 0;
}

static void file_name(const struct volume *v, const char *suffix, char *name)
{
	snprintf(name, NAME_BYTES + 16, "%s.%s", v->name, suffix);
}

int place_file(struct volume *v, const char *suffix, int flags)
{
	char name[NAME_BYTES + 16];

	file_name(v, suffix, name);
	return openat(v->dir, name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* By way of the folder's descriptor: nobody can move it from under us. */
void place_path(const struct volume *v, const char *suffix, char *path, size_t size)
{
	snprintf(path, size, "/proc/self/fd/%d/%s.%s", v->dir, v->name, suffix);
}

void place_forget(const struct volume *v, const char *suffix)
{
	char name[NAME_BYTES + 16];

	file_name(v, suffix, name);
	unlinkat(v->dir, name, 0);
}

/* The file that was locked may have been removed by the one who had it before. */
static bool still_there(struct volume *v, int fd)
{
	char name[NAME_BYTES + 16];
	struct stat a, b;

	file_name(v, "lock", name);
	return !fstat(fd, &a) && !fstatat(v->dir, name, &b, AT_SYMLINK_NOFOLLOW) && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

int lock_name(const struct volume *v, pid_t pid)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", pid);

	if (ftruncate(v->lock, 0) || pwrite(v->lock, text, n, 0) != n)
		return error(E_FAILED, "cannot write the lock of volume %s: %s", v->name, strerror(errno));
	return 0;
}

int place_lock(struct volume *v)
{
	long long deadline = now_ms() + LOCK_WAIT_MS;
	char pid[16] = "";
	int ms = 1;

	for (;;) {
		int fd = place_file(v, "lock", O_RDWR | O_CREAT);

		if (fd < 0)
			return error(E_FAILED, "cannot open the lock of volume %s: %s", v->name, strerror(errno));
		if (!flock(fd, LOCK_EX | LOCK_NB) && still_there(v, fd)) {
			v->lock = fd;
			return lock_name(v, getpid());
		}
		if (now_ms() >= deadline) {
			ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

			pid[n > 0 ? strcspn(pid, "\n") : 0] = 0;
			return error(E_LATER, "volume %s is being attached or detached by process %s for more than %d s: look what keeps it, "
				     "end it, then try again", v->name, *pid ? pid : "(unknown)", LOCK_WAIT_MS / 1000);
		}
		close(fd);
		nap(ms);
		ms = ms < 50 ? ms * 2 : 50;
	}
}

void place_unlock(struct volume *v, bool forget)
{
	if (forget)
		place_forget(v, "lock");
	close(v->lock);
}

/* ---- processes ---- */

/* Start time in clock ticks since boot; 0: no such process, or it is a zombie. */
static unsigned long long start_time(pid_t pid)
{
	char path[32], text[1024], *p;
	unsigned long long start = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	p = strrchr(text, ')');		/* the command's name may hold anything */
	if (!p || strlen(p) < 3 || p[2] == 'Z' || p[2] == 'X')
		return 0;
	p += 2;
	for (int field = 3; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p)
		start = strtoull(p, NULL, 10);
	return start;
}

int process_handle(const struct process *p)
{
	int fd = p->pid > 0 ? syscall(SYS_pidfd_open, p->pid, 0) : -1;

	if (fd >= 0 && start_time(p->pid) != p->start) {	/* looked at after the handle was had: it is that one */
		close(fd);
		fd = -1;
	}
	return fd;
}

static void boot_id(char *id, size_t size)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!f || !fgets(id, size, f))
		strcpy(id, "unknown");
	id[strcspn(id, "\n")] = 0;
	if (f)
		fclose(f);
}

/* ---- records ---- */

__attribute__((format(printf, 3, 4))) static int record(struct volume *v, const char *suffix, const char *format, ...)
{
	char name[NAME_BYTES + 16], fresh[NAME_BYTES + 16];
	va_list list;
	int fd, n;

	file_name(v, suffix, name);
	file_name(v, "new", fresh);
	unlinkat(v->dir, fresh, 0);
	fd = place_file(v, "new", O_WRONLY | O_CREAT | O_EXCL);
	va_start(list, format);
	n = fd < 0 ? -1 : vdprintf(fd, format, list);
	va_end(list);
	if (fd >= 0)
		close(fd);
	if (n < 0 || renameat(v->dir, fresh, v->dir, name))
		return error(E_FAILED, "cannot write the record %s/%s: %s", program.folder, name, strerror(errno));
	return 0;
}

int record_helper(struct volume *v, pid_t pid)
{
	char boot[64];

	boot_id(boot, sizeof(boot));
	v->helper = (struct process){ .pid = pid, .start = start_time(pid), .alive = true };
	return record(v, "pid", "%d %llu %s\n", pid, v->helper.start, boot);
}

int record_device(struct volume *v, const struct device *d)
{
	v->device = *d;
	return record(v, "device", "%s %llu %llu\n", d->path, (unsigned long long)d->file_dev, (unsigned long long)d->sequence);
}

static FILE *open_record(struct volume *v, const char *suffix)
{
	int fd = place_file(v, suffix, O_RDONLY);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd >= 0 && !f)
		close(fd);
	return f;
}

static void load_helper(struct volume *v)
{
	FILE *f = open_record(v, "pid");
	char boot[64], recorded[64] = "";
	int handle;

	v->helper = (struct process){ 0 };
	if (!f)
		return;
	boot_id(boot, sizeof(boot));
	if (fscanf(f, "%d %llu %63s", &v->helper.pid, &v->helper.start, recorded) != 3 || strcmp(boot, recorded) || !v->helper.start)
		v->helper.pid = -1;
	fclose(f);
	handle = process_handle(&v->helper);
	v->helper.alive = handle >= 0;
	if (handle >= 0)
		close(handle);
}

static void load_device(struct volume *v)
{
	FILE *f = open_record(v, "device");
	unsigned long long dev, sequence;
	char *d = v->device.path;

	v->device = (struct device){ 0 };
	if (!f)
		return;
	if (fscanf(f, "%31s %llu %llu", d, &dev, &sequence) == 3 && !strncmp(d, "/dev/loop", 9) && d[9] && strspn(d + 9, "0123456789") == strlen(d + 9)) {
		v->device.file_dev = dev;
		v->device.sequence = sequence;
	} else {
		v->device = (struct device){ 0 };
	}
	fclose(f);
}

/* What the kernel remembers is enough: a dead helper is not asked. */
uint64_t mounted_dev(const struct volume *v)
{
	char name[NAME_BYTES + 16];
	struct statx file, folder;

	file_name(v, "file", name);
	if (statx(v->dir, name, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO, &file) ||
	    statx(v->dir, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &folder))
		return 0;
	if (file.stx_dev_major == folder.stx_dev_major && file.stx_dev_minor == folder.stx_dev_minor)
		return 0;
	return makedev(file.stx_dev_major, file.stx_dev_minor);
}

void place_load(struct volume *v)
{
	load_helper(v);
	load_device(v);
	v->file_dev = mounted_dev(v);
}
