// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* A disk is made with its limits. */
#include <linux/blk-mq.h>

struct gendisk *probe(struct blk_mq_tag_set *tags, struct queue_limits *limits);
struct gendisk *probe(struct blk_mq_tag_set *tags, struct queue_limits *limits)
{
	return blk_mq_alloc_disk(tags, limits, NULL);
}
