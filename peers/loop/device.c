// SPDX-License-Identifier: BSD-2-Clause
/*
 * The loop device over the FUSE file. Loop devices belong to the whole machine: whoever else takes or clears one at the
 * same time must not be hurt, and a number in a record proves nothing. Ours is what is bound to our file.
 *
 * LOOP_CLR_FD on a device that somebody else has open succeeds, and means "when the last one closes it" (autoclear): so
 * holders are looked for first, and the wish is taken back if one shows up. What may hang (closing a device whose I/O
 * waits for a dead server) is done by a child.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include "loop.h"

enum { FILE_INODE = 1, TRIES = 64, HELD_MS = 2000, GONE_MS = 3000, CLEAR_MS = 5000, CHILD_MS = 30000 };
enum stage { LOOKING, CLEARING, KEEPING };

#ifndef BLKGETDISKSEQ
#define BLKGETDISKSEQ _IOR(0x12, 128, __u64)
#endif

static uint64_t sequence(int fd)
{
	uint64_t number;

	return ioctl(fd, BLKGETDISKSEQ, &number) ? 0 : number;	/* Linux 5.15 */
}

static int open_device(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW);
	struct stat s;

	if (fd >= 0 && (fstat(fd, &s) || !S_ISBLK(s.st_mode) || major(s.st_rdev) != LOOP_MAJOR)) {
		close(fd);
		errno = ENODEV;
		fd = -1;
	}
	return fd;
}

/*
 * Bound to the file system that is mounted for us now, or that our living helper serves, or bound as it was when it was
 * recorded. The number of a file system that is gone may have come to somebody else.
 */
static bool ours(const struct volume *v, int fd)
{
	bool same = v->device.sequence && sequence(fd) == v->device.sequence;
	struct loop_info64 info;

	if (ioctl(fd, LOOP_GET_STATUS64, &info))
		return errno != ENXIO && same;
	if (info.lo_inode != FILE_INODE || info.lo_device != v->device.file_dev)
		return false;
	return same || v->helper.alive || v->file_dev == v->device.file_dev;
}

bool device_ours(const struct volume *v)
{
	int fd = *v->device.path ? open_device(v->device.path, O_RDONLY) : -1;
	bool is = fd >= 0 && ours(v, fd);

	if (fd >= 0)
		close(fd);
	return is;
}

/* ---- binding ---- */

static int take_free(int control, char *path, size_t size)
{
	int n = ioctl(control, LOOP_CTL_GET_FREE);

	if (n < 0)
		return error(E_FAILED, "no free loop device: %s", strerror(errno));
	snprintf(path, size, "/dev/loop%d", n);
	if (access(path, F_OK) && mknod(path, S_IFBLK | 0600, makedev(LOOP_MAJOR, n)) && errno != EEXIST)
		return error(E_FAILED, "cannot make the device node %s: %s", path, strerror(errno));
	return 0;
}

static void warn_buffered(int fd, const char *path)
{
	struct loop_info64 info;

	if (!ioctl(fd, LOOP_GET_STATUS64, &info) && !(info.lo_flags & LO_FLAGS_DIRECT_IO))
		error(0, "warning: this kernel gives %s no direct I/O: it works, slower", path);
}

static int configure(struct volume *v, int file, const struct helper_ready *how)
{
	struct loop_config config = { .fd = file, .block_size = how->block > 512 ? how->block : 512 };
	int fd = open_device(v->device.path, how->read_only ? O_RDONLY : O_RDWR), result;

	config.info.lo_flags = LO_FLAGS_DIRECT_IO | (how->read_only ? LO_FLAGS_READ_ONLY : 0);
	snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%.*s", LO_NAME_SIZE - 1, v->name);
	result = fd < 0 || ioctl(fd, LOOP_CONFIGURE, &config) ? errno : 0;
	if (!result) {
		warn_buffered(fd, v->device.path);
		v->device.sequence = sequence(fd);
	}
	if (fd >= 0)
		close(fd);
	return result;
}

int device_bind(struct volume *v, int file, const struct helper_ready *how)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), failure = 0, code = 0;

	if (control < 0)
		return error(E_FAILED, "cannot open /dev/loop-control: %s: modprobe loop", strerror(errno));
	for (int i = 0; i < TRIES; i++) {
		struct device d = { .file_dev = v->file_dev };

		code = take_free(control, d.path, sizeof(d.path));
		if (!code)
			code = record_device(v, &d);	/* first: who is killed here leaves nothing unknown behind */
		if (code)
			break;
		failure = configure(v, file, how);
		if (!failure)
			code = record_device(v, &v->device);
		else if (failure != EBUSY)
			code = error(E_FAILED, "cannot bind the device %s to volume %s: %s", d.path, v->name, strerror(failure));
		if (!failure || code)
			break;
		nap(i);		/* another process was faster: the next free one */
	}
	close(control);
	if (!code && failure == EBUSY)
		return error(E_LATER, "other processes took each of %d free loop devices first: try again", TRIES);
	return code;
}

/* ---- releasing ---- */

static int busy(const struct volume *v, const char *holders)
{
	return error(E_BUSY, "the device %s of volume %s is in use: %s: %s, then detach it again", v->device.path, v->name,
		     *holders ? holders : "mounted in another mount namespace, or open in a process that is not visible here",
		     v->helper.alive ? "unmount it or end that" : "its helper died and its I/O fails; unmount it or end that");
}

/* The helper's end is the end of all I/O that waits for it. */
static void give_up_io(const struct volume *v)
{
	int handle = process_handle(&v->helper);

	error(0, "warning: I/O on the device %s of volume %s waits for a server that does not answer: it is given up", v->device.path, v->name);

	if (handle >= 0) {
		syscall(SYS_pidfd_send_signal, handle, SIGKILL, NULL, 0);
		close(handle);
	}
}

/*
 * An open file of it that nobody else has, or -1 with *code 0 (it is gone) or said. udev opens a device for a moment.
 * Killed processes that wait for a dead server's answer get it as an error: who wants the device detached wants that.
 */
static int claim(const struct volume *v, int *code)
{
	long long start = now_ms();
	bool given_up = false;
	struct holders h;

	for (;;) {
		int fd = open_device(v->device.path, O_RDONLY | O_EXCL);

		*code = 0;
		if (fd < 0 && errno != EBUSY)
			return -1;
		holders_find(v->device.path, &h);
		if (fd >= 0 && !h.count)
			return fd;
		if (fd >= 0)
			close(fd);
		if (now_ms() - start >= (h.count && h.count == h.dying ? 2 * CLEAR_MS : HELD_MS)) {
			*code = busy(v, h.text);
			return -1;
		}
		if (now_ms() - start >= CLEAR_MS && !given_up) {
			give_up_io(v);
			given_up = true;
		}
		nap(100);
	}
}

bool device_keep(const struct volume *v)
{
	int fd = open_device(v->device.path, O_RDONLY);
	struct loop_info64 info;
	bool kept;

	if (fd < 0)
		return false;
	kept = !ioctl(fd, LOOP_GET_STATUS64, &info);
	if (kept && (info.lo_flags & LO_FLAGS_AUTOCLEAR)) {
		info.lo_flags &= ~LO_FLAGS_AUTOCLEAR;
		kept = !ioctl(fd, LOOP_SET_STATUS64, &info);
	}
	close(fd);
	return kept;
}

static int clear(const struct volume *v, volatile enum stage *stage)
{
	long long deadline = now_ms() + GONE_MS;
	int code, fd = claim(v, &code);
	struct holders h;

	if (fd < 0)
		return code;
	if (!ours(v, fd))
		return 0;	/* cleared, and taken by another, meanwhile */
	*stage = CLEARING;
	if (ioctl(fd, LOOP_CLR_FD) && errno != ENXIO)
		return error(E_FAILED, "cannot clear the device %s of volume %s: %s", v->device.path, v->name, strerror(errno));
	close(fd);
	while (device_ours(v)) {
		if (now_ms() < deadline) {
			nap(20);
			continue;
		}
		*stage = KEEPING;
		device_keep(v);
		if (!device_ours(v))
			break;
		holders_find(v->device.path, &h);
		return busy(v, h.text);
	}
	return 0;
}

static int watch(const struct volume *v, pid_t child, volatile enum stage *stage)
{
	long long start = now_ms(), clearing = 0;
	bool killed = false;
	int status;

	while (!waitpid(child, &status, WNOHANG)) {
		if (*stage == CLEARING && !clearing)
			clearing = now_ms();
		if (*stage == CLEARING && !killed && now_ms() - clearing > CLEAR_MS) {
			give_up_io(v);		/* nobody has the device open */
			killed = true;
		}
		if (*stage == KEEPING && now_ms() - start > CHILD_MS / 2) {
			lock_name(v, child);
			return busy(v, "");
		}
		if (now_ms() - start > CHILD_MS) {
			lock_name(v, child);
			return error(E_FAILED, "the kernel does not let go of the device %s of volume %s for %d s: look at dmesg; process %d "
				     "waits for it, and the volume can be attached or detached again when that has ended",
				     v->device.path, v->name, CHILD_MS / 1000, child);
		}
		nap(now_ms() - start < 50 ? 1 : 20);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : E_FAILED;
}

/*
 * A child that is stuck outlives us: it keeps the lock, rightly, but none of our callers' pipes, at whose ends they would
 * wait. So it says what it has to say into memory, from where we pass it on.
 */
int device_release(struct volume *v)
{
	volatile enum stage *stage;
	char text[4096];
	int null, said, code;
	pid_t child;
	ssize_t n;

	if (!*v->device.path)
		return 0;
	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	said = memfd_create("said", MFD_CLOEXEC);
	if (stage == MAP_FAILED || null < 0 || said < 0)
		return error(E_FAILED, "cannot prepare to release the device %s of volume %s: %s", v->device.path, v->name, strerror(errno));
	child = fork();
	if (child < 0)
		return error(E_FAILED, "cannot start a process: %s", strerror(errno));
	if (!child) {
		dup2(null, 0);
		dup2(null, 1);
		dup2(said, 2);
		_exit(device_ours(v) ? clear(v, stage) : 0);
	}
	code = watch(v, child, stage);
	n = pread(said, text, sizeof(text), 0);
	if (n > 0 && write(2, text, n) < 0)
		code = code ? code : E_FAILED;
	close(said);
	close(null);
	return code;
}

/* ---- size ---- */

int device_resize(const struct volume *v, uint64_t size)
{
	int fd = open_device(v->device.path, O_RDONLY);
	long long deadline = now_ms() + GONE_MS;
	uint64_t now = 0;

	if (fd < 0)
		return error(E_FAILED, "cannot open the device %s of volume %s: %s", v->device.path, v->name, strerror(errno));
	while (!ioctl(fd, LOOP_SET_CAPACITY, 0) && !ioctl(fd, BLKGETSIZE64, &now) && now != size / 512 * 512 && now_ms() < deadline)
		nap(20);
	close(fd);
	if (now == size / 512 * 512)
		return 0;
	return error(E_FAILED, "the device %s of volume %s does not take the new size: it has %llu bytes, the volume %llu: try again",
		     v->device.path, v->name, (unsigned long long)now, (unsigned long long)size);
}
