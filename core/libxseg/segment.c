// SPDX-License-Identifier: BSD-2-Clause
/* The life of a segment: create, destroy, join, leave. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"

#define SHM "/dev/shm"
#define LOCK_WAIT_MS 5000

static _Thread_local char last_error[320];

int xs_fail(int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(last_error, sizeof(last_error), format, arguments);
	va_end(arguments);
	return -error;
}

const char *xseg_strerror(void)
{
	return last_error;
}

/* --- header ------------------------------------------------------------- */

static uint64_t page_up(uint64_t bytes)
{
	return (bytes + XSEG_PAGE - 1) & ~(uint64_t)(XSEG_PAGE - 1);
}

/* Checks the four numbers that describe a segment, and fills in what follows. */
static int lay_out(struct xseg_header *h, uint32_t nr_ports, uint32_t ring_size,
		   uint32_t nr_requests, uint64_t data_pages)
{
	if (nr_ports < 1 || nr_ports > XSEG_PORTS_MAX)
		return xs_fail(EINVAL, "%u ports: a segment has 1 to %u", nr_ports,
			       XSEG_PORTS_MAX);
	if (ring_size < 2 || ring_size > XSEG_RING_MAX || ring_size & (ring_size - 1))
		return xs_fail(EINVAL, "rings of %u words: a ring has a power of two, 2 to %u",
			       ring_size, XSEG_RING_MAX);
	if (nr_requests < 1 || nr_requests > XSEG_REQUESTS_MAX)
		return xs_fail(EINVAL, "%u requests: a segment has 1 to %u", nr_requests,
			       XSEG_REQUESTS_MAX);
	if (data_pages > UINT32_MAX)
		return xs_fail(EINVAL, "%llu pages of data: a segment has at most %u",
			       (unsigned long long)data_pages, UINT32_MAX);
	xs_lay_out(h, nr_ports, ring_size, nr_requests, data_pages);
	return 0;
}

static int make_header(struct xseg_header *h, const char *name, const struct xseg_params *p)
{
	struct timespec now;
	int rc;

	if (p->data_bytes > (uint64_t)UINT32_MAX * XSEG_PAGE)
		return xs_fail(EINVAL, "%llu bytes of data are more than a segment can have",
			       (unsigned long long)p->data_bytes);
	if (p->mode & ~0777u)
		return xs_fail(EINVAL, "mode %o has more than permission bits", p->mode);
	memset(h, 0, sizeof(*h));
	rc = lay_out(h, p->nr_ports, p->ring_size, p->nr_requests,
		     page_up(p->data_bytes) / XSEG_PAGE);
	if (rc)
		return rc;
	clock_gettime(CLOCK_REALTIME, &now);
	h->created_s = now.tv_sec;
	h->creator_pid = getpid();
	memcpy(h->name, name, strlen(name));
	h->crc = xs_header_crc(h);
	return 0;
}

int xs_check_header(const struct xseg_header *h, uint64_t file_size, const char *name)
{
	struct xseg_header expect = *h;

	if (h->magic != XSEG_MAGIC)
		return xs_fail(EUCLEAN, SHM "/%s is not a segment", name);
	if (h->abi != XSEG_ABI)
		return xs_fail(EPROTO, "segment %s has ABI %u, this libxseg has ABI %u: "
			       "stop its users, destroy it and make it anew", name, h->abi,
			       XSEG_ABI);
	if (h->crc != xs_header_crc(h))
		return xs_fail(EUCLEAN, "segment %s: the header's checksum is wrong", name);
	if (lay_out(&expect, h->nr_ports, h->ring_size, h->nr_requests, h->data_pages))
		return -EUCLEAN;
	if (memcmp(&expect, h, sizeof(*h)))
		return xs_fail(EUCLEAN, "segment %s: the header contradicts itself", name);
	if (strncmp(h->name, name, XSEG_NAME_MAX))
		return xs_fail(EUCLEAN, SHM "/%s was made as segment %.*s: it was moved", name,
			       XSEG_NAME_MAX, h->name);
	if (h->size != file_size)
		return xs_fail(EUCLEAN, "segment %s has %llu bytes, its header says %llu", name,
			       (unsigned long long)file_size, (unsigned long long)h->size);
	return 0;
}

