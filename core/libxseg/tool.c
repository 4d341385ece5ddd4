// SPDX-License-Identifier: BSD-2-Clause
/* The xseg command: makes, shows, mends and measures segments. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "xseg.h"
#include "tool.h"

/* xseg.1 says the same at length. */
static const char usage_text[] =
"usage: xseg [-g NAME] COMMAND [ARGUMENT]\n"
"       xseg posix:NAME:[DYNAMIC_PORTS:]PORTS:SIZE_MiB:12 COMMAND [ARGUMENT]\n"
"\n"
"  create [--ports N] [--requests N] [--ring N] [--size MiB] [--mode OCTAL]\n"
"                     make the segment\n"
"  destroy [-f]       remove it; -f: although processes use it, which keep what\n"
"                     they have\n"
"  info, join         show what it was made with, as whoever joins it sees it\n"
"  reportall          show every bound port\n"
"  report PORT        show one port\n"
"  top [--seconds S] [--count N]\n"
"                     show rates, queues and latency by port, each S seconds\n"
"  verify             name every contradiction in it\n"
"  verify --fix, verify-fix\n"
"                     the same, after mending what can be mended\n"
"  recoverport PORT   give back what a dead process had taken\n"
"  recoverlocks [PID] say who has locked it; give back what all dead processes,\n"
"                     or PID, had taken\n"
"  bench [--file FILE] [--depth N,...] [--spin US] [--seconds S]\n"
"                     measure round trips between two processes\n"
"  bench [--target NAME] [--write] ... PORT\n"
"                     the same to whoever serves PORT\n"
"  bench --serve [--file FILE] [--spin US] PORT\n"
"                     serve PORT by doing nothing, or reading FILE\n"
"  help               this text\n"
"\n"
"NAME is 'archipelago' unless -g or the environment's XSEG_SEGMENT says otherwise.\n"
"create: 256 ports, 16384 requests, rings of 1024 words, 256 MiB of data, mode 0660.\n"
"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such segment, 4 contradictions.\n";

static const char *segment = "archipelago";
static struct xseg_params params = {
	.nr_ports = 256, .ring_size = 1024, .nr_requests = 16384, .mode = 0660,
	.data_bytes = 256ULL << 20,
};
static uint64_t seconds = 1;
static struct xseg_bench load = {
	.spin_ns = 50000, .target = "", .depths = { 1, 16, 64 }, .nr_depths = 3,
};
static struct xseg *xs; /* where the command joins */
static uint64_t port;   /* where it takes one, or a process */
static int has_number;
static uint32_t count;  /* of top's tables; 0 = until it is interrupted */
static int force, fix, serves;

static int wrong(const char *what, const char *value)
{
	fprintf(stderr, "xseg: %s%s%s; try 'xseg help'\n", what, value ? ": " : "",
		value ? value : "");
	return XSEG_EXIT_USAGE;
}

static int failed(const char *what, int rc)
{
	fprintf(stderr, "xseg: %s: %s\n", what, xseg_strerror());
	if (rc == -ENOENT)
		fprintf(stderr, "xseg: make it with 'xseg -g %s create'\n", segment);
	else if (rc == -EEXIST)
		fprintf(stderr, "xseg: see it with 'xseg -g %s info', remove it with destroy\n",
			segment);
	else if (rc == -EACCES)
		fprintf(stderr, "xseg: be the user or of the group that /dev/shm/%s allows\n",
			segment);
	else if (rc == -EBUSY)
		fprintf(stderr, "xseg: only what a dead process had taken can be given back\n");
	return rc == -ENOENT ? XSEG_EXIT_ABSENT : XSEG_EXIT_FAILED;
}

static int number(const char *text, int base, uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, base);
	return !errno && end != text && !*end && *text != '-' && *value <= max;
}

/* --- commands ----------------------------------------------------------- */

static int create(void)
{
	int rc = xseg_create(segment, &params);

	return rc ? failed("create", rc) : XSEG_EXIT_OK;
}

static const struct xseg_port *port_at(uint32_t number)
{
	const struct xseg_header *h = xseg_header(xs);

	return (const void *)((char *)xseg_base(xs) + h->ports_at +
			      (uint64_t)number * h->port_stride);
}

/* What cannot be joined has no users that could be asked for. */
static int destroy(void)
{
	int rc;

	if (!force && !xseg_join(segment, &xs))
		for (uint32_t i = 0; i < xseg_header(xs)->nr_ports; i++)
			if (xseg_alive(xs, i) > 0) {
				fprintf(stderr, "xseg: destroy: port %u of segment %s is bound by "
					"process %u, which lives: end it, or use destroy -f\n",
					i, segment, port_at(i)->pid);
				return XSEG_EXIT_FAILED;
			}
	rc = xseg_destroy(segment);
	return rc ? failed("destroy", rc) : XSEG_EXIT_OK;
}

