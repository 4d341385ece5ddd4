// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Merging has to be asked for. */
#include <linux/blk-mq.h>

int probe = BLK_MQ_F_SHOULD_MERGE;