/* --- files -------------------------------------------------------------- */

/* Writes the path of name; -EINVAL where it would not stay in SHM. */
static int shm_path(char *path, size_t size, const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t n = strnlen(name, XSEG_NAME_MAX);

	if (n < 1 || n >= XSEG_NAME_MAX)
		return xs_fail(EINVAL, "a segment's name has 1 to %d characters",
			       XSEG_NAME_MAX - 1);
	if (strspn(name, allowed) != n || !strcmp(name, ".") || !strcmp(name, ".."))
		return xs_fail(EINVAL, "segment name '%s': only A-Z a-z 0-9 . _ - may be in it",
			       name);
	snprintf(path, size, SHM "/%s", name);
	return 0;
}

static int fill_file(int fd, const struct xseg_header *h, uint32_t mode)
{
	struct statvfs fs;
	int error;

	do
		error = posix_fallocate(fd, 0, h->size);
	while (error == EINTR);
	if (error) {
		unsigned long long room =
			fstatvfs(fd, &fs) ? 0 : (unsigned long long)fs.f_bavail * fs.f_frsize;

		return xs_fail(error, "cannot allocate %llu MiB in " SHM ", which has room for "
			       "%llu MiB: %s; make it larger (mount -o remount,size=...) or "
			       "the segment smaller", (unsigned long long)h->size >> 20,
			       room >> 20, strerror(error));
	}
	if (pwrite(fd, h, sizeof(*h), 0) != sizeof(*h) || fchmod(fd, mode))
		return xs_fail(errno, "cannot write segment %s: %s", h->name, strerror(errno));
	return 0;
}

/* The file has no name until it is complete: whoever joins sees all of it, and
 * a creator that is killed leaves nothing behind. */
int xseg_create(const char *name, const struct xseg_params *params)
{
	char path[sizeof(SHM) + 1 + XSEG_NAME_MAX], self[32];
	struct xseg_header h;
	struct stat st;
	int fd, rc;

	rc = shm_path(path, sizeof(path), name);
	if (!rc)
		rc = make_header(&h, name, params);
	if (rc)
		return rc;
	if (!lstat(path, &st))
		return xs_fail(EEXIST, "cannot make segment %s: " SHM "/%s is there and belongs "
			       "to user %u: that one, or root, may destroy it", name, name,
			       st.st_uid);
	fd = open(SHM, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return xs_fail(errno, "cannot make a file in " SHM ": %s", strerror(errno));
	rc = fill_file(fd, &h, params->mode);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (!rc && linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW))
		rc = xs_fail(errno, "cannot make segment %s: %s", name, strerror(errno));
	close(fd);
	return rc;
}

int xseg_destroy(const char *name)
{
	char path[sizeof(SHM) + 1 + XSEG_NAME_MAX];
	int rc = shm_path(path, sizeof(path), name);

	if (rc)
		return rc;
	xs_remove_abandoned_bells(name);
	if (unlink(path))
		rc = xs_fail(errno, "cannot remove segment %s: %s", name, strerror(errno));
	return rc;
}

/* --- mappings ----------------------------------------------------------- */

static void free_handle(struct xs_joined *self)
{
	for (uint32_t port = 0; self->bells && port < self->xs.h.nr_ports; port++)
		if (self->bells[port] >= 0)
			close(self->bells[port]);
	if (self->fd >= 0)
		close(self->fd);
	free(self->bells);
	free(self->xs.mine);
	free(self);
}

