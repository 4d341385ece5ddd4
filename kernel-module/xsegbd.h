/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * xsegbd: a block device whose requests a process serves.
 *
 * Each device is a libxseg segment (xseg_layout.h) whose pages the module owns.  The
 * process that serves it, its peer, maps them through a character device:
 *
 *	 /dev/xsegbdN            requests            /dev/xsegbdcN
 *	 block layer ---> hardware queue q ---> ring of port 2q+3 ---> peer
 *	             <---                  <--- ring of port 2q+2 <---
 *
 * mmap() shares the segment, read() and poll() wait for requests, write() says that
 * there are answers.  One process at a time has the character device open: when its
 * last reference is gone, nobody has the memory mapped any more, and what it had not
 * answered waits for the next.
 *
 * Nothing that stands in the segment is trusted: what a slot is used for, its buffer
 * and its length stand in struct xsegbd_slot, which no process sees.
 */
#ifndef XSEGBD_H
#define XSEGBD_H

#include <linux/blk-mq.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "compat.h"
#include "protocol.h"

#define XSEGBD_NAME "xsegbd"
#define XSEGBD_DEPTH_MAX 1024
#define XSEGBD_QUEUES_MAX 64
#define XSEGBD_REQUEST_MAX (4 << 20)	/* bytes that one request carries */
#define XSEGBD_DEADLINE_MAX (30 * 86400)	/* seconds */

/* Ports: those of the module are even, the peer's odd. */
enum {
	XSEGBD_CONTROL = 0,		/* what the module itself asks: INFO */
	XSEGBD_CONTROL_PEER = 1,	/* and the bell of all the peer's ports */
	XSEGBD_FIRST_QUEUE = 2,
};

#define XSEGBD_CONTROL_SLOT 0

/* docs/xsegbd.md draws them. */
enum xsegbd_state {
	XSEGBD_WAITING,		/* nobody serves it: requests wait */
	XSEGBD_SERVED,		/* by a peer that is alive */
	XSEGBD_EXPIRED,		/* nobody came for too long: requests fail */
	XSEGBD_GONE,		/* removed: nothing comes back from here */
};

/* Where a request slot is; under its queue's lock. */
enum xsegbd_place {
	XSEGBD_FREE,
	XSEGBD_FILLING,		/* being written by queue_rq() */
	XSEGBD_SENT,		/* the peer's, to be answered once */
	XSEGBD_TAKEN,		/* answered, being completed */
	XSEGBD_LOST,		/* its request has failed; the peer may still use its buffer */
};

struct xsegbd_slot {
	struct request *rq;	/* unless FREE or LOST */
	unsigned long sent;	/* jiffies */
	u32 page, pages;	/* of its queue's */
	enum xsegbd_place place;
};

struct xsegbd_queue {
	struct xsegbd_device *dev;
	u32 port;		/* the module's; the peer's is the next */
	u32 first_slot;		/* of the segment; slot of tag 0 */
	u64 data_at;		/* of page 0, in the segment */
	u32 nr_pages;
	spinlock_t lock;	/* of what follows, and of taking answers from the ring */
	struct xsegbd_slot *slots;	/* [depth], by tag */
	unsigned long *pages;	/* [nr_pages] bits: taken */
	u32 next_page;		/* where to look first */
	u32 lost;		/* slots that are LOST */
};

/* What the peer says of the volume. */
struct xsegbd_info {
	int status;		/* 0 or a positive errno */
	u64 size;		/* bytes */
	bool read_only;
};

struct xsegbd_device {
	struct device dev;	/* /sys/bus/xsegbd/devices/N; its last reference frees all */
	struct cdev cdev;	/* /dev/xsegbdcN */
	struct list_head in_table;
	u32 id, src, dst, depth, nr_queues;
	char target[XSEG_TARGET_MAX + 1];

	struct xseg xs;
	struct xsegbd_queue *queues;
	struct blk_mq_tag_set tags;
	struct gendisk *disk;	/* /dev/xsegbdN, once its size is known */
	wait_queue_head_t wait;	/* of the peer, for requests */
	atomic_t rejected;	/* answers to what was not asked, and the like */

	struct mutex mutex;	/* of what follows */
	enum xsegbd_state state;	/* also read without it */
	bool held;		/* the queue is quiesced */
	bool open;		/* somebody has the character device */
	bool live;		/* the disk was added */
	pid_t peer;
	unsigned int deadline;	/* seconds that requests wait; 0 = for ever */
	struct delayed_work expiry;
	struct work_struct described;

	spinlock_t control_lock;	/* of the next three */
	bool asking, ask_again;
	struct xsegbd_info info;

	bool stalled;		/* the peer lives and does not answer; a note for people */

	spinlock_t open_lock;	/* of the next two */
	unsigned int openers;	/* of the block device */
	bool removing;
};

static inline struct xsegbd_device *to_xsegbd(struct device *dev)
{
	return container_of(dev, struct xsegbd_device, dev);
}

/* main.c */
extern unsigned int xsegbd_first_port, xsegbd_last_port, xsegbd_deadline, xsegbd_timeout;
extern unsigned int xsegbd_queues, xsegbd_buffer;
extern int xsegbd_major;
extern dev_t xsegbd_chrdev;

/* bus.c */
int xsegbd_bus_register(void);
void xsegbd_bus_unregister(void);
extern struct bus_type xsegbd_bus;

/* sysfs.c */
extern const struct attribute_group *xsegbd_groups[];

/* device.c */
struct xsegbd_device *xsegbd_device_create(const char *target, u32 src, u32 dst, u32 depth);
int xsegbd_device_remove(struct xsegbd_device *dev, bool force);
void xsegbd_device_wait_for_all(void);
void xsegbd_device_enter(struct xsegbd_device *dev, enum xsegbd_state state);
void xsegbd_device_give_up(struct xsegbd_device *dev, bool for_good);
const char *xsegbd_device_state(struct xsegbd_device *dev);

/* segment.c */
int xsegbd_segment_create(struct xsegbd_device *dev);
void xsegbd_segment_reset(struct xsegbd_device *dev);
void xsegbd_segment_free(struct xsegbd_device *dev);
bool xsegbd_segment_has_requests(struct xsegbd_device *dev);

/* control.c */
void xsegbd_control_ask(struct xsegbd_device *dev);
void xsegbd_control_take(struct xsegbd_device *dev);
void xsegbd_control_forget(struct xsegbd_device *dev);

/* queue.c */
extern const struct blk_mq_ops xsegbd_mq_ops;
int xsegbd_queues_create(struct xsegbd_device *dev);
void xsegbd_queues_free(struct xsegbd_device *dev);
void xsegbd_queue_take(struct xsegbd_queue *q);
void xsegbd_queue_recall(struct xsegbd_queue *q);
void xsegbd_queue_abandon(struct xsegbd_queue *q);

/* disk.c */
int xsegbd_disk_create(struct xsegbd_device *dev);
int xsegbd_disk_open(struct gendisk *disk, blk_mode_t mode);
void xsegbd_disk_release(struct gendisk *disk);
void xsegbd_disk_free(struct gendisk *disk);
void xsegbd_disk_remove(struct xsegbd_device *dev);
int xsegbd_disk_describe(struct xsegbd_device *dev, const struct xsegbd_info *info);

/* compat.c */
extern const struct block_device_operations xsegbd_disk_fops;

/* peer.c */
extern const struct file_operations xsegbd_peer_fops;

#endif
