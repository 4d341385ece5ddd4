// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * peer [-h SEED] [-m] [-u] [-s SIZE] [-d MS] DEVICE FILE: serves /dev/xsegbdcN from a file, whose size
 * is that of the volume (asked anew with each INFO).  Ends when the device is removed.
 *
 *	-d MS	waits before it answers, so that there is always something under way
 *	-m	answers nothing at all
 *	-u	unmaps everything when the first request is there, and answers nothing
 *	-s SIZE	says that the volume has such a size: bytes, or 8E
 *	-h SEED	hostile: scribbles on rings, slots and header, answers twice and what it
 *		does not have, and scribbles on data
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "protocol.h"

enum { CONTROL_PEER = 1, BATCH = 64 };

struct xs_peer {
	struct xseg xs; /* first: xs_wake() finds the rest from it */
	int device, file;
	unsigned int delay_us;
	int mute, unmaps;
	const char *size; /* or NULL: the file's */
	unsigned long long seed; /* 0: honest */
};

static void ring(const struct xs_peer *peer)
{
	__u32 abi = XSEG_ABI;

	if (write(peer->device, &abi, sizeof(abi)) < 0 && errno != ENODEV)
		err(1, "write to the device");
}

/* Whoever sleeps at the other end is the module, which ring() reaches. */
void xs_wake(struct xseg *xs, __u32 bell)
{
	(void)xs;
	(void)bell;
}

static unsigned long long rnd(struct xs_peer *peer)
{
	peer->seed ^= peer->seed << 13;
	peer->seed ^= peer->seed >> 7;
	peer->seed ^= peer->seed << 17;
	return peer->seed;
}

static void join(struct xs_peer *peer, const char *path)
{
	struct xseg *xs = &peer->xs;
	struct xseg_header *h;

	peer->device = open(path, O_RDWR | O_CLOEXEC);
	if (peer->device < 0)
		err(2, "%s", path);
	h = mmap(NULL, XSEG_PAGE, PROT_READ, MAP_SHARED, peer->device, 0);
	if (h == MAP_FAILED)
		err(1, "mmap of the header");
	xs->h = *h;
	munmap(h, XSEG_PAGE);
	if (xs->h.magic != XSEG_MAGIC || xs->h.abi != XSEG_ABI || xs->h.crc != xs_header_crc(&xs->h))
		errx(1, "%s is no segment of ABI %d", path, XSEG_ABI);
	xs->ring_shift = __builtin_ctz(xs->h.ring_size);
	xs->base = mmap(NULL, xs->h.size, PROT_READ | PROT_WRITE, MAP_SHARED, peer->device, 0);
	xs->mine = calloc(xs->h.nr_ports, 1);
	if (xs->base == MAP_FAILED || !xs->mine)
		err(1, "mmap of the segment");
	for (__u32 port = CONTROL_PEER; port < xs->h.nr_ports; port += 2)
		xs->mine[port] = 1;
}

/* --- serving ------------------------------------------------------------------ */

static int zero(const struct xs_peer *peer, const struct xseg_request *r)
{
	static const char zeros[1 << 16];
	__u64 at = r->offset, end = r->offset + r->length;

	if (r->flags & XSEG_FLAG_DISCARD)
		return fallocate(peer->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, r->offset,
				 r->length);
	while (at < end) {
		ssize_t n = pwrite(peer->file, zeros, end - at < sizeof(zeros) ? end - at : sizeof(zeros), at);

		if (n <= 0)
			return -1;
		at += n;
	}
	return 0;
}

static int serve(const struct xs_peer *peer, struct xseg_request *r)
{
	void *data = peer->xs.base + r->data_at;
	struct stat st;
	int failed = 0;

	errno = EIO; /* of a read that ends early */
	r->serviced = r->length;
	switch (r->op) {
	case XSEG_OP_READ:
		failed = pread(peer->file, data, r->length, r->offset) != (ssize_t)r->length;
		break;
	case XSEG_OP_WRITE:
		failed = pwrite(peer->file, data, r->length, r->offset) != (ssize_t)r->length;
		break;
	case XSEG_OP_ZERO:
		failed = zero(peer, r);
		break;
	case XSEG_OP_FLUSH:
		break;
	case XSEG_OP_INFO:
		failed = fstat(peer->file, &st);
		r->length = st.st_size;
		if (peer->size)
			r->length = strchr(peer->size, 'E') ? strtoull(peer->size, NULL, 10) << 60 :
							      strtoull(peer->size, NULL, 10);
		r->serviced = (st.st_mode & 0222) == 0;
		return failed ? errno : 0;
	default:
		errno = EOPNOTSUPP;
		failed = 1;
	}
	if (!failed && (r->op == XSEG_OP_FLUSH || r->flags & XSEG_FLAG_FUA))
		failed = fdatasync(peer->file);
	return failed ? errno : 0;
}

