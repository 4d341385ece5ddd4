// SPDX-License-Identifier: BSD-2-Clause
/*
 * nbd attach NAME | detach NAME | resize NAME | list
 * A block device of the kernel's nbd for a volume: the kernel talks to the volume's NBD socket itself, a helper of ours
 * gives it a new connection when one breaks (keeper.c). The device outlives the NBD server and follows a grow.
 *
 * Everything is repeatable, and may be killed anywhere. Which device is ours the kernel tells (knbd.h); recorded is the helper.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include "knbd.h"
#include "loop.h"
#include "nbd.h"

enum { PROBE_MS = 5000, HELD_MS = 2000, OPEN_MS = 5000, GONE_MS = 5000 };

/* Number of the volume's device, or -1; its path goes to v. */
static int find(struct volume *v)
{
	char path[PATH_MAX];
	int index;

	socket_path(v->name, path, sizeof(path));
	index = knbd_find(path);
	snprintf(v->device.path, sizeof(v->device.path), index < 0 ? "" : "/dev/nbd%d", index);
	return index;
}

static int reach_kernel(struct knbd *k)
{
	int failure = knbd_open(k);

	return failure ? error(E_FAILED, "cannot reach the kernel's nbd: %s: modprobe nbd", failure == ENOENT ? "it is not loaded" : strerror(failure)) : 0;
}

/* Whether the server answers, and what it says. */
static bool probe(const struct volume *v, struct nbd_export *export, char *why, size_t size)
{
	char path[PATH_MAX];
	int fd;

	socket_path(v->name, path, sizeof(path));
	fd = nbd_connect(path, v->name, PROBE_MS, -1, export, why, size);
	if (fd >= 0)
		nbd_close(fd);
	return fd >= 0;
}

static void forget(struct volume *v)
{
	place_forget(v, "pid");
	place_forget(v, "new");
	v->device.path[0] = 0;
}

/* ---- attach ---- */

/* Where no udev and no devtmpfs makes nodes. */
static int make_node(const char *path, int index)
{
	unsigned int major, minor;
	char file[64];
	FILE *f;
	int n;

	if (!access(path, F_OK))
		return 0;
	snprintf(file, sizeof(file), "/sys/block/nbd%d/dev", index);
	f = fopen(file, "re");
	n = f ? fscanf(f, "%u:%u", &major, &minor) : 0;
	if (f)
		fclose(f);
	if (n != 2 || (mknod(path, S_IFBLK | 0600, makedev(major, minor)) && errno != EEXIST))
		return error(E_FAILED, "cannot make the device node %s: %s", path, strerror(errno));
	return 0;
}

static int attach(struct volume *v)
{
	struct helper_ready ready;
	int index = find(v), code = 0;

	if (index < 0 || !v->helper.alive) {
		code = end_helper(v);	/* one without a device */
		if (!code)
			code = start_helper(v, -1, &ready);
		index = find(v);
		if (code && index < 0) {
			if (!end_helper(v))
				forget(v);
			forget_log(v);
		}
		if (!code && index < 0)
			code = error(E_FAILED, "the device of volume %s is gone again", v->name);
	}
	if (!code)
		code = make_node(v->device.path, index);
	if (!code)
		printf("%s\n", v->device.path);
	return code;
}

/* ---- detach ---- */

/*
 * Whether somebody has it, by an exclusive open; which may hang where a server does not answer, as the kernel looks for
 * partitions then: so this is a child's.
 */
static int holds(const struct volume *v)
{
	int fd = open(v->device.path, O_RDONLY | O_EXCL | O_CLOEXEC);

	return fd < 0 && errno == EBUSY;
}

/* 1: it is held, 0: it is not, -1: not known, since the kernel waits for the server. */
static int ask_child(const struct volume *v)
{
	long long end = now_ms() + OPEN_MS;
	pid_t child = fork();
	int status = 0;

	if (!child) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		for (int i = 0; i < 3; i++)	/* else who reads our output would wait for a child that is stuck */
			dup2(null, i);
		_exit(holds(v));
	}
	while (child > 0 && !waitpid(child, &status, WNOHANG)) {
		if (now_ms() >= end) {
			kill(child, SIGKILL);
			return -1;
		}
		nap(2);
	}
	return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* udev opens a device for a moment. */
