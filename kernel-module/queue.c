// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * A hardware queue: requests of the block layer to the peer, and their answers back.
 *
 * The tag of a request is its slot.  A slot's life, with who changes it:
 *
 *	            queue_rq()            submitted
 *	    FREE --------------> FILLING -----------> SENT
 *	     ^ ^                                      | | |
 *	     | |   completed              answered    | | | the peer is gone: recalled,
 *	     | +------------------ TAKEN <------------+ | | its request queued again
 *	     |                                          | +----------------> FREE
 *	     |   answered, or the peer is gone          | failed without the peer
 *	     +------------------------------- LOST <----+
 *
 * A LOST slot keeps its buffer from being used again under a peer that may still read
 * it, or write to it.  While a queue has one, new requests fail as that one did: the
 * peer has answered nothing for longer than anybody wanted to wait.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "xsegbd.h"

#define BATCH 16

/* --- buffers ---------------------------------------------------------------- */

/* Under the lock. */
static bool take_pages(struct xsegbd_queue *q, struct xsegbd_slot *slot, unsigned int bytes)
{
	u32 pages = DIV_ROUND_UP(bytes, XSEG_PAGE);
	unsigned long at;

	if (!pages)
		return true;
	at = bitmap_find_next_zero_area(q->pages, q->nr_pages, q->next_page, pages, 0);
	if (at >= q->nr_pages)
		at = bitmap_find_next_zero_area(q->pages, q->nr_pages, 0, pages, 0);
	if (at >= q->nr_pages)
		return false;
	bitmap_set(q->pages, at, pages);
	slot->page = at;
	slot->pages = pages;
	q->next_page = at + pages < q->nr_pages ? at + pages : 0;
	return true;
}

/* Under the lock. */
static void free_slot(struct xsegbd_queue *q, struct xsegbd_slot *slot)
{
	if (slot->pages)
		bitmap_clear(q->pages, slot->page, slot->pages);
	slot->pages = 0;
	slot->rq = NULL;
	slot->place = XSEGBD_FREE;
}

static u64 data_at(const struct xsegbd_queue *q, const struct xsegbd_slot *slot)
{
	return q->data_at + (u64)slot->page * XSEG_PAGE;
}

static void copy_to_buffer(struct request *rq, u8 *to)
{
	struct req_iterator iter;
	struct bio_vec bv;

	rq_for_each_segment(bv, rq, iter) {
		memcpy_from_bvec(to, &bv);
		to += bv.bv_len;
	}
}

static void copy_from_buffer(struct request *rq, const u8 *from)
{
	struct req_iterator iter;
	struct bio_vec bv;

	rq_for_each_segment(bv, rq, iter) {
		memcpy_to_bvec(&bv, from);
		from += bv.bv_len;
	}
}

/* --- to the peer -------------------------------------------------------------- */

/* What a request is to the peer: docs/operations.md; -1 where it is nothing. */
static int operation(struct request *rq, u32 *flags)
{
	*flags = rq->cmd_flags & REQ_FUA ? XSEG_FLAG_FUA : 0;
	switch (req_op(rq)) {
	case REQ_OP_READ:
		return XSEG_OP_READ;
	case REQ_OP_WRITE:
		return XSEG_OP_WRITE;
	case REQ_OP_FLUSH:
		return XSEG_OP_FLUSH;
	case REQ_OP_DISCARD:
		*flags |= XSEG_FLAG_DISCARD;
		return XSEG_OP_ZERO;
	case REQ_OP_WRITE_ZEROES:
		*flags |= rq->cmd_flags & REQ_NOUNMAP ? 0 : XSEG_FLAG_DISCARD;
		return XSEG_OP_ZERO;
	default:
		return -1;
	}
}

static bool has_data(struct request *rq)
{
	return req_op(rq) == REQ_OP_READ || req_op(rq) == REQ_OP_WRITE;
}

static void describe(struct xsegbd_queue *q, struct xsegbd_slot *slot, struct xseg_request *r,
		     int op, u32 flags)
{
	struct request *rq = slot->rq;
	bool ranged = req_op(rq) != REQ_OP_FLUSH;

	r->op = op;
	r->flags = flags;
	r->offset = ranged ? (u64)blk_rq_pos(rq) << SECTOR_SHIFT : 0;
	r->length = ranged ? blk_rq_bytes(rq) : 0;
	r->data_at = slot->pages ? data_at(q, slot) : 0;
	r->data_length = slot->pages ? blk_rq_bytes(rq) : 0;
	r->submitted_ns = 0;
}

/* The slot of a request, and its buffer. */
static blk_status_t take_slot(struct xsegbd_queue *q, struct request *rq)
{
	struct xsegbd_slot *slot = &q->slots[rq->tag];
	blk_status_t status = BLK_STS_OK;

	spin_lock(&q->lock);
	if (q->lost) {
		status = BLK_STS_IOERR;
	} else if (!take_pages(q, slot, has_data(rq) ? blk_rq_bytes(rq) : 0)) {
		status = BLK_STS_RESOURCE; /* tried again when another is completed */
	} else {
		slot->rq = rq;
		slot->place = XSEGBD_FILLING;
	}
	spin_unlock(&q->lock);
	return status;
}

