// SPDX-License-Identifier: BSD-2-Clause
/* Every length and magic number that the server sends is checked; what is not understood ends the connection. */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "loop.h"
#include "nbd.h"

#define MAGIC_SERVER	0x4e42444d41474943ULL	/* NBDMAGIC */
#define MAGIC_OPTION	0x49484156454f5054ULL	/* IHAVEOPT */
#define MAGIC_ANSWER	0x0003e889045565a9ULL
#define MAGIC_REQUEST	0x25609513U
#define MAGIC_REPLY	0x67446698U

enum {
	FIXED_NEWSTYLE = 1, NO_ZEROES = 2, OPTION_GO = 7, ANSWER_ACK = 1, ANSWER_INFO = 3, INFO_EXPORT = 0, INFO_BLOCK_SIZE = 3,
	ANSWERS_MOST = 64, ANSWER_BYTES_MOST = 8192, ASSUMED_MAX_BLOCK = 32 << 20,
};

struct talk {
	int fd, stop_fd;
	long long deadline;
	char *why;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static bool broken(struct talk *t, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(t->why, t->size, format, list);
	va_end(list);
	return false;
}

static bool ready(struct talk *t, short events)
{
	struct pollfd p[2] = { { .fd = t->fd, .events = events }, { .fd = t->stop_fd, .events = POLLIN } };

	for (;;) {
		long long left = t->deadline - now_ms();
		int n = left > 0 ? poll(p, 2, left) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return broken(t, "it does not answer: it is stopped or overloaded");
		if (p[1].revents)
			return broken(t, "interrupted by a signal");
		return true;
	}
}

static bool get(struct talk *t, void *data, size_t length)
{
	for (char *p = data; length;) {
		ssize_t n = recv(t->fd, p, length, 0);

		if (!n)
			return broken(t, "it closed the connection while it was being negotiated");
		if (n < 0 && errno == EAGAIN && !ready(t, POLLIN))
			return false;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return broken(t, "cannot read from it: %s", strerror(errno));
		p += n > 0 ? n : 0;
		length -= n > 0 ? n : 0;
	}
	return true;
}

static bool put(struct talk *t, const void *data, size_t length)
{
	for (const char *p = data; length;) {
		ssize_t n = send(t->fd, p, length, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN && !ready(t, POLLOUT))
			return false;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return broken(t, "cannot write to it: %s", strerror(errno));
		p += n > 0 ? n : 0;
		length -= n > 0 ? n : 0;
	}
	return true;
}

static bool open_socket(struct talk *t, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return broken(t, "the path is longer than the %zu bytes a socket's may have", sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	t->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->fd < 0)
		return broken(t, "cannot make a socket: %s", strerror(errno));
	while (connect(t->fd, (struct sockaddr *)&address, sizeof(address))) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)	/* EAGAIN: its backlog is full */
			return broken(t, "%s", strerror(errno));
		if (now_ms() >= t->deadline)
			return broken(t, "it accepts no connection: it is stopped or overloaded");
		if (poll(&(struct pollfd){ .fd = t->stop_fd, .events = POLLIN }, 1, 20) > 0)
			return broken(t, "interrupted by a signal");
	}
	return true;
}

static bool greet(struct talk *t)
{
	struct __attribute__((packed)) { uint64_t magic, option; uint16_t flags; } hello;
	uint32_t flags;

	if (!get(t, &hello, sizeof(hello)))
		return false;
	if (be64toh(hello.magic) != MAGIC_SERVER || be64toh(hello.option) != MAGIC_OPTION || !(be16toh(hello.flags) & FIXED_NEWSTYLE))
		return broken(t, "it is no NBD server of the fixed newstyle");
	flags = htobe32(be16toh(hello.flags) & (FIXED_NEWSTYLE | NO_ZEROES));
	return put(t, &flags, sizeof(flags));
}

static bool ask(struct talk *t, const char *name)
{
	uint8_t message[16 + 4 + 255 + 4];
	uint32_t length = strlen(name), body = 4 + length + 4;
	uint64_t magic = htobe64(MAGIC_OPTION);
	uint32_t word;

	memcpy(message, &magic, 8);
	word = htobe32(OPTION_GO);
	memcpy(message + 8, &word, 4);
	word = htobe32(body);
	memcpy(message + 12, &word, 4);
	word = htobe32(length);
	memcpy(message + 16, &word, 4);
	memcpy(message + 20, name, length);
	memcpy(message + 20 + length, (uint8_t[]){ 0, 1, 0, INFO_BLOCK_SIZE }, 4);	/* one information wanted */
	return put(t, message, 16 + body);
}