static int refuse_held(const struct volume *v, bool *stuck)
{
	long long end = now_ms() + HELD_MS;
	struct holders h;
	int held;

	for (;;) {
		held = ask_child(v);
		*stuck = held < 0;
		holders_find(v->device.path, &h);
		if (held <= 0 && h.count == h.dying)
			return 0;
		if (now_ms() >= end)
			break;
		nap(100);
	}
	return error(E_BUSY, "the device %s of volume %s is in use: %s: unmount it or end that, then detach it again", v->device.path, v->name,
		     *h.text ? h.text : "mounted in another mount namespace, or open in a process that is not visible here");
}

/* What waits for a server that does not answer gets errors: who wants the device detached wants that. */
static int disconnect(struct volume *v, int index, bool stuck)
{
	long long end = now_ms() + GONE_MS;
	struct nbd_export export;
	struct knbd kernel;
	char why[512];
	int code = reach_kernel(&kernel), failure;

	if (code)
		return code;
	if (stuck || !probe(v, &export, why, sizeof(why)))
		code = end_helper(v);	/* which ends the connection: else the kernel could wait until it can say good-bye on it */
	failure = code ? 0 : knbd_disconnect(&kernel, index);
	knbd_set_timer(index, KNBD_TIMER_MS);	/* for whoever has it next */
	knbd_close(&kernel);
	if (failure)
		return error(E_FAILED, "cannot disconnect the device %s of volume %s: %s", v->device.path, v->name, strerror(failure));
	while (!code && find(v) == index && now_ms() < end)
		nap(10);
	if (!code && find(v) == index)
		return error(E_BUSY, "the device %s of volume %s is disconnected, but something still has it open: end that, then detach it again",
			     v->device.path, v->name);
	return code;
}

static int detach(struct volume *v)
{
	int index = find(v), code = 0;
	bool stuck;

	if (index >= 0)
		code = refuse_held(v, &stuck);
	if (index >= 0 && !code)
		code = disconnect(v, index, stuck);
	if (!code)
		code = end_helper(v);
	if (code)
		return code;
	forget(v);
	place_forget(v, "log");
	return 0;
}

/* ---- resize ---- */

static int resize(struct volume *v)
{
	struct nbd_export export;
	char path[PATH_MAX], why[512];
	struct knbd kernel;
	int index = find(v), failure;

	if (index < 0)
		return not_attached(v);
	socket_path(v->name, path, sizeof(path));
	if (!probe(v, &export, why, sizeof(why)))
		return error(E_LATER, "cannot ask %s for the size of the volume: %s", path, why);
	if (export.size / 512 * 512 < device_size(v->device.path))
		return error(E_FAILED, "volume %s has %llu bytes, less than its device %s: a device does not shrink; detach and attach it",
			     v->name, (unsigned long long)export.size, v->device.path);
	if (reach_kernel(&kernel))
		return E_FAILED;
	failure = knbd_resize(&kernel, index, export.size, path);
	knbd_close(&kernel);
	if (failure || device_size(v->device.path) != export.size / 512 * 512)
		return error(E_FAILED, "the device %s of volume %s does not take the new size of %llu bytes: %s; try again", v->device.path, v->name,
			     (unsigned long long)export.size, failure ? strerror(failure) : "the kernel keeps the old one");
	printf("%llu\n", (unsigned long long)export.size);
	return 0;
}

/* ---- list ---- */

static void list_one(struct volume *v)
{
	int index = find(v);

	print_state(v, v->device.path, index >= 0);
}

const struct program program = {
	.name = "nbd", .folder = "nbd-devices", .attach = attach, .detach = detach, .resize = resize, .list_one = list_one, .serve = keeper_main,
};
