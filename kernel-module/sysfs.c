// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* /sys/bus/xsegbd/devices/N: what there is to see and to do of a device. */
#include <linux/blkdev.h>
#include <linux/sysfs.h>
#include "xsegbd.h"

#define SHOW(name, format, value)							\
static ssize_t name##_show(struct device *device, struct device_attribute *attr,	\
			   char *to)							\
{											\
	struct xsegbd_device *dev = to_xsegbd(device);					\
											\
	return sysfs_emit(to, format "\n", value);					\
}

SHOW(size, "%llu", (u64)get_capacity(dev->disk) << SECTOR_SHIFT)
static DEVICE_ATTR_RO(size);

SHOW(major, "%d", dev->disk->major)
static DEVICE_ATTR_RO(major);

SHOW(srcport, "%u", dev->src)
static DEVICE_ATTR_RO(srcport);

SHOW(dstport, "%u", dev->dst)
static DEVICE_ATTR_RO(dstport);

SHOW(id, "%u", dev->id)
static DEVICE_ATTR_RO(id);

SHOW(reqs, "%u", dev->depth)
static DEVICE_ATTR_RO(reqs);

SHOW(target, "%s", dev->target)
static DEVICE_ATTR_RO(target);

/* What this project adds. */

SHOW(state, "%s", xsegbd_device_state(dev))
static DEVICE_ATTR_RO(state);

SHOW(peer, "%d", dev->peer)
static DEVICE_ATTR_RO(peer);

SHOW(rejected, "%u", atomic_read(&dev->rejected))
static DEVICE_ATTR_RO(rejected);

SHOW(deadline, "%u", dev->deadline)

static ssize_t deadline_store(struct device *device, struct device_attribute *attr, const char *from,
			      size_t length)
{
	struct xsegbd_device *dev = to_xsegbd(device);
	u32 seconds;
	int error = kstrtou32(from, 10, &seconds);

	if (error)
		return error;
	if (seconds > XSEGBD_DEADLINE_MAX)
		return -ERANGE;
	mutex_lock(&dev->mutex);
	dev->deadline = seconds;
	if (dev->state == XSEGBD_WAITING)
		xsegbd_device_enter(dev, XSEGBD_WAITING); /* counted from now on */
	mutex_unlock(&dev->mutex);
	return length;
}
static DEVICE_ATTR_RW(deadline);

static ssize_t refresh_store(struct device *device, struct device_attribute *attr, const char *from,
			     size_t length)
{
	struct xsegbd_device *dev = to_xsegbd(device);
	ssize_t result = length;

	mutex_lock(&dev->mutex);
	if (dev->state == XSEGBD_SERVED)
		xsegbd_control_ask(dev);
	else
		result = -ENOTCONN; /* the next peer is asked anyway */
	mutex_unlock(&dev->mutex);
	return result;
}
static DEVICE_ATTR_WO(refresh);

static ssize_t cleanup_store(struct device *device, struct device_attribute *attr, const char *from,
			     size_t length)
{
	struct xsegbd_device *dev = to_xsegbd(device);

	mutex_lock(&dev->mutex);
	xsegbd_device_give_up(dev, false);
	mutex_unlock(&dev->mutex);
	return length;
}
static DEVICE_ATTR_WO(cleanup);

static struct attribute *xsegbd_attrs[] = {
	&dev_attr_size.attr,
	&dev_attr_major.attr,
	&dev_attr_srcport.attr,
	&dev_attr_dstport.attr,
	&dev_attr_id.attr,
	&dev_attr_reqs.attr,
	&dev_attr_target.attr,
	&dev_attr_state.attr,
	&dev_attr_peer.attr,
	&dev_attr_rejected.attr,
	&dev_attr_deadline.attr,
	&dev_attr_refresh.attr,
	&dev_attr_cleanup.attr,
	NULL
};

static const struct attribute_group xsegbd_group = {
	.attrs = xsegbd_attrs,
};

const struct attribute_group *xsegbd_groups[] = {
	&xsegbd_group,
	NULL
};
