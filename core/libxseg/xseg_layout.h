/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The memory layout of a segment, ABI 1.  Shared by user space, by the kernel
 * module and (through org.archipelago.xseg.SegmentDescriptor and
 * RequestDescriptor) by Java.
 *
 *   0         +------------------------+
 *             | struct xseg_header     |  one page, constant after creation but
 *             |                        |  for the note of who holds the lock
 *   ports_at  +------------------------+
 *             | port 0                 |  struct xseg_port, then the words of
 *             | port 1                 |  its request ring, then those of its
 *             | ...                    |  reply ring; port_stride bytes each
 * requests_at +------------------------+
 *             | request 0              |  struct xseg_request, 256 bytes each
 *             | ...                    |
 *   data_at   +------------------------+
 *             | data                   |  in pages of 4096 bytes
 *   size      +------------------------+
 *
 * All numbers are little-endian, all positions are bytes from the start of the
 * segment: a segment may lie at another address in each process.
 *
 * Who owns what
 *   A port is bound by one process.  Binding gives it a run of request slots
 *   and a run of data pages, recorded in the port itself; no other free list
 *   exists.  Only the owner allocates among its slots and pages, so allocation
 *   needs no lock and leaves nothing to repair.  Binding, unbinding and
 *   recovery are rare and are made exclusive by an open-file-description lock
 *   on the segment's file, which the kernel drops when its holder dies.
 *
 * Rings
 *   A ring holds ring_size words (a power of two).  A word is
 *       lap << 32 | slot + 1      an entry: the number of a request slot
 *       lap << 32                 empty, to be filled in that lap
 *   where lap = position / ring_size (mod 2^32).  A producer publishes with ONE
 *   compare-and-swap of the whole word and then helps the tail forward; any
 *   other producer, or the consumer, can help in its place.  So a process
 *   killed between any two instructions has either published or not, and never
 *   leaves a reservation behind.  Each ring has one consumer: the port's owner.
 */
#ifndef XSEG_LAYOUT_H
#define XSEG_LAYOUT_H

#include <linux/types.h>

#define XSEG_MAGIC 0x0047455358435241ULL /* "ARCXSEG\0" read as little-endian */
#define XSEG_ABI 1
#define XSEG_PAGE 4096
#define XSEG_LINE 64
#define XSEG_NAME_MAX 64     /* segment and role names, with the final NUL */
#define XSEG_TARGET_MAX 160  /* bytes of a request's target */
#define XSEG_PORTS_MAX 4096
#define XSEG_REQUESTS_MAX (1 << 20)
#define XSEG_RING_MAX 4096

struct xseg_header {
	__u64 magic;        /*   0: XSEG_MAGIC */
	__u32 abi;          /*   8: XSEG_ABI */
	__u32 header_size;  /*  12: sizeof(struct xseg_header) */
	__u64 size;         /*  16: of the segment, bytes */
	__u32 nr_ports;     /*  24 */
	__u32 port_stride;  /*  28: bytes from one port to the next */
	__u32 ring_size;    /*  32: words of each ring; a power of two */
	__u32 nr_requests;  /*  36 */
	__u64 ports_at;     /*  40 */
	__u64 requests_at;  /*  48 */
	__u64 data_at;      /*  56 */
	__u64 data_pages;   /*  64 */
	__u64 created_s;    /*  72: CLOCK_REALTIME, seconds */
	__u32 creator_pid;  /*  80 */
	__u32 crc;          /*  84: CRC32C of bytes 0..83, then of name */
	char name[XSEG_NAME_MAX]; /* 88 */
};                          /* 152 */

/*
 * In the header's page: who has the file's lock, for people to read.  What counts
 * is the lock itself: a holder that was killed leaves this and not the lock.
 */
#define XSEG_LOCK_NOTE_AT 192
struct xseg_lock_note {
	__u32 pid;          /*   0: 0 = nobody; written last, cleared first */
	__u32 reserved0;
	__u64 pid_start;    /*   8: as in a port */
	__u64 since_ns;     /*  16: CLOCK_BOOTTIME */
	__u64 pid_ns;       /*  24: as in a port */
};

enum xseg_port_state {
	XSEG_PORT_FREE = 0,
	XSEG_PORT_BOUND = 1,
	XSEG_PORT_DEAD = 2, /* owner gone; others work on requests of that process */
};

enum xseg_sleep {
	XSEG_AWAKE = 0,
	XSEG_SLEEPING = 1, /* or about to; set by the owner */
	/*
	 * To wake up; whoever rings again wakes again, in case the first was killed
	 * between this and the futex call.
	 */
	XSEG_RUNG = 2,
};

#define XSEG_KERNEL (~0ULL) /* instead of a namespace: the owner is a kernel module */

struct xseg_port {
	/* line 0: written under the file lock (but bell and heartbeat, by the owner), read by all */
	__u32 state;          /*   0: enum xseg_port_state */
	__u32 pid;            /*   4: owner */
	__u64 pid_start;      /*   8: field 22 of /proc/PID/stat: makes pid unique */
	__u32 first_request;  /*  16: run of slots */
	__u32 nr_requests;    /*  20 */
	__u32 first_page;     /*  24: run of data pages, counted from data_at */
	__u32 nr_pages;       /*  28 */
	__u32 bell;           /*  32: port whose wait word is rung for this one */
	__u32 generation;     /*  36: counts binds */
	__u64 heartbeat;      /*  40: CLOCK_BOOTTIME ns, by the owner, at least each second */
	__u64 dropped;        /*  48: ring entries and answers that led nowhere */
	__u64 pid_ns;         /*  56: inode of the PID namespace that pid is of, or XSEG_KERNEL */
	/* line 1 */
	char role[XSEG_NAME_MAX]; /* 64: what the owner calls itself */
	/* line 2: written by all */
	__u32 sleeping;       /* 128: futex word: enum xseg_sleep */
	__u32 rescan;         /* 132: 1 = there are answers that the ring does not name */
	__u32 fifo;           /* 136: 1 = rung by a byte in a FIFO, not by a futex wake */
	__u32 reserved1[13];
	/* line 3 and 4: request ring */
	__u64 request_tail;   /* 192 */
	__u64 reserved2[7];
	__u64 request_head;   /* 256 */
	__u64 reserved3[7];
	/* line 5 and 6: reply ring */
	__u64 reply_tail;     /* 320 */
	__u64 reserved4[7];
	__u64 reply_head;     /* 384 */
	__u64 timed;          /* 392: answers to requests with submitted_ns, by the owner */
	__u64 timed_ns;       /* 400: from then until they were received, in all */
	__u64 reserved5[5];
	/* 448: __u64 request_words[ring_size]; __u64 reply_words[ring_size]; */
};