/* Any words of ports and slots, now and then of the header; answers twice, and to what it does not have. */
static void scribble(struct xs_peer *peer, __u32 slot)
{
	struct xseg *xs = &peer->xs;
	__u64 *words = (__u64 *)(xs->base + (rnd(peer) % 64 ? xs->h.ports_at : 0));
	__u64 nr_words = (xs->base + xs->h.data_at - (unsigned char *)words) / sizeof(*words);
	__u64 lap = rnd(peer) % 5 << 32;
	__u64 values[] = { rnd(peer), lap | rnd(peer) % (xs->h.nr_requests + 2), lap | (__u32)rnd(peer), 0 };
	__u32 other = rnd(peer) % xs->h.nr_requests;

	switch (rnd(peer) % 7) {
	case 0:
		words[rnd(peer) % nr_words] = values[rnd(peer) % 4];
		break;
	case 1: /* twice */
		xs_slot(xs, slot)->state = XSEG_REQUEST_ACCEPTED;
		xs_respond(xs, &slot, 1);
		break;
	case 2: /* what it does not have */
		xs_slot(xs, other)->hand = (__u64)(CONTROL_PEER + 2 * (rnd(peer) % (xs->h.nr_ports / 2))) << 32 |
					   XSEG_REQUEST_ACCEPTED;
		xs_respond(xs, &other, 1);
		break;
	case 3:
		xs_slot(xs, slot)->length = rnd(peer);
		xs_slot(xs, slot)->data_at = rnd(peer);
		xs_slot(xs, slot)->data_length = rnd(peer);
		xs_slot(xs, slot)->serviced = rnd(peer);
		xs_slot(xs, slot)->status = rnd(peer);
		break;
	case 4: /* what somebody else's requests carry */
		xs->base[xs->h.data_at + rnd(peer) % (xs->h.size - xs->h.data_at)] ^= rnd(peer);
		break;
	}
	if (xs->h.nr_requests > 1 && rnd(peer) % 2)
		ring(peer);
}

static __u32 serve_port(struct xs_peer *peer, __u32 port)
{
	__u32 slots[BATCH], n = xs_accept(&peer->xs, port, slots, BATCH), i;

	if (peer->mute && port != CONTROL_PEER)
		return n;
	if (n && peer->unmaps && port != CONTROL_PEER) {
		munmap(peer->xs.base, peer->xs.h.size);
		for (;;)
			pause();
	}
	if (n && peer->delay_us)
		usleep(peer->delay_us);
	for (i = 0; i < n; i++) {
		struct xseg_request *r = xs_slot(&peer->xs, slots[i]);

		r->status = peer->seed && rnd(peer) % 8 == 0 ? EIO : serve(peer, r);
		xs_respond(&peer->xs, &slots[i], 1);
		if (peer->seed)
			scribble(peer, slots[i]);
	}
	return n;
}

static __u32 serve_all(struct xs_peer *peer)
{
	__u32 n = 0, port;

	for (port = CONTROL_PEER; port < peer->xs.h.nr_ports; port += 2)
		n += serve_port(peer, port);
	if (n)
		ring(peer);
	return n;
}

/* A hostile peer may have spoilt what says that there are requests. */
static int wait_for_requests(const struct xs_peer *peer)
{
	struct pollfd poll_fd = { .fd = peer->device, .events = POLLIN };

	if (poll(&poll_fd, 1, peer->seed ? 10 : -1) < 0 && errno != EINTR)
		err(1, "poll");
	return !(poll_fd.revents & POLLHUP);
}

int main(int argc, char **argv)
{
	struct xs_peer peer = { .delay_us = 0 };
	struct xseg_port *bell;
	int option;

	while ((option = getopt(argc, argv, "d:h:ms:u")) != -1) {
		if (option == 'd')
			peer.delay_us = 1000 * atoi(optarg);
		else if (option == 'm')
			peer.mute = 1;
		else if (option == 'u')
			peer.unmaps = 1;
		else if (option == 's')
			peer.size = optarg;
		else if (option == 'h')
			peer.seed = strtoull(optarg, NULL, 10) | 1;
		else
			errx(2, "usage: peer [-h SEED] [-m] [-u] [-s SIZE] [-d MS] DEVICE FILE");
	}
	if (argc - optind != 2)
		errx(2, "usage: peer [-h SEED] [-m] [-u] [-s SIZE] [-d MS] DEVICE FILE");
	join(&peer, argv[optind]);
	peer.file = open(argv[optind + 1], O_RDWR | O_CLOEXEC);
	if (peer.file < 0)
		peer.file = open(argv[optind + 1], O_RDONLY | O_CLOEXEC);
	if (peer.file < 0)
		err(1, "%s", argv[optind + 1]);
	bell = xs_port(&peer.xs, CONTROL_PEER);
	ring(&peer); /* serves from now on */
	for (;;) {
		if (serve_all(&peer))
			continue;
		xs_bell_set(bell);
		if (!serve_all(&peer) && !wait_for_requests(&peer))
			return 0;
		xs_bell_clear(bell);
	}
}
