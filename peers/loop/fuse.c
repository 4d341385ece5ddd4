// SPDX-License-Identifier: BSD-2-Clause
/*
 * Attributes are given to the kernel for ever (a changed size is announced): so stat and LOOP_GET_STATUS64 on the device
 * never wait for anybody. The file is opened for direct I/O: the page cache keeps nothing of a volume that another node
 * may write next.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "fuse.h"

enum { BLOCK = 4096, FOR_EVER = 1 << 30, HANDLE = 1 };

int fuse_mount(struct fuse_end *f, const char *target, const char *source, const char **what)
{
	char options[128];

	*what = "open /dev/fuse (modprobe fuse)";
	f->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (f->fd < 0)
		return errno;
	*what = "mount the FUSE file";
	snprintf(options, sizeof(options), "fd=%d,rootmode=100600,user_id=0,group_id=0,max_read=%u", f->fd, f->io_most);
	return mount(source, target, "fuse.archipelago", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME, options) ? errno : 0;
}

/* ENOENT: nobody waits for this answer any more. Any other error shows in the next read. */
static void reply(struct fuse_end *f, uint64_t unique, int error, const void *data, size_t length)
{
	struct fuse_out_header head = { .len = sizeof(head) + length, .error = -error, .unique = unique };
	struct iovec v[2] = { { &head, sizeof(head) }, { (void *)data, length } };

	while (writev(f->fd, v, length ? 2 : 1) < 0 && errno == EINTR)
		;
}

void fuse_answer_read(struct fuse_end *f, const struct fuse_io *io, int error, const void *data)
{
	reply(f, io->unique, error, data, error ? 0 : io->length);
}

void fuse_answer(struct fuse_end *f, const struct fuse_io *io, int error)
{
	struct fuse_write_out out = { .size = io->length };

	reply(f, io->unique, error, &out, io->kind == FUSE_IO_WRITE && !error ? sizeof(out) : 0);
}

void fuse_size_changed(struct fuse_end *f)
{
	struct fuse_notify_inval_inode_out out = { .ino = FUSE_ROOT_ID, .off = -1 };	/* attributes only */
	struct fuse_out_header head = { .len = sizeof(head) + sizeof(out), .error = FUSE_NOTIFY_INVAL_INODE };
	struct iovec v[2] = { { &head, sizeof(head) }, { &out, sizeof(out) } };

	while (writev(f->fd, v, 2) < 0 && errno == EINTR)
		;
}

static void answer_init(struct fuse_end *f, uint64_t unique, const struct fuse_init_in *in)
{
	struct fuse_init_out out = { .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION };

	if (in->major != FUSE_KERNEL_VERSION || in->minor < 28) {	/* 28: Linux 4.20, max_pages */
		reply(f, unique, EPROTO, NULL, 0);
		return;
	}
	if (in->minor < out.minor)
		out.minor = in->minor;
	out.flags = in->flags & (FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_ASYNC_DIO | FUSE_MAX_PAGES);
	out.max_background = FUSE_BACKGROUND;
	out.congestion_threshold = FUSE_BACKGROUND;
	out.max_write = f->io_most;
	out.max_pages = f->io_most / BLOCK;
	out.time_gran = 1;
	reply(f, unique, 0, &out, sizeof(out));
}

static void answer_attributes(struct fuse_end *f, uint64_t unique)
{
	struct fuse_attr_out out = { .attr_valid = FOR_EVER };

	out.attr.ino = FUSE_ROOT_ID;
	out.attr.size = f->size;
	out.attr.blocks = f->size / 512;
	out.attr.mode = S_IFREG | 0600;
	out.attr.nlink = 1;
	out.attr.blksize = BLOCK;
	reply(f, unique, 0, &out, sizeof(out));
}

static void answer_statfs(struct fuse_end *f, uint64_t unique)
{
	/* the loop driver takes its discard granularity from bsize */
	struct fuse_statfs_out out = { .st = { .blocks = f->size / BLOCK, .files = 1, .bsize = BLOCK, .frsize = BLOCK, .namelen = 255 } };

	reply(f, unique, 0, &out, sizeof(out));
}

static void answer_setattr(struct fuse_end *f, uint64_t unique, const struct fuse_setattr_in *in)
{
	if ((in->valid & FATTR_SIZE) && in->size != f->size)
		reply(f, unique, EINVAL, NULL, 0);	/* a volume grows by its own command */
	else
		answer_attributes(f, unique);
}

static void answer_open(struct fuse_end *f, uint64_t unique, const struct fuse_open_in *in)
{
	struct fuse_open_out out = { .fh = HANDLE, .open_flags = FOPEN_DIRECT_IO | FOPEN_NOFLUSH | FOPEN_PARALLEL_DIRECT_WRITES };

	if (f->read_only && (in->flags & O_ACCMODE) != O_RDONLY)
		reply(f, unique, EROFS, NULL, 0);
	else
		reply(f, unique, 0, &out, sizeof(out));
}

