// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * /dev/xsegbdcN, which the process that serves the device has open:
 *
 *	mmap	the whole segment, shared; its header's page tells how large it is
 *	write	a __u32: the ABI of the segment that it knows.  The first says that it
 *		serves from now on, each that there are answers.
 *	read	waits until there are requests: one byte; none once the device is removed
 *	poll	the same, and POLLHUP
 *
 * The peer is woken where it has said that it sleeps (xs_bell_set() on port 1), so it
 * says so before it reads or polls, and looks into its rings in between.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include "xsegbd.h"

static bool is_gone(struct xsegbd_device *dev)
{
	return xs_load(&dev->state) == XSEGBD_GONE;
}

static int peer_open(struct inode *inode, struct file *file)
{
	struct xsegbd_device *dev = container_of(inode->i_cdev, struct xsegbd_device, cdev);
	int error = 0;

	mutex_lock(&dev->mutex);
	if (dev->state == XSEGBD_GONE) {
		error = -ENODEV;
	} else if (dev->open) {
		error = -EBUSY;
	} else {
		dev->open = true;
		dev->peer = current->tgid;
		xsegbd_segment_reset(dev);
		file->private_data = dev;
	}
	mutex_unlock(&dev->mutex);
	return error ?: stream_open(inode, file);
}

/* The last reference is gone, and with it the last mapping: nobody can write an answer. */
static int peer_release(struct inode *inode, struct file *file)
{
	struct xsegbd_device *dev = file->private_data;
	u32 i;

	mutex_lock(&dev->mutex);
	dev->open = false;
	dev->stalled = false;
	if (dev->state == XSEGBD_SERVED) {
		xsegbd_device_enter(dev, XSEGBD_WAITING);
		for (i = 0; i < dev->nr_queues; i++)
			xsegbd_queue_recall(&dev->queues[i]);
		xsegbd_control_forget(dev);
		dev_info(&dev->dev, "%s: process %d has left\n", dev->target, dev->peer);
	}
	dev->peer = 0;
	mutex_unlock(&dev->mutex);
	return 0;
}

static int serve(struct xsegbd_device *dev)
{
	int error = 0;

	mutex_lock(&dev->mutex);
	if (dev->state == XSEGBD_GONE) {
		error = -ENODEV;
	} else if (dev->state != XSEGBD_SERVED) {
		xsegbd_device_enter(dev, XSEGBD_SERVED);
		xsegbd_control_ask(dev);
	}
	mutex_unlock(&dev->mutex);
	return error;
}

static ssize_t peer_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	struct xsegbd_device *dev = file->private_data;
	u32 abi, i;

	if (length != sizeof(abi))
		return -EINVAL;
	if (get_user(abi, (const u32 __user *)from))
		return -EFAULT;
	if (abi != XSEG_ABI) {
		dev_warn_ratelimited(&dev->dev, "process %d knows segments of ABI %u; this one is of ABI %u\n",
				     current->tgid, abi, XSEG_ABI);
		return -EPROTO;
	}
	if (xs_load(&dev->state) != XSEGBD_SERVED) {
		int error = serve(dev);

		return error ?: sizeof(abi);
	}
	WRITE_ONCE(dev->stalled, false);
	xsegbd_control_take(dev);
	for (i = 0; i < dev->nr_queues; i++)
		xsegbd_queue_take(&dev->queues[i]);
	return sizeof(abi);
}

static bool is_ready(struct xsegbd_device *dev)
{
	return is_gone(dev) || xsegbd_segment_has_requests(dev);
}

static ssize_t peer_read(struct file *file, char __user *to, size_t length, loff_t *at)
{
	struct xsegbd_device *dev = file->private_data;
	int error;

	if (!length)
		return 0;
	if (file->f_flags & O_NONBLOCK && !is_ready(dev))
		return -EAGAIN;
	error = wait_event_interruptible(dev->wait, is_ready(dev));
	if (error)
		return error;
	if (is_gone(dev))
		return 0;
	return put_user(1, to) ? -EFAULT : 1;
}

static __poll_t peer_poll(struct file *file, poll_table *table)
{
	struct xsegbd_device *dev = file->private_data;

	poll_wait(file, &dev->wait, table);
	if (is_gone(dev))
		return EPOLLIN | EPOLLHUP;
	return xsegbd_segment_has_requests(dev) ? EPOLLIN : 0;
}

static int peer_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct xsegbd_device *dev = file->private_data;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	return remap_vmalloc_range(vma, dev->xs.base, vma->vm_pgoff);
}

const struct file_operations xsegbd_peer_fops = {
	.owner = THIS_MODULE,
	.open = peer_open,
	.release = peer_release,
	.read = peer_read,
	.write = peer_write,
	.poll = peer_poll,
	.mmap = peer_mmap,
};