/* What could not be sent; false where it is over nevertheless. */
static bool give_back(struct xsegbd_queue *q, struct xsegbd_slot *slot, struct request *rq)
{
	bool ours;

	spin_lock(&q->lock);
	ours = slot->place == XSEGBD_SENT && slot->rq == rq;
	if (ours)
		free_slot(q, slot);
	spin_unlock(&q->lock);
	return ours;
}

static blk_status_t queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *data)
{
	struct xsegbd_queue *q = hctx->driver_data;
	struct xsegbd_device *dev = q->dev;
	struct request *rq = data->rq;
	struct xsegbd_slot *slot = &q->slots[rq->tag];
	u32 number = q->first_slot + rq->tag, flags;
	int op = operation(rq, &flags);
	blk_status_t status;

	if (op < 0)
		return BLK_STS_NOTSUPP;
	switch (xs_load(&dev->state)) {
	case XSEGBD_SERVED:
		break;
	case XSEGBD_WAITING:
		/* A change of the scheduler has ended the quiescence, which 5.10 does not count. */
		return BLK_STS_RESOURCE;
	default:
		return BLK_STS_IOERR;
	}
	status = take_slot(q, rq);
	if (status)
		return status;

	blk_mq_start_request(rq);
	if (req_op(rq) == REQ_OP_WRITE)
		copy_to_buffer(rq, dev->xs.base + data_at(q, slot));
	describe(q, slot, xs_slot(&dev->xs, number), op, flags);
	spin_lock(&q->lock);
	slot->sent = jiffies;
	slot->place = XSEGBD_SENT;
	spin_unlock(&q->lock);
	if (xs_submit(&dev->xs, q->port + 1, &number, 1) == 1)
		return BLK_STS_OK; /* it may be over by now */

	/* Only a peer that spoils its rings and slots brings this about. */
	atomic_inc(&dev->rejected);
	return give_back(q, slot, rq) ? BLK_STS_IOERR : BLK_STS_OK;
}

/* --- and back ------------------------------------------------------------------ */

static void finish(struct xsegbd_queue *q, struct xsegbd_slot *slot, blk_status_t status)
{
	struct request *rq = slot->rq;

	spin_lock(&q->lock);
	free_slot(q, slot);
	spin_unlock(&q->lock);
	blk_mq_end_request(rq, status);
}

/* Of the errnos that a peer may say, those that mean something to who reads and writes. */
static blk_status_t status_of(s32 status)
{
	switch (status) {
	case 0:
		return BLK_STS_OK;
	case ENOSPC:
	case EDQUOT:
		return BLK_STS_NOSPC;
	case EOPNOTSUPP:
		return BLK_STS_NOTSUPP;
	case ETIMEDOUT:
		return BLK_STS_TIMEOUT;
	default:
		return BLK_STS_IOERR;
	}
}

/* Each word of the answer is read once; lengths are those of the request. */
static void settle(struct xsegbd_queue *q, struct xsegbd_slot *slot)
{
	struct xsegbd_device *dev = q->dev;
	struct xseg_request *r = xs_slot(&dev->xs, q->first_slot + (slot - q->slots));
	blk_status_t status = status_of(READ_ONCE(r->status));

	if (!status && has_data(slot->rq)) {
		if (READ_ONCE(r->serviced) != blk_rq_bytes(slot->rq))
			status = BLK_STS_IOERR;
		else if (req_op(slot->rq) == REQ_OP_READ)
			copy_from_buffer(slot->rq, dev->xs.base + data_at(q, slot));
	}
	finish(q, slot, status);
}

/* Under the lock: what an answer to a slot means; 1 where its request is to be completed. */
static bool take(struct xsegbd_queue *q, struct xsegbd_slot *slot)
{
	if (slot->place == XSEGBD_SENT) {
		slot->place = XSEGBD_TAKEN;
		return true;
	}
	if (slot->place == XSEGBD_LOST) {
		q->lost--;
		free_slot(q, slot);
	} else {
		atomic_inc(&q->dev->rejected);
	}
	return false;
}

/* Completes what the peer has answered. */
void xsegbd_queue_take(struct xsegbd_queue *q)
{
	struct xsegbd_device *dev = q->dev;
	u32 numbers[BATCH], left = 2 * dev->depth, n, kept, i;

	do {
		spin_lock(&q->lock);
		n = xs_receive(&dev->xs, q->port, q->first_slot, dev->depth, numbers, BATCH);
		for (i = 0, kept = 0; i < n; i++)
			if (take(q, &q->slots[numbers[i] - q->first_slot]))
				numbers[kept++] = numbers[i];
		spin_unlock(&q->lock);
		for (i = 0; i < kept; i++)
			settle(q, &q->slots[numbers[i] - q->first_slot]);
		left -= min(left, n);
		cond_resched();
	} while (n && left);
}

