/* SPDX-License-Identifier: BSD-2-Clause */
/* The FUSE end: one regular file, mounted on a regular file, spoken to over /dev/fuse. */
#ifndef ARCHIPELAGO_LOOP_FUSE_H
#define ARCHIPELAGO_LOOP_FUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FUSE_SLACK = 4096,		/* a request is this much longer than its data, at most */
	FUSE_IO_MOST = 1 << 20,		/* bytes in one request */
	FUSE_BACKGROUND = 60,		/* asynchronous requests at once: bounds what a dead server leaves us to keep */
};

enum fuse_kind { FUSE_IO_READ, FUSE_IO_WRITE, FUSE_IO_SYNC, FUSE_IO_PUNCH, FUSE_IO_ZERO };

struct fuse_io {
	enum fuse_kind kind;
	uint64_t unique, offset, length;
	uint8_t *data;			/* of a write, in the buffer given to fuse_take */
};

struct fuse_end {
	int fd;
	uint64_t size;			/* of the file */
	uint32_t io_most;		/* bytes in one request: a power of two from 4096 to FUSE_IO_MOST */
	bool read_only, can_zero;
};

enum fuse_took { FUSE_TOOK_NOTHING, FUSE_TOOK_ANSWERED, FUSE_TOOK_IO, FUSE_TOOK_END };

/* Mounts on target; 0, or an errno with *what naming the step. */
int fuse_mount(struct fuse_end *f, const char *target, const char *source, const char **what);
/* Takes one request into the buffer of io_most + FUSE_SLACK bytes; answers all but I/O itself. */
enum fuse_took fuse_take(struct fuse_end *f, uint8_t *buffer, struct fuse_io *io);
/* error is a positive errno; a write's answer needs its length, a read's its data */
void fuse_answer_read(struct fuse_end *f, const struct fuse_io *io, int error, const void *data);
void fuse_answer(struct fuse_end *f, const struct fuse_io *io, int error);
/* The kernel forgets the size it knows. */
void fuse_size_changed(struct fuse_end *f);

#endif
