// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bells for owners that sleep in epoll: a FIFO beside the segment, or an eventfd
 * where no other process can reach the segment.  A descriptor stays open until
 * xseg_leave(), whatever becomes of the port: another thread may be about to
 * write to it, and its number must not have become some other file's by then.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "internal.h"

#define SHM "/dev/shm"
#define PATH_LENGTH (XSEG_NAME_MAX + 64)

/* The inode keeps those apart who use a segment and a later one of its name. */
static void fifo_path(const struct xseg *xs, uint32_t bell, char path[PATH_LENGTH])
{
	snprintf(path, PATH_LENGTH, SHM "/%s.bell.%u.%llu", xs->h.name, bell,
		 (unsigned long long)xs_joined(xs)->inode);
}

/* Both ends at once: so writing needs no reader and raises no SIGPIPE. */
static int open_fifo(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) || !S_ISFIFO(st.st_mode))) {
		close(fd);
		errno = EEXIST;
		return -1;
	}
	return fd;
}

/* Whoever may use the segment may ring. */
static int make_fifo(const struct xseg *xs, uint32_t bell)
{
	char path[PATH_LENGTH];
	struct stat st;
	int fd;

	fifo_path(xs, bell, path);
	unlink(path);
	if (mkfifo(path, 0600))
		return -1;
	fd = open_fifo(path);
	if (fd >= 0 && !fstat(xs_joined(xs)->fd, &st)) {
		(void)!fchown(fd, -1, st.st_gid); /* allowed among the caller's groups */
		(void)!fchmod(fd, st.st_mode & 0666);
	}
	return fd;
}

int xseg_bell_fd(struct xseg *xs, uint32_t bell)
{
	int *kept, fd, rc = xs_not_mine(xs, bell);

	if (rc)
		return rc;
	kept = &xs_joined(xs)->bells[bell];
	fd = xs_joined(xs)->fd < 0 ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : make_fifo(xs, bell);
	if (fd < 0)
		return xs_fail(errno, "cannot make the bell of port %u of segment %s: %s", bell,
			       xs->h.name, strerror(errno));
	if (*kept < 0) {
		*kept = fd;
	} else {
		dup3(fd, *kept, O_CLOEXEC);
		close(fd);
	}
	xs_store_mb(&xs_port(xs, bell)->fifo, 1);
	return *kept;
}

void xs_ring_fifo(struct xseg *xs, uint32_t bell)
{
	static const uint64_t one = 1;
	char path[PATH_LENGTH];
	int fd;

	if (__atomic_load_n(&xs->mine[bell], __ATOMIC_RELAXED)) {
		(void)!write(xs_joined(xs)->bells[bell], &one, sizeof(one));
		return;
	}
	fifo_path(xs, bell, path);
	fd = open_fifo(path);
	if (fd < 0)
		return; /* its owner is gone: xseg_recover() will tell */
	(void)!write(fd, &one, sizeof(one));
	close(fd);
}

void xs_remove_bell(struct xseg *xs, uint32_t bell)
{
	char path[PATH_LENGTH];

	if (!xs_xchg(&xs_port(xs, bell)->fifo, 0) && !xs_spoilt(xs))
		return; /* there is none */
	if (xs_joined(xs)->fd < 0)
		return;
	fifo_path(xs, bell, path);
	unlink(path);
}

/* An owner keeps both ends open for as long as it lives. */
static int abandoned(int directory, const char *file)
{
	struct stat st;
	int fd;

	if (fstatat(directory, file, &st, AT_SYMLINK_NOFOLLOW) || !S_ISFIFO(st.st_mode))
		return 0;
	fd = openat(directory, file, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == ENXIO;
}

/*
 * The FIFOs that killed owners left, of this and of any former segment of that
 * name: nobody else would remove them.
 */
void xs_remove_abandoned_bells(const char *name)
{
	DIR *directory = opendir(SHM);
	size_t n = strlen(name);
	struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory))) {
		const char *rest = entry->d_name + n;

		if (!strncmp(entry->d_name, name, n) && !strncmp(rest, ".bell.", 6) &&
		    strspn(rest + 6, "0123456789.") == strlen(rest + 6) &&
		    abandoned(dirfd(directory), entry->d_name))
			unlinkat(dirfd(directory), entry->d_name, 0);
	}
	closedir(directory);
}
