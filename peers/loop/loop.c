// SPDX-License-Identifier: BSD-2-Clause
/*
 * loop attach NAME | detach NAME | resize NAME | list
 * A real block device for a volume on any host: its NBD socket, a FUSE file that a helper process of ours serves, a loop
 * device over that file. The device outlives the NBD server and follows a grow.
 *
 * Everything is repeatable, and may be killed anywhere: each step is recorded before it is done, and what an earlier
 * command left over is taken down first, as far as it is provably ours.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "loop.h"
#include "nbd.h"

enum { SIZE_MS = 10000, ASK_AGAIN_MS = 5000, PROBE_MS = 5000 };

/* ---- taking down ---- */

static int unmount(struct volume *v)
{
	char path[64 + NAME_BYTES];

	place_path(v, "file", path, sizeof(path));
	for (int i = 0; i < 16 && mounted_dev(v); i++)
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW))
			return error(E_FAILED, "cannot unmount the FUSE file of volume %s: %s", v->name, strerror(errno));
	v->file_dev = 0;
	return 0;
}

/* Device, mount, helper, records, in this order: what is left proves what is still there. */
static int take_down(struct volume *v)
{
	int code = device_release(v);

	if (code)
		return code;
	place_forget(v, "device");
	v->device.path[0] = 0;
	code = unmount(v);
	if (!code)
		code = end_helper(v);
	if (!code)
		code = unmount(v);	/* a helper that was just being born has mounted its file meanwhile */
	if (code)
		return code;
	place_forget(v, "pid");
	place_forget(v, "file");
	place_forget(v, "new");
	return 0;
}

/* ---- attach ---- */

static int start(struct volume *v, struct helper_ready *ready)
{
	int file = place_file(v, "file", O_RDONLY | O_CREAT), code;

	if (file < 0)
		return error(E_FAILED, "cannot make the files of volume %s in the run folder: %s", v->name, strerror(errno));
	code = start_helper(v, file, ready);
	close(file);
	if (code)
		return code;
	v->file_dev = mounted_dev(v);
	return v->file_dev ? 0 : error(E_FAILED, "the FUSE file of volume %s vanished", v->name);
}

static int bind_device(struct volume *v, const struct helper_ready *ready)
{
	int file = place_file(v, "file", ready->read_only ? O_RDONLY : O_RDWR), code;
	struct stat s;

	/* fstat makes the kernel know the size: older loop drivers take what it knows, and do not ask */
	if (file < 0 || fstat(file, &s))
		return error(E_FAILED, "cannot open the FUSE file of volume %s: %s", v->name, strerror(errno));
	code = device_bind(v, file, ready);
	close(file);
	return code;
}

static void give_up(struct volume *v)
{
	take_down(v);
	forget_log(v);
}

static int attach(struct volume *v)
{
	struct helper_ready ready;
	int code = 0;

	if (!v->helper.alive || !device_ours(v) || !device_keep(v)) {
		code = take_down(v);
		if (code)
			return code;
		code = start(v, &ready);
		if (!code)
			code = bind_device(v, &ready);
		if (code)
			give_up(v);
	}
	if (!code)
		printf("%s\n", v->device.path);
	return code;
}

/* ---- detach ---- */

static int detach(struct volume *v)
{
	int code = take_down(v);

	if (!code)
		place_forget(v, "log");
	return code;
}

/* ---- resize ---- */

/*
 * The size that the kernel goes by. What it is told while a write is answered it passes on to the asker and forgets, and
 * then reads behind the old end fail: so what it has kept is looked at, too.
 */
static uint64_t file_size(struct volume *v)
{
	char path[64 + NAME_BYTES];
	struct statx s;

	place_path(v, "file", path, sizeof(path));
	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_SIZE, &s) ||
	    statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, STATX_SIZE, &s))
		return 0;
	return s.stx_size;
}

/* The helper connects anew and takes over the size that it is told. Asking again interrupts that: it gets time for it. */
static int tell_helper(struct volume *v, uint64_t size)
{
	long long deadline = now_ms() + SIZE_MS, again = 0;
	int handle = process_handle(&v->helper);
	uint64_t now;

	while ((now = file_size(v)) < size && now_ms() < deadline) {
		if (handle >= 0 && now_ms() >= again) {
			syscall(SYS_pidfd_send_signal, handle, SIGHUP, NULL, 0);
			again = now_ms() + ASK_AGAIN_MS;
		}
		nap(5);
	}
	if (handle >= 0)
		close(handle);
	if (now >= size)
		return 0;
	return error(E_LATER, "the helper of volume %s, process %d, did not take over the size of %llu bytes in %d s: try again", v->name,
		     v->helper.pid, (unsigned long long)size, SIZE_MS / 1000);
}

static int resize(struct volume *v)
{
	struct nbd_export export;
	char path[PATH_MAX], why[512];
	int fd, code;

	if (!v->helper.alive || !device_ours(v) || !device_keep(v))
		return not_attached(v);
	socket_path(v->name, path, sizeof(path));
	fd = nbd_connect(path, v->name, PROBE_MS, -1, &export, why, sizeof(why));
	if (fd < 0)
		return error(E_LATER, "cannot ask %s for the size of the volume: %s", path, why);
	nbd_close(fd);
	if (export.size / 512 * 512 < device_size(v->device.path))
		return error(E_FAILED, "volume %s has %llu bytes, less than its device %s: a device does not shrink; detach and attach it",
			     v->name, (unsigned long long)export.size, v->device.path);
	code = tell_helper(v, export.size);
	if (!code)
		code = device_resize(v, export.size);
	if (!code)
		printf("%llu\n", (unsigned long long)export.size);
	return code;
}

/* ---- list ---- */

static void list_one(struct volume *v)
{
	print_state(v, v->device.path, *v->device.path && device_ours(v));
}

const struct program program = {
	.name = "loop", .folder = "loop", .attach = attach, .detach = detach, .resize = resize, .list_one = list_one, .serve = helper_main,
};
