// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The module: its parameters, its numbers, and the order in which it comes and goes. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/module.h>
#include "xsegbd.h"

unsigned int xsegbd_first_port;
module_param_named(start_portno, xsegbd_first_port, uint, 0444);
MODULE_PARM_DESC(start_portno, "first port of the range: device N has port start_portno + N (0)");

unsigned int xsegbd_last_port = 499;
module_param_named(end_portno, xsegbd_last_port, uint, 0444);
MODULE_PARM_DESC(end_portno, "last port of the range (499)");

int xsegbd_major;
module_param_named(major, xsegbd_major, int, 0444);
MODULE_PARM_DESC(major, "major number of the block devices; 0: the kernel finds one (0)");

unsigned int xsegbd_queues;
module_param_named(queues, xsegbd_queues, uint, 0444);
MODULE_PARM_DESC(queues, "hardware queues of a device, 1 to 64; 0: one a CPU, at most 4 (0)");

static unsigned int buffer_kib = 8192;
module_param_named(buffer, buffer_kib, uint, 0444);
MODULE_PARM_DESC(buffer, "KiB of memory for the data of one hardware queue, 4096 to 262144 (8192)");
unsigned int xsegbd_buffer;	/* bytes */

unsigned int xsegbd_deadline = 300;
module_param_named(deadline, xsegbd_deadline, uint, 0644);
MODULE_PARM_DESC(deadline, "seconds that requests of a new device wait for a peer before they fail; 0: for ever (300)");

unsigned int xsegbd_timeout = 30;
module_param_named(timeout, xsegbd_timeout, uint, 0444);
MODULE_PARM_DESC(timeout, "seconds after which a peer that has not answered a request counts as stalled, 1 to 3600 (30)");

dev_t xsegbd_chrdev;

static bool within(const char *what, unsigned int value, unsigned int least, unsigned int most)
{
	if (value >= least && value <= most)
		return true;
	pr_err("%s=%u is not between %u and %u\n", what, value, least, most);
	return false;
}

static int check_parameters(void)
{
	if (!xsegbd_queues)
		xsegbd_queues = min(num_online_cpus(), 4u);
	xsegbd_buffer = buffer_kib << 10;
	return within("end_portno", xsegbd_last_port, 1, XSEG_PORTS_MAX - 1) &&
	       within("start_portno", xsegbd_first_port, 0, xsegbd_last_port - 1) &&
	       within("queues", xsegbd_queues, 1, XSEGBD_QUEUES_MAX) &&
	       within("buffer", buffer_kib, XSEGBD_REQUEST_MAX >> 10, 262144) &&
	       within("deadline", xsegbd_deadline, 0, XSEGBD_DEADLINE_MAX) &&
	       within("timeout", xsegbd_timeout, 1, 3600) ? 0 : -EINVAL;
}

static int __init xsegbd_init(void)
{
	int error = check_parameters(), major;

	if (error)
		return error;
	major = register_blkdev(xsegbd_major, XSEGBD_NAME);
	if (major < 0)
		return major;
	if (!xsegbd_major)
		xsegbd_major = major;
	error = alloc_chrdev_region(&xsegbd_chrdev, 0, XSEG_PORTS_MAX, XSEGBD_NAME);
	if (error)
		goto unregister_blkdev;
	error = xsegbd_bus_register();
	if (error)
		goto unregister_chrdev;
	return 0;

unregister_chrdev:
	unregister_chrdev_region(xsegbd_chrdev, XSEG_PORTS_MAX);
unregister_blkdev:
	unregister_blkdev(xsegbd_major, XSEGBD_NAME);
	return error;
}

static void __exit xsegbd_exit(void)
{
	xsegbd_bus_unregister();
	xsegbd_device_wait_for_all();
	unregister_chrdev_region(xsegbd_chrdev, XSEG_PORTS_MAX);
	unregister_blkdev(xsegbd_major, XSEGBD_NAME);
}

module_init(xsegbd_init);
module_exit(xsegbd_exit);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("Block devices whose requests a process serves, through libxseg segments");
