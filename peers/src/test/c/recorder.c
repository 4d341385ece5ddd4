// SPDX-License-Identifier: BSD-2-Clause
/*
 * Records what a process changes below a folder, in one order: a library that is preloaded, and found by JNA as "c".
 *
 * RECORDER_ROOT is the folder, RECORDER_TRACE the file that the records are appended to:
 *
 *     0  u32 kind     4  u32 fd     8  u64 a    16  u64 b
 *    24  u32 length of the first bytes          28  u32 length of the second
 *    32  the first bytes, the second bytes
 *
 * A call that changes something and its record are one step; calls that fail are not recorded. Calls that are not known here
 * pass unrecorded, so whoever reads the records compares what they come to with the folder. Syncs have a record before and
 * one after, and are not made: whoever reads the records decides what they do. They take a random time instead, in which
 * others write on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
	OPEN = 1, CLOSE, WRITE, TRUNCATE, PUNCH, SYNC_BEGIN, SYNC_END, SYNCFS_BEGIN, SYNCFS_END, LINK, UNLINK, RENAME, MKDIR, MARK
};
enum { FDS = 1 << 16, SYNC_SHORT_NS = 200 * 1000, SYNC_LONG_NS = 4 * 1000 * 1000 };

struct record {
	uint32_t kind, fd;
	uint64_t a, b;
	uint32_t first, second;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char recorded[FDS];	/* descriptors of what lies below the folder */
static const char *root;
static size_t root_length;
static int trace = -1;
static uint64_t tickets;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("RECORDER_TRACE");

	root = getenv("RECORDER_ROOT");
	if (!root || !path)
		return;
	root_length = strlen(root);
	trace = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static void die(const char *what)
{
	fprintf(stderr, "recorder: %s\n", what);
	_exit(99);
}

/* The part of a path below the folder; NULL when it lies elsewhere. */
static const char *below(int directory, const char *path)
{
	if (trace < 0 || !path || strncmp(path, root, root_length))
		return NULL;
	if (directory != AT_FDCWD && path[0] != '/')
		die("a path that is relative to a descriptor");
	if (path[root_length] == '/')
		return path + root_length + 1;
	return path[root_length] ? NULL : "";
}

static int is_recorded(int fd)
{
	return fd >= 0 && fd < FDS && recorded[fd];
}

static void put(uint32_t kind, int fd, uint64_t a, uint64_t b, const void *first, size_t n, const void *second, size_t m)
{
	struct record r = { kind, fd, a, b, n, m };
	struct iovec parts[] = { { &r, sizeof(r) }, { (void *)first, n }, { (void *)second, m } };

	if (syscall(SYS_writev, trace, parts, 3) != (long)(sizeof(r) + n + m))
		die("the trace cannot be written");
}

static void put_names(uint32_t kind, const char *first, const char *second)
{
	put(kind, 0, 0, 0, first, strlen(first), second, second ? strlen(second) : 0);
}

/* Between a client's operations: what it begins, and what was answered. */
void recorder_mark(const char *text)
{
	pthread_mutex_lock(&lock);
	put_names(MARK, text, NULL);
	pthread_mutex_unlock(&lock);
}

/* Ends the process where each call that was made is recorded. */
void recorder_end(void)
{
	pthread_mutex_lock(&lock);
	_exit(0);
}

/* --- descriptors */

static int open_file(int directory, const char *path, int flags, mode_t mode)
{
	const char *name = below(directory, path);
	int fd, made;

	if (!name || !(flags & (O_WRONLY | O_RDWR | O_CREAT | O_DIRECTORY)))
		return syscall(SYS_openat, directory, path, flags, mode);
	if (flags & O_TRUNC)
		die("open with O_TRUNC");
	pthread_mutex_lock(&lock);
	made = (flags & O_CREAT) && syscall(SYS_faccessat, AT_FDCWD, path, F_OK);
	fd = syscall(SYS_openat, directory, path, flags, mode);
	if (fd >= FDS)
		die("too many descriptors");
	if (fd >= 0) {
		recorded[fd] = 1;
		put(OPEN, fd, made, 0, name, strlen(name), NULL, 0);
	}
	pthread_mutex_unlock(&lock);
	return fd;
}

static mode_t mode_of(int flags, va_list rest)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

