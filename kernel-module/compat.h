/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What kernels other than today's lack, under today's names; the other sources are
 * written for today's.  What a kernel has is found when it is built for (features/).
 */
#ifndef XSEGBD_COMPAT_H
#define XSEGBD_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/device.h>

#ifdef HAVE_CLEANUP_DISK
#error "the disks of Linux 5.14 to 5.19 end in a way of their own, which xsegbd does not know"
#endif

#ifdef HAVE_BUS_STORE_OF_CONST	/* 6.4 */
#define BUS_CONST const
#else
#define BUS_CONST
#endif

#ifdef HAVE_DEVNODE_OF_CONST	/* 6.2 */
#define DEVNODE_CONST const
#else
#define DEVNODE_CONST
#endif

#ifdef HAVE_TIMEOUT_OF_REQUEST	/* 6.0 */
#define TIMEOUT_ARGUMENTS struct request *rq
#else
#define TIMEOUT_ARGUMENTS struct request *rq, bool reserved
#endif

#ifndef HAVE_PERCPU_WQ	/* 6.17 */
#define system_percpu_wq system_wq
#endif

/* Merging has to be asked for until 6.14. */
#ifndef HAVE_SHOULD_MERGE
#define BLK_MQ_F_SHOULD_MERGE 0
#endif

#ifndef HAVE_DISK_THAT_IS_FREED	/* 5.10 */
#define GENHD_FL_NO_PART GENHD_FL_NO_PART_SCAN
#define set_capacity_and_notify(disk, sectors) set_capacity_revalidate_and_notify(disk, sectors, true)

/* Of a 64-bit machine: all pages have an address. */
static inline void memcpy_from_bvec(char *to, const struct bio_vec *bv)
{
	memcpy(to, page_address(bv->bv_page) + bv->bv_offset, bv->bv_len);
}

static inline void memcpy_to_bvec(const struct bio_vec *bv, const char *from)
{
	memcpy(page_address(bv->bv_page) + bv->bv_offset, from, bv->bv_len);
	flush_dcache_page(bv->bv_page);
}
#endif

/* --- what a disk is made of ------------------------------------------------------- */

#ifdef HAVE_BLK_FEATURES	/* 6.11 */
#define LIMITS_WITH_WRITE_CACHE .features = BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA,
#else
#define LIMITS_WITH_WRITE_CACHE
#endif

static inline void compat_set_features(struct request_queue *queue)
{
#ifndef HAVE_BLK_FEATURES
	blk_queue_write_cache(queue, true, true);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, queue);
	blk_queue_flag_clear(QUEUE_FLAG_ADD_RANDOM, queue);
#ifdef QUEUE_FLAG_DISCARD	/* until 5.19 */
	blk_queue_flag_set(QUEUE_FLAG_DISCARD, queue);
#endif
#endif
}

#ifndef HAVE_DISK_THAT_IS_FREED
static inline struct gendisk *compat_make_disk(struct blk_mq_tag_set *tags, void *queuedata)
{
	struct request_queue *queue = blk_mq_init_queue_data(tags, queuedata);
	struct gendisk *disk;

	if (IS_ERR(queue))
		return ERR_CAST(queue);
	disk = alloc_disk(1);
	if (!disk) {
		blk_cleanup_queue(queue);
		return ERR_PTR(-ENOMEM);
	}
	disk->queue = queue;
	return disk;
}
#elif !defined(HAVE_DISK_OF_LIMITS)
#define compat_make_disk(tags, queuedata) blk_mq_alloc_disk(tags, queuedata)
#endif

#ifdef HAVE_DISK_OF_LIMITS	/* 6.9 */
static inline struct gendisk *compat_alloc_disk(struct blk_mq_tag_set *tags, struct queue_limits *limits,
						void *queuedata)
{
	struct gendisk *disk = blk_mq_alloc_disk(tags, limits, queuedata);

	if (!IS_ERR(disk))
		compat_set_features(disk->queue);
	return disk;
}
#else
static inline struct gendisk *compat_alloc_disk(struct blk_mq_tag_set *tags, struct queue_limits *limits,
						void *queuedata)
{
	struct gendisk *disk = compat_make_disk(tags, queuedata);
	struct request_queue *queue;

	if (IS_ERR(disk))
		return disk;
	queue = disk->queue;
	blk_queue_logical_block_size(queue, limits->logical_block_size);
	blk_queue_physical_block_size(queue, limits->physical_block_size);
	blk_queue_io_min(queue, limits->io_min);
	blk_queue_io_opt(queue, limits->io_opt);
	blk_queue_max_hw_sectors(queue, limits->max_hw_sectors);
	queue->limits.max_sectors = limits->max_hw_sectors;
	blk_queue_max_segments(queue, limits->max_segments);
	blk_queue_max_segment_size(queue, limits->max_segment_size);
	blk_queue_max_discard_sectors(queue, limits->max_hw_discard_sectors);
	queue->limits.discard_granularity = limits->discard_granularity;
	blk_queue_max_write_zeroes_sectors(queue, limits->max_write_zeroes_sectors);
	compat_set_features(queue);
	return disk;
}
#endif

/* --- how it is opened, and how it ends: compat.c -------------------------------------- */

#ifndef HAVE_OPEN_OF_DISK	/* 6.5 */
#define blk_mode_t fmode_t
#endif

#ifndef HAVE_DISK_THAT_IS_FREED	/* 5.18 */
int compat_add_disk(struct device *parent, struct gendisk *disk, const struct attribute_group **groups);
void compat_del_disk(struct gendisk *disk);
void compat_put_disk(struct gendisk *disk);

#ifndef COMPAT_ITSELF
#define device_add_disk compat_add_disk
#define del_gendisk compat_del_disk
#define put_disk compat_put_disk
#endif
#endif

#endif
