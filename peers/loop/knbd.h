/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's nbd, by generic netlink. A device is known by its backend, a text that it keeps until it is disconnected
 * (Linux 5.14): ours is the path of the volume's NBD socket, so no number in a record has to be believed.
 *
 * All calls return 0 or an errno. They are carried out in the caller's own thread, one at a time in the whole kernel.
 */
#ifndef ARCHIPELAGO_KNBD_H
#define ARCHIPELAGO_KNBD_H

#include <stddef.h>
#include <stdint.h>

enum { KNBD_MESSAGE = 1024 };	/* bytes of the longest message */

struct knbd_message {
	size_t length;
	_Alignas(8) uint8_t bytes[KNBD_MESSAGE];
};

/* Makes a message of the family's; then its attributes, in any order. What does not fit is left out, and length is KNBD_MESSAGE + 1. */
void knbd_begin(struct knbd_message *m, uint16_t family, uint8_t command);
void knbd_put_u32(struct knbd_message *m, uint16_t type, uint32_t value);
void knbd_put_u64(struct knbd_message *m, uint16_t type, uint64_t value);
void knbd_put_text(struct knbd_message *m, uint16_t type, const char *text);
void knbd_put_socket(struct knbd_message *m, int fd);

struct knbd {
	int fd;			/* of netlink */
	uint16_t family;
};

int knbd_open(struct knbd *k);		/* ENOENT: the kernel has no nbd */
void knbd_close(struct knbd *k);

/* Makes a device of a free number, which it tells. The kernel takes the socket over, flags are those of the NBD export. */
int knbd_connect(struct knbd *k, int sock, uint64_t size, uint16_t flags, const char *backend, uint32_t *index);
/* Gives the device a connection in place of one that is dead; nothing happens where none is, which the kernel does not tell. EINVAL: it is not ours */
int knbd_reconnect(struct knbd *k, uint32_t index, int sock, const char *backend);
int knbd_resize(struct knbd *k, uint32_t index, uint64_t size, const char *backend);
/* What is under way and what follows fails; open descriptors stay. */
int knbd_disconnect(struct knbd *k, uint32_t index);

/* After how long the device's timer looks at a request; KNBD_TIMER_MS is what a device begins with. */
enum { KNBD_TIMER_MS = 30000 };
int knbd_set_timer(uint32_t index, unsigned int ms);

/* The device of a backend, by sysfs; -1: there is none. */
int knbd_find(const char *backend);

#endif
