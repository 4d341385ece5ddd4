// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * A device's life: made by add, served by one peer after another, gone by remove.
 *
 * While it waits for a peer its queue is quiesced, so requests stay where the block
 * layer keeps them.  In every other state they go through queue_rq(), which sends them
 * (SERVED) or fails them (EXPIRED, GONE).
 */
#include <linux/blkdev.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include "xsegbd.h"

static atomic_t devices;	/* that are not freed */
static DECLARE_WAIT_QUEUE_HEAD(freed);

/* Under the mutex. */
void xsegbd_device_enter(struct xsegbd_device *dev, enum xsegbd_state state)
{
	bool hold = state == XSEGBD_WAITING;

	if (hold && !dev->held)
		blk_mq_quiesce_queue(dev->disk->queue); /* queue_rq() has returned everywhere */
	xs_store(&dev->state, state);
	if (!hold && dev->held) {
		blk_mq_unquiesce_queue(dev->disk->queue);
		blk_mq_kick_requeue_list(dev->disk->queue);
	}
	dev->held = hold;
	if (hold && dev->deadline)
		mod_delayed_work(system_percpu_wq, &dev->expiry, dev->deadline * HZ);
	else
		cancel_delayed_work(&dev->expiry); /* which looks at the state if it runs */
}

static void expire(struct work_struct *work)
{
	struct xsegbd_device *dev = container_of(work, struct xsegbd_device, expiry.work);

	mutex_lock(&dev->mutex);
	if (dev->state == XSEGBD_WAITING && dev->live) {
		xsegbd_device_enter(dev, XSEGBD_EXPIRED);
		dev_err(&dev->dev, "%s: nobody has served it for %u s: requests fail until somebody does\n",
			dev->target, dev->deadline);
	}
	mutex_unlock(&dev->mutex);
}

/*
 * Whatever is under way ends with an error, now.  Under the mutex.  Of what follows
 * nothing is sent to the peer if the device is to be gone: nobody would look for it.
 */
void xsegbd_device_give_up(struct xsegbd_device *dev, bool for_good)
{
	enum xsegbd_state state = dev->state;
	u32 i;

	if (state == XSEGBD_SERVED) {
		blk_mq_quiesce_queue(dev->disk->queue);
		if (for_good)
			xs_store(&dev->state, XSEGBD_GONE);
		for (i = 0; i < dev->nr_queues; i++)
			xsegbd_queue_abandon(&dev->queues[i]);
		blk_mq_unquiesce_queue(dev->disk->queue);
	} else if (state == XSEGBD_WAITING) {
		xsegbd_device_enter(dev, XSEGBD_EXPIRED);
	}
}

/* The peer has answered INFO. */
static void described(struct work_struct *work)
{
	struct xsegbd_device *dev = container_of(work, struct xsegbd_device, described);
	struct xsegbd_info info;
	int error;

	spin_lock(&dev->control_lock);
	info = dev->info;
	spin_unlock(&dev->control_lock);
	mutex_lock(&dev->mutex);
	error = dev->state == XSEGBD_GONE ? 0 : xsegbd_disk_describe(dev, &info);
	mutex_unlock(&dev->mutex);
	if (error)
		dev_err(&dev->dev, "%s: cannot have the size %llu that its peer says, or it says none: error %d\n",
			dev->target, info.size, error);
}

const char *xsegbd_device_state(struct xsegbd_device *dev)
{
	static const char * const names[] = {
		[XSEGBD_WAITING] = "waiting",
		[XSEGBD_SERVED] = "served",
		[XSEGBD_EXPIRED] = "expired",
		[XSEGBD_GONE] = "gone",
	};

	if (dev->state == XSEGBD_SERVED && READ_ONCE(dev->stalled))
		return "stalled";
	return names[dev->state];
}

/* The last reference: of the bus, the disk, the character device and what has it open. */
static void release(struct device *device)
{
	struct xsegbd_device *dev = to_xsegbd(device);

	if (dev->tags.tags)
		blk_mq_free_tag_set(&dev->tags);
	xsegbd_queues_free(dev);
	xsegbd_segment_free(dev);
	kfree(dev);
	if (atomic_dec_and_test(&devices))
		wake_up(&freed);
}

/*
 * All were removed, and the last ones are being freed: where the kernel still looks up
 * their disks, later than their removal.
 */
void xsegbd_device_wait_for_all(void)
{
	wait_event(freed, !atomic_read(&devices));
}

static char *devnode(DEVNODE_CONST struct device *device, umode_t *mode, kuid_t *uid, kgid_t *gid)
{
	if (mode)
		*mode = 0660;
	return kasprintf(GFP_KERNEL, "%sc%s", XSEGBD_NAME, dev_name(device));
}

static const struct device_type device_type = {
	.name = "xsegbd_device",
	.groups = xsegbd_groups,
	.devnode = devnode,
	.release = release,
};

static int set_up(struct xsegbd_device *dev)
{
	int error = dev_set_name(&dev->dev, "%u", dev->id);

	error = error ?: xsegbd_segment_create(dev);
	error = error ?: xsegbd_queues_create(dev);
	error = error ?: xsegbd_disk_create(dev);
	if (error)
		return error;
	xsegbd_device_enter(dev, XSEGBD_WAITING);
	cdev_init(&dev->cdev, &xsegbd_peer_fops);
	dev->cdev.owner = THIS_MODULE;
	dev->dev.devt = MKDEV(MAJOR(xsegbd_chrdev), MINOR(xsegbd_chrdev) + dev->id);
	error = cdev_device_add(&dev->cdev, &dev->dev);
	if (error)
		xsegbd_disk_remove(dev);
	return error;
}

struct xsegbd_device *xsegbd_device_create(const char *target, u32 src, u32 dst, u32 depth)
{
	struct xsegbd_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	int error;

	if (!dev)
		return ERR_PTR(-ENOMEM);
	atomic_inc(&devices);
	device_initialize(&dev->dev);
	dev->dev.bus = &xsegbd_bus;
	dev->dev.type = &device_type;
	dev->id = src - xsegbd_first_port;
	dev->src = src;
	dev->dst = dst;
	dev->depth = depth;
	dev->nr_queues = xsegbd_queues;
	dev->deadline = xsegbd_deadline;
	strscpy(dev->target, target, sizeof(dev->target));
	init_waitqueue_head(&dev->wait);
	mutex_init(&dev->mutex);
	spin_lock_init(&dev->control_lock);
	spin_lock_init(&dev->open_lock);
	INIT_DELAYED_WORK(&dev->expiry, expire);
	INIT_WORK(&dev->described, described);
	error = set_up(dev);
	if (error) {
		put_device(&dev->dev);
		return ERR_PTR(error);
	}
	return dev;
}

/* -EBUSY where somebody has the disk open, unless forced. */
int xsegbd_device_remove(struct xsegbd_device *dev, bool force)
{
	spin_lock(&dev->open_lock);
	if (dev->openers && !force) {
		spin_unlock(&dev->open_lock);
		return -EBUSY;
	}
	dev->removing = true;
	spin_unlock(&dev->open_lock);

	mutex_lock(&dev->mutex);
	xsegbd_device_give_up(dev, true);
	xsegbd_device_enter(dev, XSEGBD_GONE);
	mutex_unlock(&dev->mutex);
	wake_up_interruptible_poll(&dev->wait, EPOLLIN | EPOLLHUP);
	cancel_delayed_work_sync(&dev->expiry);
	cancel_work_sync(&dev->described);
	xsegbd_disk_remove(dev);
	cdev_device_del(&dev->cdev, &dev->dev);
	put_device(&dev->dev);
	return 0;
}