/* --- without an answer ----------------------------------------------------------- */

/*
 * Nobody has the segment mapped any more, and the queue is quiesced: what was sent is
 * queued again, to be copied and sent anew.
 */
void xsegbd_queue_recall(struct xsegbd_queue *q)
{
	u32 i;

	for (i = 0; i < q->dev->depth; i++) {
		struct xsegbd_slot *slot = &q->slots[i];
		struct request *rq = NULL;

		spin_lock(&q->lock);
		if (slot->place == XSEGBD_SENT)
			rq = slot->rq;
		if (slot->place != XSEGBD_TAKEN)
			free_slot(q, slot);
		spin_unlock(&q->lock);
		if (rq)
			blk_mq_requeue_request(rq, false);
	}
	q->lost = 0;
}

/* Under the lock. */
static bool lose(struct xsegbd_queue *q, struct xsegbd_slot *slot)
{
	if (slot->place != XSEGBD_SENT)
		return false;
	slot->place = XSEGBD_LOST;
	slot->rq = NULL;
	q->lost++;
	return true;
}

/* What was sent fails, while the peer still has it; the queue is quiesced. */
void xsegbd_queue_abandon(struct xsegbd_queue *q)
{
	u32 i;

	for (i = 0; i < q->dev->depth; i++) {
		struct xsegbd_slot *slot = &q->slots[i];
		struct request *rq;
		bool lost;

		spin_lock(&q->lock);
		rq = slot->rq;
		lost = lose(q, slot);
		spin_unlock(&q->lock);
		if (lost)
			blk_mq_end_request(rq, BLK_STS_IOERR);
	}
}

/* The peer is alive, or this request would not be with it. */
static enum blk_eh_timer_return timeout(TIMEOUT_ARGUMENTS)
{
	struct xsegbd_queue *q = rq->mq_hctx->driver_data;
	struct xsegbd_device *dev = q->dev;
	unsigned int deadline = READ_ONCE(dev->deadline);
	int tag = READ_ONCE(rq->tag);
	struct xsegbd_slot *slot = &q->slots[tag];
	bool mine, lost = false;

	if (tag < 0)
		return BLK_EH_DONE; /* just recalled */
	spin_lock(&q->lock);
	mine = slot->rq == rq && (slot->place == XSEGBD_SENT || slot->place == XSEGBD_FILLING);
	if (mine && deadline && time_after_eq(jiffies, slot->sent + deadline * HZ))
		lost = lose(q, slot);
	spin_unlock(&q->lock);
	if (!mine)
		return BLK_EH_DONE;
	if (!READ_ONCE(dev->stalled)) {
		WRITE_ONCE(dev->stalled, true);
		dev_warn(&dev->dev, "%s: process %d has not answered for %u s\n", dev->target,
			 dev->peer, rq->timeout / HZ);
	}
	if (!lost)
		return BLK_EH_RESET_TIMER;
	dev_err_ratelimited(&dev->dev, "%s: a request fails: process %d has had it for %u s\n",
			    dev->target, dev->peer, deadline);
	blk_mq_end_request(rq, BLK_STS_IOERR);
	return BLK_EH_DONE;
}

/* --- life -------------------------------------------------------------------------- */

static int init_hctx(struct blk_mq_hw_ctx *hctx, void *data, unsigned int index)
{
	struct xsegbd_device *dev = data;

	hctx->driver_data = &dev->queues[index];
	return 0;
}

const struct blk_mq_ops xsegbd_mq_ops = {
	.queue_rq = queue_rq,
	.timeout = timeout,
	.init_hctx = init_hctx,
};

void xsegbd_queues_free(struct xsegbd_device *dev)
{
	u32 i;

	for (i = 0; dev->queues && i < dev->nr_queues; i++) {
		bitmap_free(dev->queues[i].pages);
		kvfree(dev->queues[i].slots);
	}
	kfree(dev->queues);
}

/* After the segment is laid out. */
int xsegbd_queues_create(struct xsegbd_device *dev)
{
	u32 pages = xsegbd_buffer / XSEG_PAGE, i;

	dev->queues = kcalloc(dev->nr_queues, sizeof(*dev->queues), GFP_KERNEL);
	if (!dev->queues)
		return -ENOMEM;
	for (i = 0; i < dev->nr_queues; i++) {
		struct xsegbd_queue *q = &dev->queues[i];

		q->dev = dev;
		q->port = XSEGBD_FIRST_QUEUE + 2 * i;
		q->first_slot = XSEGBD_CONTROL_SLOT + 1 + i * dev->depth;
		q->nr_pages = pages;
		q->data_at = dev->xs.h.data_at + (u64)i * pages * XSEG_PAGE;
		spin_lock_init(&q->lock);
		q->slots = kvcalloc(dev->depth, sizeof(*q->slots), GFP_KERNEL);
		q->pages = bitmap_zalloc(pages, GFP_KERNEL);
		if (!q->slots || !q->pages)
			return -ENOMEM;
	}
	return 0;
}
