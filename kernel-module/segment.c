// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The memory that a device shares with its peer.
 *
 * Port 0 is the module's for what it asks itself, with request slot 0; port 1 the
 * peer's for that.  Ports 2q+2 and 2q+3 are those of hardware queue q, with a slot for
 * each tag and the pages of its buffers.  A port that the module owns belongs to
 * XSEG_KERNEL; the peer's are bound to it by the module, so it has nothing to bind.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "xsegbd.h"

int xsegbd_segment_create(struct xsegbd_device *dev)
{
	u32 ports = XSEGBD_FIRST_QUEUE + 2 * dev->nr_queues;
	u32 ring = roundup_pow_of_two(max(dev->depth, 8u));
	struct xseg_header *h = &dev->xs.h;

	xs_lay_out(h, ports, ring, 1 + dev->nr_queues * dev->depth,
		   (u64)dev->nr_queues * (xsegbd_buffer / XSEG_PAGE));
	snprintf(h->name, sizeof(h->name), "%s%u", XSEGBD_NAME, dev->id);
	h->created_s = ktime_get_real_seconds();
	h->creator_pid = current->tgid;
	h->crc = xs_header_crc(h);
	dev->xs.ring_shift = ilog2(ring);
	dev->xs.mine = kcalloc(ports, 1, GFP_KERNEL);
	dev->xs.base = vmalloc_user(h->size);
	return dev->xs.mine && dev->xs.base ? 0 : -ENOMEM;
}

void xsegbd_segment_free(struct xsegbd_device *dev)
{
	vfree(dev->xs.base);
	kfree(dev->xs.mine);
}

static void give_ports(struct xsegbd_device *dev, u32 port, struct xs_owner *module)
{
	struct xs_owner peer = {
		.pid = current->tgid, .bell = XSEGBD_CONTROL_PEER, .role = "peer",
	};

	module->pid_ns = XSEG_KERNEL;
	module->bell = XSEGBD_CONTROL;
	module->role = XSEGBD_NAME;
	xs_give_port(&dev->xs, port, module);
	xs_give_port(&dev->xs, port + 1, &peer);
	dev->xs.mine[port] = 1;
}

/* For a new peer, when no process has it mapped: as if nothing had ever been sent. */
void xsegbd_segment_reset(struct xsegbd_device *dev)
{
	struct xs_owner control = { .first_request = XSEGBD_CONTROL_SLOT, .nr_requests = 1 };
	struct xseg *xs = &dev->xs;
	u32 length = strlen(dev->target), i;

	memset(xs->base, 0, xs->h.data_at);
	memcpy(xs->base, &xs->h, sizeof(xs->h));
	give_ports(dev, XSEGBD_CONTROL, &control);
	for (i = 0; i < dev->nr_queues; i++) {
		struct xsegbd_queue *q = &dev->queues[i];
		struct xs_owner owner = {
			.first_request = q->first_slot, .nr_requests = dev->depth,
			.first_page = i * q->nr_pages, .nr_pages = q->nr_pages,
		};

		give_ports(dev, q->port, &owner);
	}
	for (i = 0; i < xs->h.nr_requests; i++) {
		xs_slot(xs, i)->target_length = length;
		memcpy(xs_slot(xs, i)->target, dev->target, length);
	}
	/* Told of each answer by a write(). */
	xs_bell_set(xs_port(xs, XSEGBD_CONTROL));
}

static bool has_requests(const struct xseg *xs, u32 port)
{
	struct xs_ring ring = xs_request_ring(xs, xs_port(xs, port));

	return xs_ring_has_entry(&ring);
}

/* What the peer's rings say: a peer that spoils them waits for nothing, or too long. */
bool xsegbd_segment_has_requests(struct xsegbd_device *dev)
{
	u32 port;

	for (port = XSEGBD_CONTROL_PEER; port < dev->xs.h.nr_ports; port += 2)
		if (has_requests(&dev->xs, port))
			return true;
	return false;
}

/* The peer's bell; the other one it rings itself. */
void xs_wake(struct xseg *xs, __u32 bell)
{
	struct xsegbd_device *dev = container_of(xs, struct xsegbd_device, xs);

	if (bell == XSEGBD_CONTROL_PEER)
		wake_up_interruptible_poll(&dev->wait, EPOLLIN);
}
