// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The guest's only process: loads the module, says how that went, ends the guest.
 * SEED, ROUNDS: what the module is told; they come from the kernel's command line.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	int fd = open("/xseg_selftest.ko", O_RDONLY), failed;
	char options[64];

	snprintf(options, sizeof(options), "seed=%s rounds=%s", getenv("SEED"), getenv("ROUNDS"));
	failed = fd < 0 || syscall(SYS_finit_module, fd, options, 0);
	printf("\nselftest: %s\n", failed ? strerror(errno) : "all passed");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 1;
}
