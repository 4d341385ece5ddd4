// SPDX-License-Identifier: BSD-2-Clause
/*
 * nlmsghdr { u32 length; u16 type (family); u16 flags; u32 number; u32 port }, genlmsghdr { u8 command, version; u16 0 },
 * then attributes { u16 length (head included), type; value; to a multiple of 4 }.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/genetlink.h>
#include <linux/nbd-netlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "knbd.h"

enum {
	ANSWER_S = 30, BLOCK = 512,
	DEAD_S = 300,		/* that requests wait for a server before they fail: as those of xsegbd do */
	BACKEND_IDENTIFIER = 10,
};

/* ---- messages ---- */

static void *extend(struct knbd_message *m, size_t length)
{
	void *at = m->bytes + m->length;

	if (m->length + NLMSG_ALIGN(length) > KNBD_MESSAGE) {
		m->length = KNBD_MESSAGE + 1;
		return NULL;
	}
	memset(at, 0, NLMSG_ALIGN(length));
	m->length += NLMSG_ALIGN(length);
	((struct nlmsghdr *)m->bytes)->nlmsg_len = m->length;
	return at;
}

void knbd_begin(struct knbd_message *m, uint16_t family, uint8_t command)
{
	struct nlmsghdr *head;
	struct genlmsghdr *generic;

	m->length = 0;
	head = extend(m, sizeof(*head));
	head->nlmsg_type = family;
	head->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	generic = extend(m, sizeof(*generic));
	generic->cmd = command;
	generic->version = 1;	/* of GENL_ID_CTRL and of nbd alike */
}

static void put(struct knbd_message *m, uint16_t type, const void *value, size_t length)
{
	struct nlattr *a = extend(m, NLA_HDRLEN + length);

	if (!a)
		return;
	a->nla_len = NLA_HDRLEN + length;
	a->nla_type = type;
	memcpy(a + 1, value, length);
}

void knbd_put_u32(struct knbd_message *m, uint16_t type, uint32_t value)
{
	put(m, type, &value, sizeof(value));
}

void knbd_put_u64(struct knbd_message *m, uint16_t type, uint64_t value)
{
	put(m, type, &value, sizeof(value));
}

void knbd_put_text(struct knbd_message *m, uint16_t type, const char *text)
{
	put(m, type, text, strlen(text) + 1);
}

/* SOCKETS { ITEM { FD } } */
void knbd_put_socket(struct knbd_message *m, int fd)
{
	struct __attribute__((packed)) { struct nlattr item, number; uint32_t fd; } list = {
		{ sizeof(list), NBD_SOCK_ITEM | NLA_F_NESTED }, { sizeof(list.number) + sizeof(list.fd), NBD_SOCK_FD }, fd,
	};

	put(m, NBD_ATTR_SOCKETS | NLA_F_NESTED, &list, sizeof(list));
}

/* The value of an attribute, or NULL. */
static const void *find(const struct nlmsghdr *head, int type, size_t length)
{
	const uint8_t *at = (const uint8_t *)head + NLMSG_HDRLEN + GENL_HDRLEN, *end = (const uint8_t *)head + head->nlmsg_len;

	while (at + NLA_HDRLEN <= end) {
		const struct nlattr *a = (const struct nlattr *)at;

		if (a->nla_len < NLA_HDRLEN || a->nla_len > end - at)
			return NULL;
		if ((a->nla_type & NLA_TYPE_MASK) == type && a->nla_len == NLA_HDRLEN + length)
			return a + 1;
		at += NLA_ALIGN(a->nla_len);
	}
	return NULL;
}

/* ---- conversation ---- */

