// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Nothing but its request is told to a timeout. */
#include <linux/blk-mq.h>

enum blk_eh_timer_return probe_timeout(struct request *rq);
const struct blk_mq_ops probe = { .timeout = probe_timeout };
