/* SPDX-License-Identifier: BSD-2-Clause */
/* Where processes were when they were stopped or killed: counted by source line. */
#ifndef XSEG_POINTS_H
#define XSEG_POINTS_H

#include "test.h"

enum { POINTS_MAX = 1 << 14 };

static struct point {
	char who[64], function[128], line[128]; /* line: FILE:NUMBER */
	uint32_t count;
} points[POINTS_MAX];
static uint32_t nr_points;

/* Notes of addresses in a program or library, "WHO address" a line; named all at once. */
struct addresses {
	const char *binary;
	char path[512];
	FILE *file;
};

static void open_addresses(struct addresses *a, const char *binary)
{
	a->binary = binary;
	snprintf(a->path, sizeof(a->path), "%s.addresses", binary);
	a->file = fopen(a->path, "w+");
	CHECK(a->file);
}

/* at: from the binary's beginning; 0 = outside of it, in libc that is */
static void note_address(struct addresses *a, const char *who, uintptr_t at)
{
	fprintf(a->file, "%s\t%#lx\n", who, (unsigned long)at);
}

static void count_point(const char *who, const char *function, const char *line)
{
	struct point *p = points;

	while (p < points + nr_points && (strcmp(p->who, who) || strcmp(p->line, line) ||
					  strcmp(p->function, function)))
		p++;
	if (p == points + nr_points) {
		if (nr_points == POINTS_MAX)
			return;
		nr_points++;
		snprintf(p->who, sizeof(p->who), "%s", who);
		snprintf(p->function, sizeof(p->function), "%s", function);
		snprintf(p->line, sizeof(p->line), "%s", line);
	}
	p->count++;
}

static void chomp(char *line)
{
	line[strcspn(line, "\n (")] = 0;
}

/* Asks addr2line, which comes with the compiler, for what the addresses are. */
static void name_addresses(struct addresses *a)
{
	char command[1024], who[64], function[128], line[128];
	FILE *names;

	snprintf(command, sizeof(command), "cut -f2 '%s' | addr2line -f -s -e '%s'", a->path,
		 a->binary);
	fflush(a->file);
	names = popen(command, "r");
	rewind(a->file);
	while (names && fgets(who, sizeof(who), a->file) &&
	       fgets(function, sizeof(function), names) && fgets(line, sizeof(line), names)) {
		int outside = strstr(who, "\t0\n") != NULL;

		who[strcspn(who, "\t")] = 0;
		chomp(function);
		chomp(line);
		count_point(who, outside ? "(libc)" : function, outside ? "-" : line);
	}
	if (names)
		pclose(names);
	fclose(a->file);
	unlink(a->path);
}

static int by_function(const void *a, const void *b)
{
	const struct point *p = a, *q = b;

	return strcmp(p->function, q->function) ?: strcmp(p->line, q->line) ?:
	       strcmp(p->who, q->who);
}

/* The list to PROGRAM.points; of each function, how often and at how many lines, to stdout. */
static void report_points(const char *program)
{
	char path[256], entry[160];
	FILE *list;
	int column = 0;

	qsort(points, nr_points, sizeof(*points), by_function);
	snprintf(path, sizeof(path), "%s.points", program);
	list = fopen(path, "w");
	printf("  stopped in (times/at how many lines, which are in %s):\n ", path);
	for (uint32_t i = 0, stops = 0, lines = 0; i < nr_points; i++) {
		const struct point *p = &points[i], *next = p + 1;
		int last = i + 1 == nr_points;

		if (list)
			fprintf(list, "%-24s %-16s %5u  %s\n", p->function, p->line, p->count,
				p->who);
		stops += p->count;
		lines += last || strcmp(p->line, next->line) || strcmp(p->function, next->function);
		if (!last && !strcmp(p->function, next->function))
			continue;
		snprintf(entry, sizeof(entry), " %s %u/%u", p->function, stops, lines);
		if (column + strlen(entry) > 96)
			column = printf("\n ") - 1;
		column += printf("%s", entry);
		stops = lines = 0;
	}
	if (list)
		fclose(list);
	putchar('\n');
}

#endif
