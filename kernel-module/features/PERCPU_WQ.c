// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Workqueues say whether their work runs on the processor that queued it. */
#include <linux/workqueue.h>

struct workqueue_struct *probe(void);
struct workqueue_struct *probe(void)
{
	return system_percpu_wq;
}
