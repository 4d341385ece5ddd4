// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What the module itself asks the peer: INFO.  Its answer is the size of the volume in
 * length, and 1 in serviced where it is read-only.  Asked of each new peer, and by
 * refresh; one at a time.
 */
#include "xsegbd.h"

static void send(struct xsegbd_device *dev)
{
	struct xseg_request *r = xs_slot(&dev->xs, XSEGBD_CONTROL_SLOT);
	u32 slot = XSEGBD_CONTROL_SLOT;

	r->op = XSEG_OP_INFO;
	r->flags = 0;
	r->offset = 0;
	r->length = 0;
	r->data_at = 0;
	r->data_length = 0;
	r->submitted_ns = 0;
	if (xs_submit(&dev->xs, XSEGBD_CONTROL_PEER, &slot, 1) != 1)
		atomic_inc(&dev->rejected);
}

void xsegbd_control_ask(struct xsegbd_device *dev)
{
	spin_lock(&dev->control_lock);
	dev->ask_again = dev->asking;
	if (!dev->asking) {
		dev->asking = true;
		send(dev);
	}
	spin_unlock(&dev->control_lock);
}

/* Whoever was asked is gone. */
void xsegbd_control_forget(struct xsegbd_device *dev)
{
	spin_lock(&dev->control_lock);
	dev->asking = false;
	dev->ask_again = false;
	spin_unlock(&dev->control_lock);
}

/* The answer, if there is one. */
void xsegbd_control_take(struct xsegbd_device *dev)
{
	struct xseg_request *r = xs_slot(&dev->xs, XSEGBD_CONTROL_SLOT);
	u32 slot;

	spin_lock(&dev->control_lock);
	if (xs_receive(&dev->xs, XSEGBD_CONTROL, XSEGBD_CONTROL_SLOT, 1, &slot, 1)) {
		if (dev->asking) {
			dev->info.status = READ_ONCE(r->status);
			dev->info.size = READ_ONCE(r->length);
			dev->info.read_only = READ_ONCE(r->serviced) == 1;
			dev->asking = dev->ask_again;
			dev->ask_again = false;
			if (dev->asking)
				send(dev);
			schedule_work(&dev->described);
		} else {
			atomic_inc(&dev->rejected);
		}
	}
	spin_unlock(&dev->control_lock);
}
