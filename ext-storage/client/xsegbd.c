// SPDX-License-Identifier: BSD-2-Clause
/*
 * Devices of the kernel module xsegbd, by its files in sysfs: made, removed, and told that their volume has another size.
 * A device is found by the volume that it shows, so nothing that the daemon says but the volume's name is used.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "client.h"

#define BUS "/sys/bus/xsegbd"

enum { REQUESTS = 128, NUMBERS = 4096, BUSY = 5, ABSENT = 127 };

/* 0, or the errno */
static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), error = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		error = errno;
	if (fd >= 0)
		close(fd);
	return error;
}

static bool shows(const char *id, const char *volume)
{
	char path[PATH_MAX], text[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), BUS "/devices/%s/target", id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	return !strcmp(text, volume);
}

/* The number of the device that shows the volume; 0: there is none. */
static unsigned int find(const char *volume)
{
	DIR *devices = opendir(BUS "/devices");
	unsigned int found = 0;
	struct dirent *entry;

	while (devices && !found && (entry = readdir(devices)))
		if (entry->d_name[0] != '.' && shows(entry->d_name, volume))
			found = strtoul(entry->d_name, NULL, 10);
	if (devices)
		closedir(devices);
	return found;
}

static unsigned int first_port(void)
{
	char text[16] = "";
	int fd = open("/sys/module/xsegbd/parameters/start_portno", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return strtoul(text, NULL, 10);
}

/* The lowest number that is free, from 1. */
static int make(const char *volume)
{
	unsigned int first = first_port(), n;
	char line[256];
	int error;

	for (n = 1; n < NUMBERS; n++) {
		snprintf(line, sizeof(line), "%s %u:0:%u\n", volume, first + n, REQUESTS);
		error = put(BUS "/add", line);
		if (error != EBUSY)
			break;
	}
	if (error == ERANGE)
		return refuse(BUSY, "cannot make a device for volume %s: all numbers are in use; unmap volumes, or load xsegbd with a "
			      "higher end_portno", volume);
	if (error && error != EEXIST)
		return refuse(1, "cannot make a device for volume %s: " BUS "/add: %s; dmesg tells more", volume, strerror(error));
	return 0;
}

/* The daemon opens the character device: it belongs to whom RUN belongs to. */
static int add(const char *volume)
{
	unsigned int n = find(volume);
	char path[64];
	struct stat st;
	int status;

	if (!n) {
		status = make(volume);
		if (status)
			return status;
		n = find(volume);
	}
	if (!n)
		return refuse(E_AWAY, "the device of volume %s is gone again", volume);
	snprintf(path, sizeof(path), "/dev/xsegbdc%u", n);
	if (stat(run, &st) || fchownat(AT_FDCWD, path, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW))
		return refuse(1, "cannot give %s to the daemon: %s", path, strerror(errno));
	send_frame('o', path, snprintf(path, sizeof(path), "/dev/xsegbd%u\n", n));
	return 0;
}

static int removed(const char *volume, unsigned int n)
{
	char text[16];
	int error;

	snprintf(text, sizeof(text), "%u\n", n);
	error = put(BUS "/remove", text);
	if (error == EBUSY)
		return refuse(BUSY, "/dev/xsegbd%u, which shows volume %s, is in use", n, volume);
	if (error && error != ENOENT)
		return refuse(1, "cannot remove /dev/xsegbd%u, which shows volume %s: %s", n, volume, strerror(error));
	return 0;
}

static int refreshed(const char *volume, unsigned int n)
{
	char path[64];
	int error;

	snprintf(path, sizeof(path), BUS "/devices/%u/refresh", n);
	error = put(path, "1\n");
	return error ? refuse(error == ENOTCONN ? E_AWAY : 1, "/dev/xsegbd%u cannot have the new size of volume %s: %s", n, volume,
			      strerror(error)) : 0;
}

int xsegbd_verb(const char *action, const char *volume)
{
	unsigned int n;

	if (access(BUS "/add", F_OK) && !strcmp(action, "remove"))
		return 0;	/* there are no devices at all */
	if (access(BUS "/add", F_OK))
		return refuse(ABSENT, "cannot %s a device for volume %s: the kernel module xsegbd is not loaded: modprobe xsegbd", action,
			      volume);
	if (!strcmp(action, "add"))
		return add(volume);
	n = find(volume);
	if (!strcmp(action, "remove"))
		return n ? removed(volume, n) : 0;
	return n ? refreshed(volume, n) : 0;
}
