// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* What a segment's header says, and that the layout is what it always was. */
#include "protocol.h"

_Static_assert(sizeof(struct xseg_header) == 152, "ABI");
_Static_assert(sizeof(struct xseg_port) == 448, "ABI");
_Static_assert(sizeof(struct xseg_request) == 256, "ABI");
_Static_assert(offsetof(struct xseg_request, hand) == 0 &&
	       offsetof(struct xseg_request, src) == 8 &&
	       offsetof(struct xseg_request, data_at) == 48 &&
	       offsetof(struct xseg_request, target) == 96, "ABI");
_Static_assert(offsetof(struct xseg_port, sleeping) == 128 &&
	       offsetof(struct xseg_port, request_tail) == 192 &&
	       offsetof(struct xseg_port, reply_head) == 384, "ABI");
_Static_assert(sizeof(struct xseg_header) <= XSEG_LOCK_NOTE_AT &&
	       XSEG_LOCK_NOTE_AT + sizeof(struct xseg_lock_note) <= XSEG_PAGE, "ABI");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the layout is little-endian");

static __u64 page_up(__u64 bytes)
{
	return (bytes + XSEG_PAGE - 1) & ~(__u64)(XSEG_PAGE - 1);
}

void xs_lay_out(struct xseg_header *h, __u32 nr_ports, __u32 ring_size, __u32 nr_requests,
		__u64 data_pages)
{
	h->magic = XSEG_MAGIC;
	h->abi = XSEG_ABI;
	h->header_size = sizeof(*h);
	h->nr_ports = nr_ports;
	h->port_stride = sizeof(struct xseg_port) + 2 * sizeof(__u64) * ring_size;
	h->port_stride = (h->port_stride + XSEG_LINE - 1) & ~(XSEG_LINE - 1);
	h->ring_size = ring_size;
	h->nr_requests = nr_requests;
	h->ports_at = XSEG_PAGE;
	h->requests_at = page_up(h->ports_at + (__u64)nr_ports * h->port_stride);
	h->data_at = page_up(h->requests_at + (__u64)nr_requests * sizeof(struct xseg_request));
	h->data_pages = data_pages;
	h->size = h->data_at + data_pages * XSEG_PAGE;
}

static __u32 crc32c(__u32 crc, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	int bit;

	while (n--) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

__u32 xs_header_crc(const struct xseg_header *h)
{
	__u32 crc = crc32c(~0u, h, offsetof(struct xseg_header, crc));

	return ~crc32c(crc, h->name, sizeof(h->name));
}