enum xseg_request_state {
	XSEG_REQUEST_FREE = 0,      /* with its owner */
	XSEG_REQUEST_SUBMITTED = 1, /* on its way to dst */
	XSEG_REQUEST_ACCEPTED = 2,  /* dst works on it */
	XSEG_REQUEST_DONE = 3,      /* on its way back, status says how it went */
	XSEG_REQUEST_FAILING = 4,   /* as ACCEPTED, while someone answers in dead dst's stead */
};

struct xseg_request {
	union {
		struct {
			__u32 state; /*   0: enum xseg_request_state */
			__u32 dst;   /*   4: port that it was submitted to */
		};
		__u64 hand;          /*   0: both, to be changed at once */
	};
	__u32 src;        /*   8: port that owns the slot */
	__u32 op;         /*  12: enum xseg_op */
	__u32 flags;      /*  16: XSEG_FLAG_* */
	__s32 status;     /*  20: 0, or a positive errno */
	__u64 offset;     /*  24: bytes within the target */
	__u64 length;     /*  32: bytes asked for */
	__u64 serviced;   /*  40: bytes done, or the operation's own result */
	__u64 data_at;    /*  48: first byte of the data, from the segment's start */
	__u64 data_length;/*  56: bytes there are at data_at */
	__u64 cookie;     /*  64: the owner's own, never read by others */
	__u64 submitted_ns; /* 72: CLOCK_MONOTONIC, 0 = not measured */
	__u32 target_length; /* 80 */
	__u32 reserved0;
	__u64 reserved1;  /*  88 */
	char target[XSEG_TARGET_MAX]; /* 96: not NUL-terminated, zero padded to 8 bytes */
};                        /* 256 */

/* Operations.  What each means to which role: docs/operations.md. */
enum xseg_op {
	XSEG_OP_PING = 0,
	XSEG_OP_READ = 1,
	XSEG_OP_WRITE = 2,
	XSEG_OP_SYNC = 3,
	XSEG_OP_RESIZE = 4,
	XSEG_OP_DELETE = 5,
	XSEG_OP_ACQUIRE = 6,
	XSEG_OP_RELEASE = 7,
	XSEG_OP_COPY = 8,
	XSEG_OP_CLONE = 9,
	XSEG_OP_COMMIT = 10,
	XSEG_OP_INFO = 11,
	XSEG_OP_MAPR = 12,
	XSEG_OP_MAPW = 13,
	XSEG_OP_OPEN = 14,
	XSEG_OP_CLOSE = 15,
	XSEG_OP_SNAPSHOT = 16,
	XSEG_OP_HASH = 17,
	XSEG_OP_CREATE = 18,
	XSEG_OP_RENAME = 19,
	XSEG_OP_FLUSH = 20,
	XSEG_OP_ZERO = 21,
	XSEG_OP_PUT = 22,
	XSEG_OP_LIST = 23,
	XSEG_OP_STATUS = 24,
	XSEG_OP_SETINFO = 25,
	XSEG_OP_LOCK = 26,
	XSEG_OP_UNLOCK = 27,
	XSEG_OP_SCAN = 28,
	XSEG_OP_PREPARE = 29,
	XSEG_OP_SEAL = 30,
	XSEG_OP_COLLECT = 31,
	XSEG_OP_VERIFY = 32,
	XSEG_OP_USAGE = 33,
	XSEG_OP_CHECK = 34,
};

#define XSEG_FLAG_FUA (1u << 0)       /* durable before the answer */
#define XSEG_FLAG_FORCE (1u << 1)     /* break what is in the way */
#define XSEG_FLAG_EXCLUSIVE (1u << 2) /* fail with EEXIST; OPEN: for this node alone; HASH: of a volume that may be written */
#define XSEG_FLAG_DISCARD (1u << 3)   /* ZERO: the contents need not be kept at all */
#define XSEG_FLAG_SHARED (1u << 4)    /* OPEN: another node will take over */
#define XSEG_FLAG_CREATE (1u << 5)    /* WRITE: make the object where it is absent */
#define XSEG_FLAG_FRESH (1u << 6)     /* READ: open anew; another node may have put another object there */
#define XSEG_FLAG_UNCLEAN (1u << 7)   /* CLOSE, RENAME: objects may hold what no map names */
#define XSEG_FLAG_EXACT (1u << 8)     /* READ: EIO where the object ends before the range does */
#define XSEG_FLAG_LAZY (1u << 9)      /* DELETE: need not be durable when answered */
#define XSEG_FLAG_ALLOCATE (1u << 10) /* WRITE: if it is made, take its space in one go; all where the write begins at 0 */
#define XSEG_FLAG_SIZE_SHIFT 16       /* CREATE: bits 16-21, log2 of the bytes that the object is made with; 0: none */

#endif
