// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* A disk that was made with its queue ends with it, by a function of its own. */
#include <linux/blkdev.h>

void *probe(void);
void *probe(void)
{
	return blk_cleanup_disk;
}
