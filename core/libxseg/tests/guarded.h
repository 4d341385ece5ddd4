/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In a program that includes this, whatever libxseg maps lies between pages that
 * nobody may touch: GUARD bytes on either side, more than a 32-bit index of slots
 * or ports can lead to.  So an access outside a segment ends the program.
 */
#ifndef XSEG_GUARDED_H
#define XSEG_GUARDED_H

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GUARD (1ULL << 40)

/* In libc's stead. */
void *mmap(void *wanted, size_t size, int protection, int flags, int fd, off_t offset)
{
	char *all, *at = wanted;

	if (!(flags & MAP_FIXED)) {
		all = (char *)syscall(SYS_mmap, NULL, 2 * GUARD + size, PROT_NONE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (all == MAP_FAILED)
			return MAP_FAILED;
		at = all + GUARD;
		flags |= MAP_FIXED;
	}
	return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}

int munmap(void *at, size_t size)
{
	return syscall(SYS_munmap, (char *)at - GUARD, 2 * GUARD + size);
}

#endif
