// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* A disk, and not a block device, is opened. */
#include <linux/blkdev.h>

int probe_open(struct gendisk *disk, blk_mode_t mode);
const struct block_device_operations probe = { .open = probe_open };
