// SPDX-License-Identifier: BSD-2-Clause
/*
 * The segment of an xsegbd device: memory of the kernel module's, mapped through the
 * device's character device.  The module made it and has bound all its ports; it hears
 * of answers by a write of the ABI.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "internal.h"

/* The peer's, of all that the module has bound. */
enum { FIRST_PORT = 1, PORT_STEP = 2 };

static int ring(const struct xseg *xs)
{
	__u32 abi = XSEG_ABI;

	return write(xs_joined(xs)->fd, &abi, sizeof(abi)) < 0 ? errno : 0;
}

void xs_ring_device(struct xseg *xs)
{
	(void)ring(xs); /* it fails where the device is removed: nobody waits for answers */
}

static int read_header(int fd, const char *path, struct xseg_header *h)
{
	void *page = mmap(NULL, XSEG_PAGE, PROT_READ, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		return xs_fail(errno, "cannot map %s: %s", path, strerror(errno));
	memcpy(h, page, sizeof(*h));
	munmap(page, XSEG_PAGE);
	h->name[XSEG_NAME_MAX - 1] = 0;
	if (h->magic != XSEG_MAGIC)
		return xs_fail(EUCLEAN, "%s is not a device of xsegbd", path);
	return xs_check_header(h, h->size, h->name);
}

int xseg_join_device(const char *path, struct xseg **xs)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK), rc;
	struct xseg_header h;

	if (fd < 0)
		return xs_fail(errno, "cannot open %s: %s", path,
			       errno == EBUSY ? "another process serves it" : strerror(errno));
	rc = read_header(fd, path, &h);
	if (rc) {
		close(fd);
		return rc;
	}
	rc = xs_map(&h, fd, xs);
	if (rc)
		return rc;
	xs_joined(*xs)->device = 1;
	for (uint32_t port = FIRST_PORT; port < h.nr_ports; port += PORT_STEP)
		(*xs)->mine[port] = 1;
	return 0;
}

int xseg_serve_device(struct xseg *xs)
{
	int error = ring(xs);

	return error ? xs_fail(error, "cannot serve device %s: %s", xs->h.name, strerror(error)) : 0;
}

int xseg_device_fd(const struct xseg *xs)
{
	return xs_joined(xs)->fd;
}
