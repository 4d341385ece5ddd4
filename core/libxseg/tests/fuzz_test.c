// SPDX-License-Identifier: BSD-2-Clause
/*
 * Headers with spoilt fields and a right checksum are refused or harmless; and
 * when everything behind the header is scribbled over, every call still
 * returns, in bounds.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include "test.h"

enum { HEADERS = SLOWED ? 4000 : 20000, SCRIBBLES = SLOWED ? 1500 : 6000 };

static uint32_t crc32c(uint32_t crc, const void *bytes, size_t n)
{
	for (const unsigned char *p = bytes; n--; p++) {
		crc ^= *p;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

static void fix_crc(struct xseg_header *h)
{
	h->crc = ~crc32c(crc32c(~0u, h, offsetof(struct xseg_header, crc)), h->name,
			 sizeof(h->name));
}

/* Every call, with arguments that may be right. */
static void use(struct xseg *xs)
{
	uint32_t slots[32], first, count, port = below(5);
	uint64_t at, length;
	FILE *out;

	for (int i = 0; i < 32; i++)
		slots[i] = below(20);
	switch (below(16)) {
	case 0: xseg_bind(xs, port, below(9), below(3) * 4096, "fuzz", below(5)); break;
	case 1: xseg_unbind(xs, port); break;
	case 2: xseg_recover(xs, port); break;
	case 3: case 4: case 5: xseg_submit(xs, port, slots, below(32)); break;
	case 6: case 7:
		for (int i = 0, n = xseg_accept(xs, port, slots, below(32)); i < n; i++) {
			struct xseg_request *r = xseg_request(xs, slots[i]);

			CHECK(r && (!r->data_length ||
				    (r->data_at >= xseg_header(xs)->data_at &&
				     r->data_length <= xseg_size(xs) &&
				     r->data_at <= xseg_size(xs) - r->data_length)));
			CHECK(r->target_length <= XSEG_TARGET_MAX);
		}
		break;
	case 8: case 9: xseg_respond(xs, slots, below(32)); break;
	case 10: case 11:
		for (int i = 0, n = xseg_receive(xs, port, slots, below(32)); i < n; i++)
			CHECK(xseg_request(xs, slots[i]));
		break;
	case 12:
		xseg_prepare_wait(xs, port);
		xseg_wait(xs, port, below(2000));
		break;
	case 13:
		xseg_wake(xs, port);
		xseg_alive(xs, port);
		xseg_heartbeat(xs, port);
		break;
	case 14:
		if (!xseg_port_slots(xs, port, &first, &count))
			CHECK((uint64_t)first + count <= xseg_header(xs)->nr_requests);
		if (!xseg_port_data(xs, port, &at, &length))
			CHECK(at + length <= xseg_size(xs));
		break;
	default:
		if (below(1000)) /* verify is patient with what may be on its way */
			break;
		out = fopen("/dev/null", "w");
		CHECK(out);
		xseg_verify(xs, NULL);
		xseg_mend(xs, NULL);
		xseg_report_all(xs, out);
		xseg_report(xs, port, out);
		fclose(out);
	}
}

static uint64_t odd(void)
{
	static const uint64_t values[] = { 0, 1, 2, 3, 7, 8, 16, 255, 4095, 4096, 8192, 1 << 20,
					   1ULL << 31, 1ULL << 32, UINT32_MAX, UINT64_MAX,
					   UINT64_MAX - 4095, 1ULL << 63 };

	return below(3) ? values[below(sizeof(values) / sizeof(*values))] : rnd();
}

static void headers(struct xseg *whole)
{
	struct xseg_header good = *xseg_header(whole), *file = xseg_base(whole);
	int joined = 0;
	struct xseg *xs;

	for (int i = 0; i < HEADERS; i++) {
		struct xseg_header bad = good;
		unsigned char *bytes = (unsigned char *)&bad;

		for (uint32_t n = 1 + below(3); n; n--) {
			uint32_t at = below(sizeof(bad));
			uint64_t value = odd();

			if (below(2))
				bytes[at] = rnd();
			else if (below(2))
				memcpy(bytes + (at & ~7u), &value, 8);
			else
				memcpy(bytes + (at & ~3u), &value, 4);
		}
		fix_crc(&bad);
		*file = bad;
		if (!xseg_join(test_segment, &xs)) {
			joined++;
			*file = good; /* too late to matter */
			CHECK_EQ(xseg_size(xs), xseg_size(whole));
			for (int calls = 0; calls < 20; calls++)
				use(xs);
			xseg_leave(xs);
		}
	}
	*file = good;
	printf("  %d of %d spoilt headers were joined\n", joined, HEADERS);
}

static void scribbles(struct xseg *xs)
{
	uint64_t size = xseg_header(xs)->data_at - 4096;
	char *at = (char *)xseg_base(xs) + 4096;

	for (int i = 0; i < SCRIBBLES; i++) {
		for (uint32_t n = below(20); n; n--) {
			uint64_t value = odd();

			/* Mostly the ports; they are small beside the requests. */
			memcpy(at + below(below(3) ? 5 * xseg_header(xs)->port_stride : size) /
				       4 * 4, &value, 4);
		}
		for (uint32_t n = below(40); n; n--)
			use(xs);
		if (!below(200))
			memset(at, 0, size);
	}
	/* Back to order, by recovery alone. */
	for (uint32_t port = 0; port < 5; port++)
		xseg_recover(xs, port);
}

int main(void)
{
	struct xseg *xs;

	test_begin("fuzz");
	xs = make(5, 8, 16, 4 * 4096);
	headers(xs);
	scribbles(xs);
	xseg_leave(xs);
	return test_exit_code;
}
