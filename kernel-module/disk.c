// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * /dev/xsegbdN.  The disk is made with the device, and added once a peer has said how
 * large the volume is: so it has its size from the beginning.
 */
#include <linux/blkdev.h>
#include "xsegbd.h"

#define PHYSICAL_BLOCK 4096
#define RANGE_MAX (UINT_MAX >> SECTOR_SHIFT)	/* sectors of a request without data */

static int count_open(struct gendisk *disk)
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

static void count_release(struct gendisk *disk)
{
	struct xsegbd_device *dev = disk->private_data;

	spin_lock(&dev->open_lock);
	dev->openers--;
	spin_unlock(&dev->open_lock);
}

#ifdef HAVE_OPEN_OF_DISK
static int disk_open(struct gendisk *disk, blk_mode_t mode)
{
	return count_open(disk);
}

static void disk_release(struct gendisk *disk)
{
	count_release(disk);
}
#else
static int disk_open(struct block_device *bdev, fmode_t mode)
{
	return count_open(bdev->bd_disk);
}

static void disk_release(struct gendisk *disk, fmode_t mode)
{
	count_release(disk);
}
#endif

/* Of a disk that was added: nobody has it open any more. */
static void free_disk(struct gendisk *disk)
{
	struct xsegbd_device *dev = disk->private_data;

	put_device(&dev->dev);
}

static const struct block_device_operations disk_fops = {
	.owner = THIS_MODULE,
	.open = disk_open,
	.release = disk_release,
	.free_disk = free_disk,
};

#ifdef HAVE_DISK_OF_LIMITS
static struct gendisk *alloc_disk(struct xsegbd_device *dev)
{
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
#ifdef HAVE_BLK_FEATURES
		.features = BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA,
#endif
	};

	return blk_mq_alloc_disk(&dev->tags, &limits, dev);
}
#else
static struct gendisk *alloc_disk(struct xsegbd_device *dev)
{
	struct gendisk *disk = blk_mq_alloc_disk(&dev->tags, dev);
	struct request_queue *queue;

	if (IS_ERR(disk))
		return disk;
	queue = disk->queue;
	blk_queue_logical_block_size(queue, SECTOR_SIZE);
	blk_queue_physical_block_size(queue, PHYSICAL_BLOCK);
	blk_queue_io_min(queue, PHYSICAL_BLOCK);
	blk_queue_io_opt(queue, XSEGBD_REQUEST_MAX);
	blk_queue_max_hw_sectors(queue, XSEGBD_REQUEST_MAX >> SECTOR_SHIFT);
	queue->limits.max_sectors = queue_max_hw_sectors(queue);
	blk_queue_max_segments(queue, USHRT_MAX);
	blk_queue_max_segment_size(queue, UINT_MAX);
	blk_queue_max_discard_sectors(queue, RANGE_MAX);
	queue->limits.discard_granularity = PHYSICAL_BLOCK;
	blk_queue_max_write_zeroes_sectors(queue, RANGE_MAX);
	return disk;
}
#endif

static void set_features(struct request_queue *queue)
{
#ifndef HAVE_BLK_FEATURES
	blk_queue_write_cache(queue, true, true);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, queue);
	blk_queue_flag_clear(QUEUE_FLAG_ADD_RANDOM, queue);
#endif
}

int xsegbd_disk_create(struct xsegbd_device *dev)
{
	struct blk_mq_tag_set *tags = &dev->tags;
	int error;

	tags->ops = &xsegbd_mq_ops;
	tags->nr_hw_queues = dev->nr_queues;
	tags->queue_depth = dev->depth;
	tags->numa_node = NUMA_NO_NODE;
	tags->timeout = xsegbd_timeout * HZ;
	tags->driver_data = dev;
#ifdef HAVE_SHOULD_MERGE
	tags->flags = BLK_MQ_F_SHOULD_MERGE;
#endif
	error = blk_mq_alloc_tag_set(tags);
	if (error)
		return error;
	dev->disk = alloc_disk(dev);
	if (IS_ERR(dev->disk)) {
		error = PTR_ERR(dev->disk);
		dev->disk = NULL;
		return error;
	}
	set_features(dev->disk->queue);
	dev->disk->major = xsegbd_major;
	dev->disk->first_minor = dev->id;
	dev->disk->minors = 1;
	dev->disk->flags |= GENHD_FL_NO_PART;
	dev->disk->fops = &disk_fops;
	dev->disk->private_data = dev;
	snprintf(dev->disk->disk_name, sizeof(dev->disk->disk_name), "%s%u", XSEGBD_NAME, dev->id);
	return 0;
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
	get_device(&dev->dev); /* until free_disk() */
	error = device_add_disk(&dev->dev, dev->disk, NULL);
	if (error)
		put_device(&dev->dev);
	else
		dev->live = true;
	return error;
}
