// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * /dev/xsegbdN.  The disk is made with the device, and added once a peer has said how
 * large the volume is: so it has its size from the beginning.
 */
#include <linux/blkdev.h>
#include "xsegbd.h"

#define PHYSICAL_BLOCK 4096
#define RANGE_MAX (UINT_MAX >> SECTOR_SHIFT)	/* sectors of a request without data */

int xsegbd_disk_open(struct gendisk *disk, blk_mode_t mode)
{
	struct xsegbd_device *dev = disk->private_data;
	int error = 0;

	spin_lock(&dev->open_lock);
	if (dev->removing)
		error = -ENXIO;
	else
		dev->openers++;
	spin_unlock(&dev->open_lock);
	return error;
}

void xsegbd_disk_release(struct gendisk *disk)
{
	struct xsegbd_device *dev = disk->private_data;

	spin_lock(&dev->open_lock);
	dev->openers--;
	spin_unlock(&dev->open_lock);
}

/* Of a disk that was added: nobody has it open any more. */
void xsegbd_disk_free(struct gendisk *disk)
{
	struct xsegbd_device *dev = disk->private_data;

	put_device(&dev->dev);
}

int xsegbd_disk_create(struct xsegbd_device *dev)
{
	struct blk_mq_tag_set *tags = &dev->tags;
	struct queue_limits limits = {
		.logical_block_size = SECTOR_SIZE,
		.physical_block_size = PHYSICAL_BLOCK,
		.io_min = PHYSICAL_BLOCK,
		.io_opt = XSEGBD_REQUEST_MAX,
		.max_hw_sectors = XSEGBD_REQUEST_MAX >> SECTOR_SHIFT,
		.max_segments = USHRT_MAX,
		.max_segment_size = UINT_MAX,
		.max_hw_discard_sectors = RANGE_MAX,
		.discard_granularity = PHYSICAL_BLOCK,
		.max_write_zeroes_sectors = RANGE_MAX,
		LIMITS_WITH_WRITE_CACHE
	};
	int error;

	tags->ops = &xsegbd_mq_ops;
	tags->nr_hw_queues = dev->nr_queues;
	tags->queue_depth = dev->depth;
	tags->numa_node = NUMA_NO_NODE;
	tags->timeout = xsegbd_timeout * HZ;
	tags->driver_data = dev;
	tags->flags = BLK_MQ_F_SHOULD_MERGE;
	error = blk_mq_alloc_tag_set(tags);
	if (error)
		return error;
	dev->disk = compat_alloc_disk(tags, &limits, dev);
	if (IS_ERR(dev->disk)) {
		error = PTR_ERR(dev->disk);
		dev->disk = NULL;
		return error;
	}
	dev->disk->major = xsegbd_major;
	dev->disk->first_minor = dev->id;
	dev->disk->minors = 1;
	dev->disk->flags |= GENHD_FL_NO_PART;
	dev->disk->fops = &xsegbd_disk_fops;
	dev->disk->private_data = dev;
	snprintf(dev->disk->disk_name, sizeof(dev->disk->disk_name), "%s%u", XSEGBD_NAME, dev->id);
	return 0;
}

/* Gone, even where somebody still has it open. */
void xsegbd_disk_remove(struct xsegbd_device *dev)
{
	if (dev->live)
		del_gendisk(dev->disk);
	put_disk(dev->disk);
}

/* The volume is so large; under the device's mutex.  A positive errno of the peer's comes back negative. */
int xsegbd_disk_describe(struct xsegbd_device *dev, const struct xsegbd_info *info)
{
	u64 sectors = info->size >> SECTOR_SHIFT;
	int error;

	if (info->status)
		return info->status > 0 && info->status <= MAX_ERRNO ? -info->status : -EPROTO;
	if (!sectors || info->size > LLONG_MAX)
		return -ERANGE;
	if (dev->live && sectors < get_capacity(dev->disk) && READ_ONCE(dev->openers))
		return -EBUSY;
	set_disk_ro(dev->disk, info->read_only);
	if (dev->live) {
		set_capacity_and_notify(dev->disk, sectors);
		return 0;
	}
	set_capacity(dev->disk, sectors);
	get_device(&dev->dev); /* until xsegbd_disk_free() */
	error = device_add_disk(&dev->dev, dev->disk, NULL);
	if (error)
		put_device(&dev->dev);
	else
		dev->live = true;
	return error;
}