static int info(void)
{
	const struct xseg_header *h = xseg_header(xs);
	time_t created = h->created_s;
	char when[32] = "";

	strftime(when, sizeof(when), "%FT%TZ", gmtime(&created));
	printf("segment   %s\n", h->name);
	printf("abi       %u\n", h->abi);
	printf("created   %s by process %u\n", when, h->creator_pid);
	printf("size      %" PRIu64 " bytes\n", (uint64_t)h->size);
	printf("ports     %u, %u bytes each, from %" PRIu64 "\n", h->nr_ports, h->port_stride,
	       (uint64_t)h->ports_at);
	printf("rings     %u words\n", h->ring_size);
	printf("requests  %u, from %" PRIu64 "\n", h->nr_requests, (uint64_t)h->requests_at);
	printf("data      %" PRIu64 " pages of %u bytes, from %" PRIu64 "\n",
	       (uint64_t)h->data_pages, XSEG_PAGE, (uint64_t)h->data_at);
	return XSEG_EXIT_OK;
}

static int report_all(void)
{
	xseg_report_all(xs, stdout);
	return XSEG_EXIT_OK;
}

static int report(void)
{
	int rc = xseg_report(xs, port, stdout);

	return rc ? failed("report", rc) : XSEG_EXIT_OK;
}

static int verify_only(void)
{
	int found = xseg_verify(xs, stdout);

	if (found < 0)
		return failed("verify", found);
	printf("segment %s: %d contradictions\n", segment, found);
	return found ? XSEG_EXIT_CONTRADICTIONS : XSEG_EXIT_OK;
}

static int verify_fix(void)
{
	int mended = xseg_mend(xs, stdout);

	if (mended < 0)
		return failed("verify --fix", mended);
	printf("segment %s: %d contradictions mended\n", segment, mended);
	return verify_only();
}

static int verify(void)
{
	return fix ? verify_fix() : verify_only();
}

static int recover(void)
{
	int rc = xseg_recover(xs, port);

	if (rc < 0)
		return failed("recoverport", rc);
	printf("port %" PRIu64 ": %s%d requests went back to their senders\n", port,
	       port_at(port)->state == XSEG_PORT_FREE ? "" :
	       "not free yet: others still work on requests of the dead process; ", rc);
	return XSEG_EXIT_OK;
}

/* Ports of process pid, which must be dead. */
static int recover_process(uint32_t pid)
{
	int sent_back = 0;

	for (uint32_t i = 0; i < xseg_header(xs)->nr_ports; i++) {
		int rc = 0;

		if (port_at(i)->state != XSEG_PORT_FREE && port_at(i)->pid == pid)
			rc = xseg_recover(xs, i);
		if (rc < 0)
			return rc;
		sent_back += rc;
	}
	return sent_back;
}

/*
 * There is one lock, the kernel's, which a dead process does not have.  What can be
 * in the way is a process that was stopped, and what is left are its ports.
 */
