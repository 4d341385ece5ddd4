// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The driver is told of a disk's end, and add_disk() of its own failure: the oldest kernel that xsegbd builds for. */
#include <linux/blkdev.h>

void probe_free(struct gendisk *disk);
const struct block_device_operations probe = { .free_disk = probe_free };
