/* SPDX-License-Identifier: BSD-2-Clause */
/* The NBD client: fixed newstyle negotiation over a Unix socket, then simple replies. */
#ifndef ARCHIPELAGO_LOOP_NBD_H
#define ARCHIPELAGO_LOOP_NBD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NBD_READ = 0, NBD_WRITE = 1, NBD_DISC = 2, NBD_FLUSH = 3, NBD_WRITE_ZEROES = 6 };
enum { NBD_FLAG_NO_HOLE = 2 };	/* of a WRITE_ZEROES */
enum {
	NBD_EXPORT_READ_ONLY = 2, NBD_EXPORT_FLUSH = 4, NBD_EXPORT_WRITE_ZEROES = 64,
	NBD_REQUEST_BYTES = 28, NBD_REPLY_BYTES = 16, NBD_ZEROES_MOST = 1 << 30,
};

enum { NBD_NOBODY = -1, NBD_UNFIT = -2 };

struct nbd_export {
	uint64_t size;
	uint16_t flags;
	uint32_t min_block, max_block;
};

struct nbd_reply {
	uint64_t cookie;
	int error;		/* a Linux errno; ESHUTDOWN: the server is on its way out */
};

/*
 * Connects and negotiates within the time given, or until stop_fd (-1: none) becomes readable. Returns the socket,
 * non-blocking, or NBD_NOBODY or NBD_UNFIT (somebody answered) with the cause in why.
 */
int nbd_connect(const char *path, const char *name, int ms, int stop_fd, struct nbd_export *export, char *why, size_t size);
void nbd_close(int fd);

void nbd_request(uint8_t *to, int type, int flags, uint64_t cookie, uint64_t offset, uint32_t length);
bool nbd_reply(const uint8_t *from, struct nbd_reply *reply);	/* false: not a simple reply */

#endif
