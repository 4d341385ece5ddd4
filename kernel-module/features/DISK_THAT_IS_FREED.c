// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The driver is told of a disk's end, and of a failure of add_disk(); where not, xsegbd takes it for 5.10. */
#include <linux/blkdev.h>

void probe_free(struct gendisk *disk);
const struct block_device_operations probe = { .free_disk = probe_free };