static int recover_locks(void)
{
	uint32_t holder;
	int rc;

	for (int ms = 0; (rc = xseg_lock_holder(xs, &holder)) > 0 && ms < 1000; ms++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	if (rc > 0) {
		fprintf(stderr, "xseg: recoverlocks: %s: let it go on (kill -CONT) or end it\n",
			xseg_strerror());
		return XSEG_EXIT_FAILED;
	}
	if (!rc)
		rc = has_number ? recover_process(port) : xseg_recover_dead(xs);
	if (rc < 0)
		return failed("recoverlocks", rc);
	printf("segment %s: no process has locked it; %d requests of the dead went back to "
	       "their senders\n", segment, rc);
	return XSEG_EXIT_OK;
}

static int top(void)
{
	int rc = xseg_top(xs, seconds * 1000000000, count);

	return rc ? failed("top", rc) : XSEG_EXIT_OK;
}

static int bench(void)
{
	int rc;

	load.duration_ns = seconds * 1000000000;
	if (!has_number)
		return serves ? wrong("bench --serve wants a port's number", NULL) :
				xseg_bench_alone(&load);
	rc = xseg_join(segment, &xs);
	if (rc)
		return failed("bench", rc);
	return serves ? xseg_bench_serve(xs, port, &load) : xseg_bench(xs, port, &load);
}

static int help(void)
{
	fputs(usage_text, stdout);
	return XSEG_EXIT_OK;
}

enum { NO_NUMBER, MAY_HAVE_NUMBER, WANTS_NUMBER };

static const struct command {
	const char *name;
	int (*run)(void);
	int joins, number;
} commands[] = {
	{ "create", create, 0, NO_NUMBER },
	{ "destroy", destroy, 0, NO_NUMBER },
	{ "join", info, 1, NO_NUMBER },
	{ "info", info, 1, NO_NUMBER },
	{ "reportall", report_all, 1, NO_NUMBER },
	{ "report", report, 1, WANTS_NUMBER },
	{ "top", top, 1, NO_NUMBER },
	{ "verify", verify, 1, NO_NUMBER },
	{ "verify-fix", verify_fix, 1, NO_NUMBER },
	{ "recoverport", recover, 1, WANTS_NUMBER },
	{ "recoverlocks", recover_locks, 1, MAY_HAVE_NUMBER },
	{ "bench", bench, 0, MAY_HAVE_NUMBER },
	{ "help", help, 0, NO_NUMBER },
};

/* --- arguments ---------------------------------------------------------- */

/*
 * posix:NAME:PORTS:SIZE_MiB:12 (the last is the shift of the pages' size), or with
 * the number of dynamic ports before that of all: here any port may be such a one.
 */
static int parse_spec(char *spec)
{
	char *field[6] = { NULL };
	uint64_t dynamic, ports, size, shift;
	int n = 0;

	while (n < 6 && spec)
		field[n++] = strsep(&spec, ":");
	if (n == 5) {
		field[5] = field[4];
		field[4] = field[3];
		field[3] = field[2];
		field[2] = "0";
	}
	if (spec || n < 5 || strcmp(field[0], "posix") ||
	    !number(field[3], 10, UINT32_MAX, &ports) ||
	    !number(field[2], 10, ports, &dynamic) ||
	    !number(field[4], 10, UINT32_MAX, &size) ||
	    !number(field[5], 10, 12, &shift) || shift != 12)
		return 0;
	segment = field[1];
	params.nr_ports = ports;
	params.data_bytes = size << 20;
	return 1;
}

static int parse_depths(char *list)
{
	uint64_t depth;

	for (load.nr_depths = 0; list; load.depths[load.nr_depths++] = depth)
		if (load.nr_depths == XSEG_BENCH_DEPTHS_MAX ||
		    !number(strsep(&list, ","), 10, XSEG_BENCH_DEPTH_MAX, &depth) || !depth)
			return 0;
	return 1;
}

static int set_option(int option)
{
	uint64_t value;

	switch (option) {
	case 'f': force = 1; return 1;
	case 'x': fix = 1; return 1;
	case 'w': load.write = 1; return 1;
	case 'v': serves = 1; return 1;
	case 'g': segment = optarg; return 1;
	case 'd': return parse_depths(optarg);
	case 'i': load.file = optarg; return 1;
	case 'o':
		load.target = optarg;
		return strlen(optarg) <= XSEG_TARGET_MAX;
	}
	if (!number(optarg, option == 'm' ? 8 : 10, UINT32_MAX, &value))
		return 0;
	switch (option) {
	case 'p': params.nr_ports = value; break;
	case 'q': params.nr_requests = value; break;
	case 'r': params.ring_size = value; break;
	case 's': params.data_bytes = value << 20; break;
	case 'm': params.mode = value; break;
	case 'u': load.spin_ns = value * 1000; break;
	case 't': seconds = value; break;
	case 'n': count = value; break;
	}
	return 1;
}

static int parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ports", 1, NULL, 'p' }, { "requests", 1, NULL, 'q' },
		{ "ring", 1, NULL, 'r' }, { "size", 1, NULL, 's' },
		{ "mode", 1, NULL, 'm' }, { "spin", 1, NULL, 'u' },
		{ "seconds", 1, NULL, 't' }, { "count", 1, NULL, 'n' },
		{ "force", 0, NULL, 'f' }, { "fix", 0, NULL, 'x' },
		{ "depth", 1, NULL, 'd' }, { "target", 1, NULL, 'o' },
		{ "file", 1, NULL, 'i' },
		{ "write", 0, NULL, 'w' }, { "serve", 0, NULL, 'v' },
		{ "help", 0, NULL, 'h' }, { 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "fg:h", options, NULL)) != -1) {
		if (option == 'h')
			exit(help());
		if (option == '?')
			return wrong("wrong option", NULL);
		if (!set_option(option))
			return wrong(option == 'd' ? "depths are 1 to 64, at most 8 of them" :
				     option == 'o' ? "a target has at most 160 bytes" :
				     "not a number", optarg);
	}
	return XSEG_EXIT_OK;
}

static int run(const struct command *command, const char *argument)
{
	int rc;

	has_number = argument && number(argument, 10, UINT32_MAX, &port);
	if (command->number == NO_NUMBER && argument)
		return wrong("one argument too many", argument);
	if (command->number != NO_NUMBER && !has_number &&
	    (argument || command->number == WANTS_NUMBER))
		return wrong(command->number == WANTS_NUMBER ?
			     "this command wants a port's number" :
			     "this command takes a number, or none", command->name);
	if (command->joins && (rc = xseg_join(segment, &xs)))
		return failed(command->name, rc);
	rc = command->run();
	xseg_leave(xs);
	return rc;
}

int main(int argc, char **argv)
{
	const char *environment = getenv("XSEG_SEGMENT");
	int rc;

	if (environment && *environment)
		segment = environment;
	if (argc > 1 && strchr(argv[1], ':')) {
		if (!parse_spec(argv[1]))
			return wrong("a segment is given as posix:NAME:[DYNAMIC_PORTS:]PORTS:SIZE_MiB:12", NULL);
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	rc = parse_options(argc, argv);
	if (rc)
		return rc;
	if (optind == argc)
		return wrong("no command", NULL);
	if (argc - optind > 2)
		return wrong("one argument too many", argv[optind + 2]);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(argv[optind], commands[i].name))
			return run(&commands[i], argv[optind + 1]);
	return wrong("no such command", argv[optind]);
}