/* Sends it, and reads until it is acknowledged; answer: bytes of the attribute that the kernel sends before that. */
static int ask(struct knbd *k, struct knbd_message *m, int type, void *answer, size_t length)
{
	_Alignas(8) uint8_t in[8192];
	bool answered = !answer;

	if (m->length > KNBD_MESSAGE)
		return E2BIG;
	if (send(k->fd, m->bytes, m->length, 0) != (ssize_t)m->length)
		return errno;
	for (;;) {
		ssize_t n = recv(k->fd, in, sizeof(in), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? ETIMEDOUT : errno;
		for (struct nlmsghdr *head = (struct nlmsghdr *)in; NLMSG_OK(head, n); head = NLMSG_NEXT(head, n)) {
			const void *value;

			if (head->nlmsg_type == NLMSG_ERROR && head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
				int error = -((struct nlmsgerr *)NLMSG_DATA(head))->error;

				return error ? error : answered ? 0 : EPROTO;
			}
			value = answer && head->nlmsg_len >= NLMSG_LENGTH(GENL_HDRLEN) ? find(head, type, length) : NULL;
			if (value) {
				memcpy(answer, value, length);
				answered = true;
			}
		}
	}
}

int knbd_open(struct knbd *k)
{
	struct timeval limit = { .tv_sec = ANSWER_S };
	struct knbd_message m;
	int error;

	k->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (k->fd < 0)
		return errno;
	setsockopt(k->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	knbd_begin(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	knbd_put_text(&m, CTRL_ATTR_FAMILY_NAME, NBD_GENL_FAMILY_NAME);
	error = ask(k, &m, CTRL_ATTR_FAMILY_ID, &k->family, sizeof(k->family));
	if (error)
		knbd_close(k);
	return error;
}

void knbd_close(struct knbd *k)
{
	close(k->fd);
	k->fd = -1;
}

int knbd_connect(struct knbd *k, int sock, uint64_t size, uint16_t flags, const char *backend, uint32_t *index)
{
	struct knbd_message m;

	knbd_begin(&m, k->family, NBD_CMD_CONNECT);
	knbd_put_u64(&m, NBD_ATTR_SIZE_BYTES, size);
	knbd_put_u64(&m, NBD_ATTR_BLOCK_SIZE_BYTES, BLOCK);
	knbd_put_u64(&m, NBD_ATTR_SERVER_FLAGS, flags);
	knbd_put_u64(&m, NBD_ATTR_CLIENT_FLAGS, 0);
	knbd_put_u64(&m, NBD_ATTR_TIMEOUT, 0);
	knbd_put_u64(&m, NBD_ATTR_DEAD_CONN_TIMEOUT, DEAD_S);
	knbd_put_text(&m, BACKEND_IDENTIFIER, backend);
	knbd_put_socket(&m, sock);
	return ask(k, &m, NBD_ATTR_INDEX, index, sizeof(*index));
}

static void reconfigure(struct knbd *k, struct knbd_message *m, uint32_t index, const char *backend)
{
	knbd_begin(m, k->family, NBD_CMD_RECONFIGURE);
	knbd_put_u32(m, NBD_ATTR_INDEX, index);
	knbd_put_text(m, BACKEND_IDENTIFIER, backend);
}

int knbd_reconnect(struct knbd *k, uint32_t index, int sock, const char *backend)
{
	struct knbd_message m;

	reconfigure(k, &m, index, backend);
	knbd_put_socket(&m, sock);
	return ask(k, &m, 0, NULL, 0);
}

int knbd_resize(struct knbd *k, uint32_t index, uint64_t size, const char *backend)
{
	struct knbd_message m;

	reconfigure(k, &m, index, backend);
	knbd_put_u64(&m, NBD_ATTR_SIZE_BYTES, size);
	return ask(k, &m, 0, NULL, 0);
}

int knbd_disconnect(struct knbd *k, uint32_t index)
{
	struct knbd_message m;

	knbd_begin(&m, k->family, NBD_CMD_DISCONNECT);
	knbd_put_u32(&m, NBD_ATTR_INDEX, index);
	return ask(k, &m, 0, NULL, 0);
}

/* ---- sysfs ---- */

int knbd_set_timer(uint32_t index, unsigned int ms)
{
	char path[64], text[16];
	int fd, error = 0;

	snprintf(path, sizeof(path), "/sys/block/nbd%u/queue/io_timeout", index);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, snprintf(text, sizeof(text), "%u\n", ms)) < 0)
		error = errno;
	if (fd >= 0)
		close(fd);
	return error;
}

static bool has_backend(const char *device, const char *backend)
{
	char path[300], text[PATH_MAX + 2];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/block/%s/backend", device);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	return !strcmp(text, backend);
}

int knbd_find(const char *backend)
{
	DIR *devices = opendir("/sys/block");
	struct dirent *e;
	int found = -1;

	while (devices && found < 0 && (e = readdir(devices)))
		if (!strncmp(e->d_name, "nbd", 3) && has_backend(e->d_name, backend))
			found = atoi(e->d_name + 3);
	if (devices)
		closedir(devices);
	return found;
}