static enum fuse_took take_read(struct fuse_end *f, struct fuse_io *io, const struct fuse_read_in *in)
{
	io->kind = FUSE_IO_READ;
	io->offset = in->offset;
	io->length = in->size;
	if (io->offset >= f->size)
		io->length = 0;
	else if (io->length > f->size - io->offset)
		io->length = f->size - io->offset;
	if (io->length && io->length <= f->io_most)
		return FUSE_TOOK_IO;
	reply(f, io->unique, io->length ? EINVAL : 0, NULL, 0);
	return FUSE_TOOK_ANSWERED;
}

/* What the kernel asks for can be refused without the server. */
static int refused(const struct fuse_end *f, const struct fuse_io *io)
{
	if (f->read_only)
		return EROFS;
	if (io->offset > f->size || io->length > f->size - io->offset)
		return ENOSPC;
	return 0;
}

static enum fuse_took take_change(struct fuse_end *f, struct fuse_io *io, int error)
{
	if (!error && io->kind != FUSE_IO_SYNC)
		error = refused(f, io);
	if (!error && (io->length || io->kind == FUSE_IO_SYNC))
		return FUSE_TOOK_IO;
	fuse_answer(f, io, error);
	return FUSE_TOOK_ANSWERED;
}

static enum fuse_took take_write(struct fuse_end *f, struct fuse_io *io, struct fuse_write_in *in, size_t there)
{
	io->kind = FUSE_IO_WRITE;
	io->offset = in->offset;
	io->length = in->size;
	io->data = (uint8_t *)(in + 1);
	return take_change(f, io, io->length > f->io_most || sizeof(*in) + io->length != there ? EINVAL : 0);
}

static enum fuse_took take_fallocate(struct fuse_end *f, struct fuse_io *io, const struct fuse_fallocate_in *in)
{
	uint32_t mode = in->mode & ~FALLOC_FL_KEEP_SIZE;

	io->kind = mode == FALLOC_FL_PUNCH_HOLE ? FUSE_IO_PUNCH : FUSE_IO_ZERO;
	io->offset = in->offset;
	io->length = in->length;
	return take_change(f, io, !f->can_zero || (mode != FALLOC_FL_PUNCH_HOLE && mode != FALLOC_FL_ZERO_RANGE) ? EOPNOTSUPP : 0);
}

static enum fuse_took take(struct fuse_end *f, const struct fuse_in_header *head, void *in, size_t there, struct fuse_io *io)
{
	*io = (struct fuse_io){ .unique = head->unique };
	if (head->nodeid != FUSE_ROOT_ID && head->opcode != FUSE_INIT && head->opcode != FUSE_DESTROY && head->opcode != FUSE_FORGET &&
	    head->opcode != FUSE_BATCH_FORGET && head->opcode != FUSE_INTERRUPT) {
		reply(f, head->unique, ESTALE, NULL, 0);
		return FUSE_TOOK_ANSWERED;
	}
	switch (head->opcode) {
	case FUSE_READ:
		return take_read(f, io, in);
	case FUSE_WRITE:
		return take_write(f, io, in, there);
	case FUSE_FSYNC:
		io->kind = FUSE_IO_SYNC;
		return take_change(f, io, 0);
	case FUSE_FALLOCATE:
		return take_fallocate(f, io, in);
	case FUSE_INIT:
		answer_init(f, head->unique, in);
		break;
	case FUSE_GETATTR:
		answer_attributes(f, head->unique);
		break;
	case FUSE_SETATTR:
		answer_setattr(f, head->unique, in);
		break;
	case FUSE_STATFS:
		answer_statfs(f, head->unique);
		break;
	case FUSE_OPEN:
		answer_open(f, head->unique, in);
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		reply(f, head->unique, 0, NULL, 0);
		break;
	case FUSE_DESTROY:
		reply(f, head->unique, 0, NULL, 0);
		return FUSE_TOOK_END;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		break;		/* these want no answer */
	default:
		reply(f, head->unique, ENOSYS, NULL, 0);	/* the kernel does not ask again; so for INTERRUPT */
	}
	return FUSE_TOOK_ANSWERED;
}

enum fuse_took fuse_take(struct fuse_end *f, uint8_t *buffer, struct fuse_io *io)
{
	struct fuse_in_header *head = (struct fuse_in_header *)buffer;
	ssize_t n = read(f->fd, buffer, f->io_most + FUSE_SLACK);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return FUSE_TOOK_NOTHING;
	if (n < 0 && errno == ENOENT)
		return FUSE_TOOK_ANSWERED;	/* its asker was killed meanwhile */
	if (n < (ssize_t)sizeof(*head) || n != head->len)
		return FUSE_TOOK_END;		/* ENODEV: unmounted, or aborted */
	/* the smaller bodies are read past a short request's end: into the buffer's rest, not beyond it */
	return take(f, head, head + 1, n - sizeof(*head), io);
}