static uint64_t number(const uint8_t *p, int bytes)
{
	uint64_t n = 0;

	while (bytes--)
		n = n << 8 | *p++;
	return n;
}

static void take_info(const uint8_t *p, size_t length, struct nbd_export *export, bool *known)
{
	if (length == 12 && number(p, 2) == INFO_EXPORT) {
		export->size = number(p + 2, 8);
		export->flags = number(p + 10, 2);
		*known = true;
	} else if (length == 14 && number(p, 2) == INFO_BLOCK_SIZE) {
		export->min_block = number(p + 2, 4);
		export->max_block = number(p + 10, 4);
	}
}

static bool answers(struct talk *t, const char *name, struct nbd_export *export)
{
	uint8_t head[20], text[ANSWER_BYTES_MOST + 1];
	bool known = false;

	for (int i = 0; i < ANSWERS_MOST; i++) {
		uint32_t type, length;

		if (!get(t, head, sizeof(head)))
			return false;
		type = number(head + 12, 4);
		length = number(head + 16, 4);
		if (number(head, 8) != MAGIC_ANSWER || number(head + 8, 4) != OPTION_GO || length > ANSWER_BYTES_MOST)
			return broken(t, "it broke the NBD protocol in the negotiation");
		if (!get(t, text, length))
			return false;
		text[length] = 0;
		if (type == ANSWER_INFO)
			take_info(text, length, export, &known);
		else if (type == ANSWER_ACK && known)
			return true;
		else if (type >> 31)
			return broken(t, "it refuses the export \"%s\" (NBD error %u)%s%.300s", name, type & 0x7fffffff, length ? ": " : "", text);
		else
			return broken(t, "it broke the NBD protocol in the negotiation");
	}
	return broken(t, "it sent more than %d answers in the negotiation", ANSWERS_MOST);
}

static bool usable(struct talk *t, struct nbd_export *e)
{
	if (e->min_block > 4096 || (e->min_block & (e->min_block - 1)) || !e->min_block)
		return broken(t, "its smallest block is %u bytes; a power of two up to 4096 is needed", e->min_block);
	if (e->max_block < 4096 || e->size > INT64_MAX)
		return broken(t, "it offers %llu bytes in requests of at most %u bytes, which cannot be used", (unsigned long long)e->size, e->max_block);
	return true;
}

int nbd_connect(const char *path, const char *name, int ms, int stop_fd, struct nbd_export *export, char *why, size_t size)
{
	struct talk t = { .fd = -1, .stop_fd = stop_fd, .deadline = now_ms() + ms, .why = why, .size = size };

	int failure = NBD_NOBODY;

	*export = (struct nbd_export){ .min_block = 1, .max_block = ASSUMED_MAX_BLOCK };
	if (open_socket(&t, path)) {
		failure = NBD_UNFIT;
		if (greet(&t) && ask(&t, name) && answers(&t, name, export) && usable(&t, export))
			return t.fd;
	}
	if (t.fd >= 0)
		close(t.fd);
	return failure;
}

void nbd_request(uint8_t *to, int type, int flags, uint64_t cookie, uint64_t offset, uint32_t length)
{
	struct __attribute__((packed)) { uint32_t magic; uint16_t flags, type; uint64_t cookie, offset; uint32_t length; } request = {
		htobe32(MAGIC_REQUEST), htobe16(flags), htobe16(type), htobe64(cookie), htobe64(offset), htobe32(length),
	};

	_Static_assert(sizeof(request) == NBD_REQUEST_BYTES, "an NBD request has 28 bytes");
	memcpy(to, &request, sizeof(request));
}

void nbd_close(int fd)
{
	uint8_t request[NBD_REQUEST_BYTES];

	nbd_request(request, NBD_DISC, 0, 0, 0, 0);
	send(fd, request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

bool nbd_reply(const uint8_t *from, struct nbd_reply *reply)
{
	static const uint8_t known[] = { EPERM, EIO, ENOMEM, EINVAL, ENOSPC, EOVERFLOW, EOPNOTSUPP, ESHUTDOWN };
	uint32_t error = number(from + 4, 4);

	if (number(from, 4) != MAGIC_REPLY)
		return false;
	reply->cookie = number(from + 8, 8);
	reply->error = error ? EIO : 0;
	for (size_t i = 0; i < sizeof(known); i++)	/* NBD's numbers are Linux's */
		if (error == known[i])
			reply->error = error;
	return true;
}
