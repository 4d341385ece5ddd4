// SPDX-License-Identifier: BSD-2-Clause
/* PROGRAM attach NAME | detach NAME | resize NAME | list, each volume under its lock; and PROGRAM serve NAME, the helper. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "loop.h"

enum { WATCHDOG_S = 120 };

static int list(int dir)
{
	DIR *d = fdopendir(dup(dir));
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *dot = strrchr(e->d_name, '.');
		struct volume v = { .name = e->d_name, .dir = dir };

		if (!dot || strcmp(dot, ".pid"))
			continue;
		*dot = 0;
		if (!good_name(e->d_name))
			continue;
		place_load(&v);
		program.list_one(&v);
	}
	if (d)
		closedir(d);
	return 0;
}

void print_state(const struct volume *v, const char *device, bool ours)
{
	printf("%s %s %llu %d %s\n", v->name, *device ? device : "-", (unsigned long long)(*device ? device_size(device) : 0),
	       v->helper.pid > 0 ? v->helper.pid : 0, !v->helper.alive ? "dead" : ours ? "attached" : "half");
}

int not_attached(const struct volume *v)
{
	return error(E_FAILED, "volume %s has no %s device here: attach it, with its new size, instead", v->name, program.name);
}

static int on_volume(const char *action, int (*work)(struct volume *), struct volume *v)
{
	bool gone;
	int code;

	signal(SIGALRM, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	alarm(WATCHDOG_S);
	code = place_lock(v);
	if (code)
		return code;
	place_load(v);
	code = work(v);
	if (fflush(stdout))
		code = error(E_FAILED, "%s %s: cannot write to stdout: %s", action, v->name, strerror(errno));
	gone = !v->helper.alive && !*v->device.path;
	place_unlock(v, gone);
	return code;
}

int main(int argc, char **argv)
{
	const struct { const char *name; int (*work)(struct volume *); } actions[] = {
		{ "attach", program.attach }, { "detach", program.detach }, { "resize", program.resize }, { "list", NULL },
	};
	const int count = sizeof(actions) / sizeof(*actions);
	struct volume v = { .name = argc == 3 ? argv[2] : NULL };
	int code, i = 0;

	if (argc == 3 && !good_name(argv[2]))
		return error(E_USAGE, "\"%.100s\" is no volume's name: 1 to %d of A-Z a-z 0-9 . _ + : @ -, the first neither . nor -", argv[2], NAME_BYTES);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return program.serve(argv[2]);
	while (argc > 1 && i < count && strcmp(argv[1], actions[i].name))
		i++;
	if (argc < 2 || i == count || argc != (actions[i].work ? 3 : 2))
		return error(E_USAGE, "usage: %s attach NAME | %s detach NAME | %s resize NAME | %s list", program.name, program.name, program.name,
			     program.name);
	if (geteuid())
		return error(E_ROOT, "%s needs root", argv[1]);
	code = place_open(actions[i].work == program.attach, &v.dir);
	if (code)
		return code;
	if (v.dir < 0)		/* nothing was ever attached */
		return actions[i].work == program.resize ? not_attached(&v) : 0;
	return actions[i].work ? on_volume(argv[1], actions[i].work, &v) : list(v.dir);
}