int openat(int directory, const char *path, int flags, ...)
{
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = mode_of(flags, rest);
	va_end(rest);
	return open_file(directory, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...) __attribute__((alias("openat")));

int open(const char *path, int flags, ...)
{
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = mode_of(flags, rest);
	va_end(rest);
	return open_file(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int close(int fd)
{
	int result;

	if (!is_recorded(fd))
		return syscall(SYS_close, fd);
	pthread_mutex_lock(&lock);
	recorded[fd] = 0;
	put(CLOSE, fd, 0, 0, NULL, 0, NULL, 0);
	result = syscall(SYS_close, fd);
	pthread_mutex_unlock(&lock);
	return result;
}

/* --- contents */

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
	ssize_t n;

	if (!is_recorded(fd))
		return syscall(SYS_pwrite64, fd, bytes, count, offset);
	pthread_mutex_lock(&lock);
	n = syscall(SYS_pwrite64, fd, bytes, count, offset);
	if (n > 0)
		put(WRITE, fd, offset, 0, bytes, n, NULL, 0);
	pthread_mutex_unlock(&lock);
	return n;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) __attribute__((alias("pwrite")));

ssize_t write(int fd, const void *bytes, size_t count)
{
	if (is_recorded(fd))
		die("write() is not recorded yet");
	return syscall(SYS_write, fd, bytes, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	if (is_recorded(fd))
		die("pwritev() is not recorded yet");
	return syscall(SYS_pwritev, fd, parts, count, offset, 0);
}

ssize_t copy_file_range(int from, off_t *from_offset, int to, off_t *to_offset, size_t count, unsigned int flags)
{
	if (is_recorded(to))
		die("copy_file_range() is not recorded yet");
	return syscall(SYS_copy_file_range, from, from_offset, to, to_offset, count, flags);
}

int ftruncate(int fd, off_t length)
{
	int result;

	if (!is_recorded(fd))
		return syscall(SYS_ftruncate, fd, length);
	pthread_mutex_lock(&lock);
	result = syscall(SYS_ftruncate, fd, length);
	if (!result)
		put(TRUNCATE, fd, length, 0, NULL, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return result;
}

int ftruncate64(int fd, off_t length) __attribute__((alias("ftruncate")));

int fallocate(int fd, int mode, off_t offset, off_t length)
{
	int result;

	if (!is_recorded(fd))
		return syscall(SYS_fallocate, fd, mode, offset, length);
	/* space put aside changes neither what is read nor a size */
	if (mode == FALLOC_FL_KEEP_SIZE)
		return syscall(SYS_fallocate, fd, mode, offset, length);
	if (mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
		die("a mode of fallocate() that is not recorded yet");
	pthread_mutex_lock(&lock);
	result = syscall(SYS_fallocate, fd, mode, offset, length);
	if (!result)
		put(PUNCH, fd, offset, length, NULL, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return result;
}

int fallocate64(int fd, int mode, off_t offset, off_t length) __attribute__((alias("fallocate")));

/* --- syncs */

static void take_time(void)
{
	static __thread uint64_t state;
	struct timespec t = { 0, 0 };

	if (!state) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		state = t.tv_nsec * 2654435761u + (uintptr_t)&state;
	}
	state = state * 6364136223846793005u + 1442695040888963407u;
	t.tv_sec = 0;
	t.tv_nsec = (state >> 33) % (state >> 60 ? SYNC_SHORT_NS : SYNC_LONG_NS);
	nanosleep(&t, NULL);
}

static int sync_in_name(int fd, uint32_t first, uint32_t last)
{
	uint64_t ticket;

	pthread_mutex_lock(&lock);
	ticket = ++tickets;
	put(first, fd, ticket, 0, NULL, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	take_time();
	pthread_mutex_lock(&lock);
	put(last, fd, ticket, 0, NULL, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return 0;
}

int fsync(int fd)
{
	return is_recorded(fd) ? sync_in_name(fd, SYNC_BEGIN, SYNC_END) : syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return is_recorded(fd) ? sync_in_name(fd, SYNC_BEGIN, SYNC_END) : syscall(SYS_fdatasync, fd);
}

int syncfs(int fd)
{
	return is_recorded(fd) ? sync_in_name(fd, SYNCFS_BEGIN, SYNCFS_END) : syscall(SYS_syncfs, fd);
}

/* --- names */

int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags)
{
	const char *name = below(to_directory, to);
	int result;

	if (!name)
		return syscall(SYS_linkat, from_directory, from, to_directory, to, flags);
	pthread_mutex_lock(&lock);
	result = syscall(SYS_linkat, from_directory, from, to_directory, to, flags);
	if (!result)
		put_names(LINK, below(from_directory, from), name);
	pthread_mutex_unlock(&lock);
	return result;
}

int link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int directory, const char *path, int flags)
{
	const char *name = below(directory, path);
	int result;

	if (!name)
		return syscall(SYS_unlinkat, directory, path, flags);
	pthread_mutex_lock(&lock);
	result = syscall(SYS_unlinkat, directory, path, flags);
	if (!result)
		put_names(UNLINK, name, NULL);
	pthread_mutex_unlock(&lock);
	return result;
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags)
{
	const char *name = below(to_directory, to);
	int result;

	if (!name)
		return syscall(SYS_renameat2, from_directory, from, to_directory, to, flags);
	pthread_mutex_lock(&lock);
	result = syscall(SYS_renameat2, from_directory, from, to_directory, to, flags);
	if (!result)
		put_names(RENAME, below(from_directory, from), name);
	pthread_mutex_unlock(&lock);
	return result;
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
	return renameat2(from_directory, from, to_directory, to, 0);
}

int rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int mkdirat(int directory, const char *path, mode_t mode)
{
	const char *name = below(directory, path);
	int result;

	if (!name)
		return syscall(SYS_mkdirat, directory, path, mode);
	pthread_mutex_lock(&lock);
	result = syscall(SYS_mkdirat, directory, path, mode);
	if (!result)
		put_names(MKDIR, name, NULL);
	pthread_mutex_unlock(&lock);
	return result;
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}