int xs_map(const struct xseg_header *h, int fd, struct xseg **out)
{
	struct xs_joined *self = calloc(1, sizeof(*self));
	struct xseg *xs = &self->xs;

	if (!self) {
		close(fd);
		return xs_fail(ENOMEM, "no memory to join a segment");
	}
	xs->h = *h;
	xs->ring_shift = __builtin_ctz(h->ring_size);
	self->fd = fd;
	self->pid = getpid();
	self->pid_start = xs_process_start(self->pid);
	self->pid_ns = xs_pid_namespace();
	pthread_mutex_init(&self->mutex, NULL);
	xs->mine = calloc(h->nr_ports, 1);
	self->bells = malloc(h->nr_ports * sizeof(*self->bells));
	if (self->bells)
		memset(self->bells, -1, h->nr_ports * sizeof(*self->bells));
	xs->base = mmap(NULL, h->size, PROT_READ | PROT_WRITE,
			MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
	if (!xs->mine || !self->bells || xs->base == MAP_FAILED) {
		if (xs->base != MAP_FAILED)
			munmap(xs->base, h->size);
		free_handle(self);
		return xs_fail(ENOMEM, "cannot map a segment of %llu MiB: no memory or address "
			       "space", (unsigned long long)h->size >> 20);
	}
	*out = xs;
	return 0;
}

/*
 * Who may write a segment may mislead those who use it: that must be the same user,
 * root, or a group that the caller is in.
 */
static int check_owner(const struct stat *st, const char *name)
{
	if (st->st_uid == geteuid() || !st->st_uid || !geteuid())
		return 0;
	if (!(st->st_mode & S_IWOTH) && (st->st_gid == getegid() || group_member(st->st_gid)))
		return 0;
	return xs_fail(EACCES, "segment %s belongs to user %u and %s: it is joined by that user, "
		       "by root, or by the group that alone may write it", name, st->st_uid,
		       st->st_mode & S_IWOTH ? "everyone may write it" : "to a foreign group");
}

int xseg_join(const char *name, struct xseg **xs)
{
	char path[sizeof(SHM) + 1 + XSEG_NAME_MAX];
	struct xseg_header h;
	struct stat st;
	int fd, rc;

	rc = shm_path(path, sizeof(path), name);
	if (rc)
		return rc;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return xs_fail(errno, "cannot join segment %s: %s", name, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    pread(fd, &h, sizeof(h), 0) != sizeof(h))
		rc = xs_fail(EUCLEAN, SHM "/%s is not a segment", name);
	else
		rc = check_owner(&st, name) ?: xs_check_header(&h, st.st_size, name);
	if (rc) {
		close(fd);
		return rc;
	}
	rc = xs_map(&h, fd, xs);
	if (rc)
		return rc;
	xs_joined(*xs)->inode = st.st_ino;
	xs_guard(*xs);
	return 0;
}

int xseg_anonymous(const struct xseg_params *params, struct xseg **xs)
{
	struct xseg_header h;
	int rc = make_header(&h, "", params);

	if (!rc)
		rc = xs_map(&h, -1, xs);
	if (!rc)
		memcpy((*xs)->base, &h, sizeof(h));
	return rc;
}

/*
 * What this process bound and cannot reach any more is marked as a dead process's
 * would be found to be.  Under the lock, so that who recovers sees all of it dead or
 * nothing; but a process that was stopped with the lock does not keep it from leaving.
 */
static void leave_ports(struct xseg *xs)
{
	int locked = !xs_lock(xs);

	for (uint32_t port = 0; port < xs->h.nr_ports; port++)
		if (xs->mine[port]) {
			xs_remove_bell(xs, port);
			(void)xs_cas(&xs_port(xs, port)->state, XSEG_PORT_BOUND, XSEG_PORT_DEAD);
		}
	if (locked)
		xs_unlock(xs);
}

void xseg_leave(struct xseg *xs)
{
	struct xs_joined *self = xs_joined(xs);

	if (!xs)
		return;
	if (self->pid == getpid() && !self->device)
		leave_ports(xs);
	xs_unguard(xs);
	munmap(xs->base, xs->h.size);
	pthread_mutex_destroy(&self->mutex);
	free_handle(self);
}

void *xseg_base(const struct xseg *xs)
{
	return xs->base;
}

uint64_t xseg_size(const struct xseg *xs)
{
	return xs->h.size;
}

const struct xseg_header *xseg_header(const struct xseg *xs)
{
	return &xs->h;
}

/* --- lock --------------------------------------------------------------- */

static struct xseg_lock_note *xs_note(const struct xseg *xs)
{
	return (void *)(xs->base + XSEG_LOCK_NOTE_AT);
}

/* From what it noted; returns its pid, or 0 where it has not come to that yet. */
static uint32_t describe_holder(const struct xseg *xs, char *text, size_t size)
{
	const struct xseg_lock_note *note = xs_note(xs);
	uint32_t pid = xs_load(&note->pid);
	double seconds = (xs_boottime_ns() - xs_load(&note->since_ns)) / 1e9;

	if (!pid)
		snprintf(text, size, "another thread or process");
	else
		snprintf(text, size, "process %u, which is %s, since %.1f s", pid,
			 xs_foreign(xs, xs_load(&note->pid_ns)) ? "of another PID namespace" :
			 xs_process_condition(pid, xs_load(&note->pid_start)), seconds);
	return pid;
}

/* One attempt at the lock; 0 or an errno. */
static int try_lock(struct xseg *xs)
{
	struct xs_joined *self = xs_joined(xs);
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int error = pthread_mutex_trylock(&self->mutex);

	if (error)
		return EAGAIN;
	if (self->fd < 0)
		return 0;
	if (fcntl(self->fd, F_OFD_SETLK, &whole)) {
		error = errno == EACCES ? EAGAIN : errno;
		pthread_mutex_unlock(&self->mutex);
		return error;
	}
	/* Who is killed leaves the note and not the lock: the next one writes its own. */
	xs_store(&xs_note(xs)->pid, 0);
	xs_store(&xs_note(xs)->pid_start, self->pid_start);
	xs_store(&xs_note(xs)->pid_ns, self->pid_ns);
	xs_store(&xs_note(xs)->since_ns, xs_boottime_ns());
	xs_store(&xs_note(xs)->pid, self->pid);
	return 0;
}

static int lock(struct xseg *xs, int patience_ms)
{
	char who[96];
	int error;

	if (xs_spoilt(xs))
		return -EUCLEAN;
	if (xs_joined(xs)->pid != getpid())
		return xs_fail(EPERM, "process %d joined this segment; a child of it must join "
			       "by itself", xs_joined(xs)->pid);
	for (int ms = 0; (error = try_lock(xs)); ms++) {
		if (error != EAGAIN)
			return xs_fail(error, "cannot lock segment %s: %s", xs->h.name,
				       strerror(error));
		if (ms == patience_ms)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	if (!error)
		return 0;
	describe_holder(xs, who, sizeof(who));
	if (patience_ms)
		return xs_fail(ETIMEDOUT, "segment %s has been locked for %d s by %s: let that "
			       "go on (kill -CONT) or end it", xs->h.name, patience_ms / 1000, who);
	return xs_fail(EAGAIN, "segment %s is locked by %s", xs->h.name, who);
}

int xs_lock(struct xseg *xs)
{
	return lock(xs, LOCK_WAIT_MS);
}

int xs_try_lock(struct xseg *xs)
{
	return lock(xs, 0);
}

void xs_unlock(struct xseg *xs)
{
	struct xs_joined *self = xs_joined(xs);
	struct flock whole = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	if (self->fd >= 0) {
		xs_store(&xs_note(xs)->pid, 0);
		fcntl(self->fd, F_OFD_SETLK, &whole);
	}
	pthread_mutex_unlock(&self->mutex);
}

int xseg_lock_holder(struct xseg *xs, uint32_t *pid)
{
	struct xs_joined *self = xs_joined(xs);
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char who[96];

	*pid = 0;
	if (self->fd < 0 || xs_spoilt(xs))
		return xs_spoilt(xs);
	if (fcntl(self->fd, F_OFD_GETLK, &whole))
		return xs_fail(errno, "cannot look at the lock of segment %s: %s", xs->h.name,
			       strerror(errno));
	if (whole.l_type == F_UNLCK)
		return 0;
	*pid = describe_holder(xs, who, sizeof(who));
	xs_fail(EAGAIN, "segment %s is locked by %s", xs->h.name, who);
	return 1;
}
