// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The write cache is one of the limits. */
#include <linux/blkdev.h>

struct queue_limits probe = { .features = BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA };
