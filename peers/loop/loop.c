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
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "loop.h"
#include "nbd.h"

enum { READY_MS = 10000, END_MS = 10000, SIZE_MS = 10000, ASK_AGAIN_MS = 5000, PROBE_MS = 5000, WATCHDOG_S = 120 };

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

static int end_helper(struct volume *v)
{
	static const int signals[] = { SIGTERM, SIGKILL };
	int handle = process_handle(&v->helper), ended = handle < 0;

	for (int i = 0; i < 2 && !ended; i++) {
		syscall(SYS_pidfd_send_signal, handle, signals[i], NULL, 0);
		ended = poll(&(struct pollfd){ .fd = handle, .events = POLLIN }, 1, END_MS) > 0;
	}
	if (handle >= 0)
		close(handle);
	v->helper.alive = !ended;
	return ended ? 0 : error(E_FAILED, "the helper of volume %s, process %d, does not end, not even by SIGKILL: look at dmesg", v->name, v->helper.pid);
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

__attribute__((noreturn)) static void become_helper(const char *name, int talk, int log, int file)
{
	const char *root = getenv("ARCHIPELAGO_ROOT");
	int null = open("/dev/null", O_RDWR), fds[] = { null, null, null, talk, log, file };
	char variable[PATH_MAX + 32], *environment[] = { variable, NULL };
	sigset_t none;

	snprintf(variable, sizeof(variable), "ARCHIPELAGO_ROOT=%s", root ? root : "");
	for (int i = 0; i < 6; i++)	/* out of the way of 0..5 */
		fds[i] = fcntl(fds[i], F_DUPFD, 16);
	for (int i = 0; i < 6; i++)
		if (dup2(fds[i], i) < 0)
			_exit(E_FAILED);
	close_range(6, ~0U, 0);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	umask(077);
	if (!chdir("/"))
		execve("/proc/self/exe", (char *[]){ "archipelago-loop", "serve", (char *)name, NULL }, environment);
	_exit(E_FAILED);
}

static int await(struct volume *v, int talk, struct helper_ready *ready)
{
	struct pollfd p = { .fd = talk, .events = POLLIN };
	ssize_t n;

	send(talk, "g", 1, MSG_NOSIGNAL);
	if (poll(&p, 1, READY_MS) <= 0)
		return error(E_LATER, "the helper of volume %s is not ready after %d s: look at loop/%s.log in the run folder", v->name,
			     READY_MS / 1000, v->name);
	n = recv(talk, ready, sizeof(*ready), 0);
	if (n != sizeof(*ready))
		return error(E_FAILED, "the helper of volume %s ended before it was ready: look at dmesg and loop/%s.log in the run folder",
			     v->name, v->name);
	if (ready->code)
		return error(ready->code, "%s%s", ready->why, ready->code == E_LATER ? ": is the volume served? see `archipelago status`" : "");
	v->file_dev = mounted_dev(v);
	return v->file_dev ? 0 : error(E_FAILED, "the FUSE file of volume %s vanished", v->name);
}

static int start_helper(struct volume *v, struct helper_ready *ready)
{
	int ends[2], code = 0, log = place_file(v, "log", O_WRONLY | O_CREAT | O_APPEND), file = place_file(v, "file", O_RDONLY | O_CREAT);
	pid_t pid = -1;

	if (log < 0 || file < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return error(E_FAILED, "cannot make the files of volume %s in the run folder: %s", v->name, strerror(errno));
	pid = fork();
	if (!pid)
		become_helper(v->name, ends[1], log, file);
	close(ends[1]);
	close(log);
	close(file);
	if (pid < 0)
		code = error(E_FAILED, "cannot start a process: %s", strerror(errno));
	if (!code)
		code = record_helper(v, pid);
	if (!code)
		code = await(v, ends[0], ready);
	close(ends[0]);
	return code;
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
	struct stat s;
	int log = place_file(v, "log", O_RDONLY);

	take_down(v);
	if (log >= 0 && !fstat(log, &s) && !s.st_size)
		place_forget(v, "log");
}

static int attach(struct volume *v)
{
	struct helper_ready ready;
	int code = 0;

	place_load(v);
	if (!v->helper.alive || !device_ours(v) || !device_keep(v)) {
		code = take_down(v);
		if (code)
			return code;
		code = start_helper(v, &ready);
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
	int code;

	place_load(v);
	code = take_down(v);
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

static int not_attached(const struct volume *v)
{
	return error(E_FAILED, "volume %s has no loop device here: attach it, with its new size, instead", v->name);
}

static int resize(struct volume *v)
{
	struct nbd_export export;
	char path[PATH_MAX], why[512];
	int fd, code;

	place_load(v);
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

static void list_one(int dir, char *name)
{
	struct volume v = { .name = name, .dir = dir };

	place_load(&v);
	printf("%s %s %llu %d %s\n", name, *v.device.path ? v.device.path : "-",
	       (unsigned long long)(*v.device.path ? device_size(v.device.path) : 0), v.helper.pid > 0 ? v.helper.pid : 0,
	       !v.helper.alive ? "dead" : *v.device.path && device_ours(&v) ? "attached" : "half");
}

static int list(int dir)
{
	DIR *d = fdopendir(dup(dir));
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *dot = strrchr(e->d_name, '.');

		if (!dot || strcmp(dot, ".pid"))
			continue;
		*dot = 0;
		if (good_name(e->d_name))
			list_one(dir, e->d_name);
	}
	if (d)
		closedir(d);
	return 0;
}

/* ---- */

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
	code = work(v);
	if (fflush(stdout))
		code = error(E_FAILED, "%s %s: cannot write to stdout: %s", action, v->name, strerror(errno));
	gone = !v->helper.alive && !*v->device.path;
	place_unlock(v, gone);
	return code;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int (*work)(struct volume *); } actions[] = {
		{ "attach", attach }, { "detach", detach }, { "resize", resize }, { "list", NULL },
	};
	const int count = sizeof(actions) / sizeof(*actions);
	struct volume v = { .name = argc == 3 ? argv[2] : NULL };
	int code, i = 0;

	if (argc == 3 && !good_name(argv[2]))
		return error(E_USAGE, "\"%.100s\" is no volume's name: 1 to %d of A-Z a-z 0-9 . _ + : @ -, the first neither . nor -", argv[2], NAME_BYTES);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return helper_main(argv[2]);
	while (argc > 1 && i < count && strcmp(argv[1], actions[i].name))
		i++;
	if (argc < 2 || i == count || argc != (actions[i].work ? 3 : 2))
		return error(E_USAGE, "usage: loop attach NAME | loop detach NAME | loop resize NAME | loop list");
	if (geteuid())
		return error(E_ROOT, "%s needs root", argv[1]);
	code = place_open(actions[i].work == attach, &v.dir);
	if (code)
		return code;
	if (v.dir < 0)		/* nothing was ever attached */
		return actions[i].work == resize ? not_attached(&v) : 0;
	return actions[i].work ? on_volume(argv[1], actions[i].work, &v) : list(v.dir);
}
