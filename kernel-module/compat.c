// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* How a disk is opened and how it ends, by disk.c's xsegbd_disk_{open,release,free}(). */
#define COMPAT_ITSELF
#include "xsegbd.h"

#ifdef HAVE_OPEN_OF_DISK
const struct block_device_operations xsegbd_disk_fops = {
	.owner = THIS_MODULE,
	.open = xsegbd_disk_open,
	.release = xsegbd_disk_release,
	.free_disk = xsegbd_disk_free,
};
#elif defined(HAVE_DISK_THAT_IS_FREED)
static int open(struct block_device *bdev, fmode_t mode)
{
	return xsegbd_disk_open(bdev->bd_disk, mode);
}

static void release(struct gendisk *disk, fmode_t mode)
{
	xsegbd_disk_release(disk);
}

const struct block_device_operations xsegbd_disk_fops = {
	.owner = THIS_MODULE,
	.open = open,
	.release = release,
	.free_disk = xsegbd_disk_free,
};
#else
/*
 * Nobody says when a disk's last reference is gone.  So each opener has one of the
 * disk's parent, the device, which it takes under a mutex and only while the disk is
 * there.  For the driver the disk ends when it is deleted: what is left of it then is
 * only released.
 */
static DEFINE_MUTEX(there);

static int open(struct block_device *bdev, fmode_t mode)
{
	struct gendisk *disk = bdev->bd_disk;
	int error = -ENXIO;

	mutex_lock(&there);
	if (disk->flags & GENHD_FL_UP)
		error = xsegbd_disk_open(disk, mode);
	if (!error)
		get_device(disk_to_dev(disk)->parent);
	mutex_unlock(&there);
	return error;
}

static void release(struct gendisk *disk, fmode_t mode)
{
	struct device *parent = disk_to_dev(disk)->parent;

	xsegbd_disk_release(disk);
	put_device(parent);
}

const struct block_device_operations xsegbd_disk_fops = {
	.owner = THIS_MODULE,
	.open = open,
	.release = release,
};

int compat_add_disk(struct device *parent, struct gendisk *disk, const struct attribute_group **groups)
{
	device_add_disk(parent, disk, groups);
	return 0;
}

void compat_del_disk(struct gendisk *disk)
{
	del_gendisk(disk);
	blk_cleanup_queue(disk->queue);
	mutex_lock(&there); /* who still saw it there has its reference now */
	mutex_unlock(&there);
	xsegbd_disk_free(disk);
}

/* One that was never added has no reference of its queue of its own. */
void compat_put_disk(struct gendisk *disk)
{
	if (!blk_queue_dying(disk->queue)) {
		blk_cleanup_queue(disk->queue);
		disk->queue = NULL;
	}
	put_disk(disk);
}
#endif
