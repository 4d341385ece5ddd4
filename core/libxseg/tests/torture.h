/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the processes of the torture test share, the Java ones included
 * (org.archipelago.peer.host.TortureLedger): who does what, and a file, the ledger.
 *
 *   clients ---> composers ---> blockers ---> disk (the pages of the ledger)
 *
 * A client has cells of its own.  It writes number n to a cell, reads it back, then
 * writes n + 1, and so on; its successor goes on after the last number.  All 512 words
 * of a page follow from its cell and number.  A composer asks a blocker to do what it
 * was asked, on the same data.  In a request: offset = cell, length = number.
 */
#ifndef XSEG_TORTURE_H
#define XSEG_TORTURE_H

#include "internal.h"
#include "test.h"

enum { BLOCKERS = 3, COMPOSERS = 3, CLIENTS = 4, WORKERS = BLOCKERS + COMPOSERS + CLIENTS };
enum { DEPTH = 8, CELLS = CLIENTS * DEPTH };

/* Worker i serves port i; of those in C, a composer asks through the port given here. */
enum { ASKING = 16, PORTS = 48, RING = 64 };
enum { PAGE_WORDS = 512, REST_NS = 1000000, ALIVE_MS = 100, PATIENCE_MS = 20000 };

enum phase {
	RUN,
	PAUSE,        /* clients send nothing new */
	END_CLIENTS,  /* clients end when all is answered */
	END_COMPOSERS,
	END_BLOCKERS,
};

struct ledger {
	uint32_t phase;            /*    0: enum phase */
	uint32_t reserved[15];
	struct {
		uint64_t progress; /*   64 + 64 * worker: requests that it has done */
		uint64_t out;      /*      + 8: of a client: not answered yet */
		uint64_t stop_us;  /*      + 16: one in C stops after so much of CPU time */
		uint64_t reserved[5];
	} workers[WORKERS];        /*  704 */
	uint64_t reserved1[(2048 - 64 - 64 * WORKERS) / 8];
	struct {
		uint64_t sent;     /* 2048 + 16 * cell: last number that may be on its way */
		uint64_t answered; /*      + 8: last number that was written */
	} cells[CELLS];
	uint64_t reserved2[(8192 - 2048 - 16 * CELLS) / 8];
	uint64_t disk[CELLS][PAGE_WORDS]; /* 8192 */
};

static inline uint64_t page_word(uint64_t cell, uint64_t number, uint64_t i)
{
	uint64_t word = (number << 16 | cell << 10 | i) * 0x9e3779b97f4a7c15;

	return word ^ word >> 32;
}

/* Words 0 and 1 tell what the page is. */
static inline uint64_t expected_word(uint64_t cell, uint64_t number, uint64_t i)
{
	return i == 0 ? cell : i == 1 ? number : page_word(cell, number, i);
}

/* What a request that was done right returns. */
static inline uint64_t receipt(uint64_t cell, uint64_t number)
{
	return page_word(cell, number, 0) >> 1;
}

/* A child's life; never returns. */
void torture_worker(uint32_t worker, const char *segment, struct ledger *ledger, uint64_t seed)
	__attribute__((noreturn));

#endif
