// SPDX-License-Identifier: BSD-2-Clause
/* The messages to the kernel's nbd, byte by byte; what they do is tested in a guest (ganeti-qa/guest/daemon). */
#include <errno.h>
#include <linux/nbd-netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "knbd.h"

static void check(const char *what, const struct knbd_message *m, const uint8_t *wanted, size_t length)
{
	if (m->length == length && !memcmp(m->bytes, wanted, length))
		return;
	printf("FAIL %s: %zu bytes:", what, m->length);
	for (size_t i = 0; i < m->length && i < KNBD_MESSAGE; i++)
		printf(" %02x", m->bytes[i]);
	puts("");
	exit(1);
}

static void encodes(void)
{
	static const uint8_t wanted[] = {
		68, 0, 0, 0, 0x1c, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0,	/* length, family, REQUEST and ACK */
		3, 1, 0, 0,						/* RECONFIGURE, version */
		8, 0, 1, 0, 7, 0, 0, 0,					/* INDEX */
		12, 0, 2, 0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,	/* SIZE_BYTES */
		10, 0, 10, 0, '/', 'a', '/', 'v', '1', 0, 0, 0,		/* BACKEND_IDENTIFIER, padded */
		16, 0, 7, 0x80, 12, 0, 1, 0x80, 8, 0, 1, 0, 9, 0, 0, 0,	/* SOCKETS { ITEM { FD } } */
	};
	struct knbd_message m;

	memset(&m, 0xff, sizeof(m));
	knbd_begin(&m, 0x1c, NBD_CMD_RECONFIGURE);
	knbd_put_u32(&m, NBD_ATTR_INDEX, 7);
	knbd_put_u64(&m, NBD_ATTR_SIZE_BYTES, 0x1122334455667788);
	knbd_put_text(&m, 10, "/a/v1");
	knbd_put_socket(&m, 9);
	check("a message", &m, wanted, sizeof(wanted));
}

static void too_long_isRefused(void)
{
	char text[KNBD_MESSAGE];
	struct knbd_message m;

	memset(text, 'x', sizeof(text));
	for (size_t n = 0; n < sizeof(text); n++) {
		text[n] = 0;
		knbd_begin(&m, 1, NBD_CMD_CONNECT);
		knbd_put_text(&m, 10, text);
		knbd_put_u32(&m, NBD_ATTR_INDEX, 1);
		if (m.length != KNBD_MESSAGE + 1 && (m.length > KNBD_MESSAGE || m.length != 20 + (4 + n + 1 + 3) / 4 * 4 + 8)) {
			printf("FAIL a text of %zu bytes: %zu bytes\n", n, m.length);
			exit(1);
		}
		text[n] = 'x';
	}
	if (m.length != KNBD_MESSAGE + 1) {
		puts("FAIL what does not fit is sent");
		exit(1);
	}
}

static void nothingIsFound(void)
{
	struct knbd k;
	int error = knbd_open(&k);

	if (error && error != ENOENT) {
		printf("FAIL knbd_open: %s\n", strerror(error));
		exit(1);
	}
	if (!error)
		knbd_close(&k);
	if (knbd_find("/nowhere/at/all") >= 0 || knbd_find("") >= 0) {
		puts("FAIL a device of nobody's is found");
		exit(1);
	}
}

int main(void)
{
	encodes();
	too_long_isRefused();
	nothingIsFound();
	puts("knbd: 3 tests passed");
	return 0;
}
