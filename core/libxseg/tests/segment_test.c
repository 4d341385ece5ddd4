// SPDX-License-Identifier: BSD-2-Clause
/* Making, joining and removing segments; every error that the header promises. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "test.h"

#define CHECK_SAYS(text) CHECK(strstr(xseg_strerror(), text))

static const struct xseg_params small = { 4, 8, 16, 0640, 10000 };

static void life(void)
{
	char path[128];
	struct xseg *a, *b;
	struct stat st;

	CHECK_EQ(xseg_join(test_segment, &a), -ENOENT);
	CHECK_EQ(xseg_destroy(test_segment), -ENOENT);
	umask(077); /* the mode is what was asked for all the same */
	CHECK_EQ(xseg_create(test_segment, &small), 0);
	CHECK_EQ(xseg_create(test_segment, &small), -EEXIST);
	snprintf(path, sizeof(path), "/dev/shm/%s", test_segment);
	CHECK(!stat(path, &st) && (st.st_mode & 07777) == 0640);
	CHECK(st.st_blocks * 512 >= st.st_size);
	a = join();
	b = join();
	CHECK(xseg_base(a) != xseg_base(b));
	CHECK_EQ(xseg_size(a), st.st_size);
	CHECK_EQ(xseg_header(a)->data_pages, 3);
	CHECK_EQ(xseg_verify(a, stderr), 0);
	((char *)xseg_base(a))[xseg_size(a) - 1] = 42;
	CHECK_EQ(((char *)xseg_base(b))[xseg_size(b) - 1], 42);
	CHECK_EQ(xseg_destroy(test_segment), 0);
	((char *)xseg_base(a))[xseg_size(a) - 1] = 43;
	CHECK_EQ(((char *)xseg_base(b))[xseg_size(b) - 1], 43);
	xseg_leave(a);
	xseg_leave(b);
	CHECK_EQ(xseg_join(test_segment, &a), -ENOENT);
}

static void refused(uint32_t ports, uint32_t ring, uint32_t requests, uint32_t mode,
		    uint64_t data)
{
	struct xseg_params params = { ports, ring, requests, mode, data };
	struct xseg *xs;

	CHECK_EQ(xseg_create(test_segment, &params), -EINVAL);
	CHECK_EQ(xseg_anonymous(&params, &xs), -EINVAL);
	CHECK(*xseg_strerror());
}

static void limits(void)
{
	char long_name[XSEG_NAME_MAX + 1];

	refused(0, 8, 16, 0600, 0);
	refused(XSEG_PORTS_MAX + 1, 8, 16, 0600, 0);
	refused(4, 1, 16, 0600, 0);
	refused(4, 12, 16, 0600, 0);
	refused(4, 2 * XSEG_RING_MAX, 16, 0600, 0);
	refused(4, 8, 0, 0600, 0);
	refused(4, 8, XSEG_REQUESTS_MAX + 1, 0600, 0);
	refused(4, 8, 16, 04600, 0);
	refused(4, 8, 16, 0600, UINT64_MAX);
	refused(4, 8, 16, 0600, (uint64_t)UINT32_MAX * 4096 + 1);
	memset(long_name, 'a', XSEG_NAME_MAX);
	long_name[XSEG_NAME_MAX] = 0;
	CHECK_EQ(xseg_create("", &small), -EINVAL);
	CHECK_EQ(xseg_create(".", &small), -EINVAL);
	CHECK_EQ(xseg_create("..", &small), -EINVAL);
	CHECK_EQ(xseg_create("../x", &small), -EINVAL);
	CHECK_EQ(xseg_create("a b", &small), -EINVAL);
	CHECK_EQ(xseg_create(long_name, &small), -EINVAL);
	CHECK_EQ(xseg_destroy("a/b"), -EINVAL);
}

static void not_segments(void)
{
	char path[128], moved[160], sizes[80];
	struct xseg *xs;
	int fd;

	snprintf(path, sizeof(path), "/dev/shm/%s", test_segment);
	CHECK(!symlink("/etc/passwd", path));
	CHECK_EQ(xseg_join(test_segment, &xs), -ELOOP);
	unlink(path);
	CHECK(!mkfifo(path, 0600));
	CHECK_EQ(xseg_join(test_segment, &xs), -EUCLEAN);
	unlink(path);
	CHECK((fd = open(path, O_CREAT | O_RDWR, 0600)) >= 0);
	CHECK_EQ(xseg_join(test_segment, &xs), -EUCLEAN);
	CHECK(!ftruncate(fd, 1 << 20));
	CHECK_EQ(xseg_join(test_segment, &xs), -EUCLEAN);
	CHECK_SAYS("is not a segment");
	close(fd);
	unlink(path);

	CHECK_EQ(xseg_create(test_segment, &small), 0);
	snprintf(moved, sizeof(moved), "%s.moved", path);
	CHECK(!rename(path, moved));
	CHECK_EQ(xseg_join(moved + strlen("/dev/shm/"), &xs), -EUCLEAN);
	CHECK_SAYS("it was moved");
	CHECK(!rename(moved, path));
	CHECK_EQ(xseg_join(test_segment, &xs), 0);
	snprintf(sizes, sizeof(sizes), "has 8192 bytes, its header says %llu",
		 (unsigned long long)xseg_size(xs));
	xseg_leave(xs);
	CHECK(!truncate(path, 8192)); /* too small for its ports */
	CHECK_EQ(xseg_join(test_segment, &xs), -EUCLEAN);
	CHECK_SAYS(sizes);
	unlink(path);
}

/* Of the header, four bytes at a time; what is said of it names it. */
static void spoilt_header(size_t at, uint32_t value, int error, const char *what)
{
	char path[128];
	struct xseg *xs;
	int fd;

	snprintf(path, sizeof(path), "/dev/shm/%s", test_segment);
	CHECK_EQ(xseg_create(test_segment, &small), 0);
	CHECK((fd = open(path, O_RDWR)) >= 0);
	CHECK_EQ(pwrite(fd, &value, sizeof(value), at), sizeof(value));
	close(fd);
	CHECK_EQ(xseg_join(test_segment, &xs), -error);
	CHECK_SAYS(test_segment);
	CHECK_SAYS(what);
	CHECK_EQ(xseg_destroy(test_segment), 0);
}

static void spoilt_headers(void)
{
	spoilt_header(offsetof(struct xseg_header, magic), 1, EUCLEAN, "is not a segment");
	spoilt_header(offsetof(struct xseg_header, abi), 7, EPROTO,
		      "has ABI 7, this libxseg has ABI 1: stop its users, destroy it");
	spoilt_header(offsetof(struct xseg_header, nr_ports), 5, EUCLEAN, "checksum is wrong");
}

static int files_in_shm(void)
{
	DIR *directory = opendir("/dev/shm");
	int n = 0;

	CHECK(directory);
	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

/* In a mount namespace of its own, with 1 MiB of /dev/shm. */
static int too_small(void)
{
	struct xseg_params large = { 4, 8, 16, 0600, 2 << 20 };
	struct xseg *xs;
	int before;

	if ((unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS)) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/dev/shm", "tmpfs", 0, "size=1m"))
		return 77;
	before = files_in_shm();
	CHECK_EQ(xseg_create(test_segment, &large), -ENOSPC);
	CHECK_SAYS("cannot allocate 2 MiB in /dev/shm, which has room for 1 MiB: No space left");
	CHECK_SAYS("mount -o remount");
	CHECK_EQ(files_in_shm(), before);
	CHECK_EQ(xseg_create(test_segment, &small), 0);
	CHECK_EQ(xseg_join(test_segment, &xs), 0);
	memset((char *)xseg_base(xs) + 4096, 0, xseg_size(xs) - 4096); /* no SIGBUS */
	return 0;
}

static void full_shm(void)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(too_small());
	CHECK_EQ(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		test_lacks("a mount namespace, for a /dev/shm that is too small");
	else
		CHECK_EQ(status, 0);
}

static void anonymous(void)
{
	const struct xseg_port *port;
	struct xseg *xs;
	uint32_t first, count;

	CHECK_EQ(xseg_anonymous(&small, &xs), 0);
	CHECK_EQ(xseg_bind(xs, 1, 8, 4096, "nobody", 1), 0);
	CHECK_EQ(xseg_port_slots(xs, 1, &first, &count), 0);
	CHECK_EQ(count, 8);
	CHECK_EQ(xseg_verify(xs, stderr), 0);
	/* Who binds next may sleep in xseg_wait(), which an eventfd would not end. */
	port = (void *)((char *)xseg_base(xs) + xseg_header(xs)->ports_at +
			xseg_header(xs)->port_stride);
	CHECK(xseg_bell_fd(xs, 1) >= 0);
	CHECK_EQ(port->fifo, 1);
	CHECK_EQ(xseg_unbind(xs, 1), 0);
	CHECK_EQ(port->fifo, 0);
	xseg_leave(xs);
	xseg_leave(NULL);
}

static void *touch(void *argument)
{
	return (void *)(uintptr_t)*(volatile unsigned char *)argument;
}

static volatile sig_atomic_t buses;

static void count_bus(int number)
{
	buses++;
	signal(number, SIG_DFL);
	raise(number);
}

/* Not of a segment: by the handler that was there before, or by the kernel. */
static void touch_another_file(int handled)
{
	char path[] = "/dev/shm/xseg-test-bus-XXXXXX", *at;
	struct xseg *xs;
	int fd;

	if (handled)
		signal(SIGBUS, count_bus);
	CHECK_EQ(xseg_join(test_segment, &xs), 0);
	fd = mkstemp(path);
	CHECK(fd >= 0);
	unlink(path);
	CHECK(!ftruncate(fd, 4096));
	at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(at != MAP_FAILED && !ftruncate(fd, 0));
	touch(at);
	_exit(0);
}

/* Ends no process: not by a call, nor by another touch, nor in two threads at once. */
static void truncated(void)
{
	pthread_t threads[4];
	uint32_t slot = 0, n;
	struct xseg *xs, *other;
	char path[128];
	int status;

	CHECK_EQ(xseg_create(test_segment, &small), 0);
	for (int handled = 0; !SLOWED && handled < 2; handled++) {
		pid_t child = fork();

		if (!child)
			touch_another_file(handled);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	}
	snprintf(path, sizeof(path), "/dev/shm/%s", test_segment);
	xs = join();
	other = join();
	CHECK_EQ(xseg_bind(xs, 1, 8, 4096, "client", 1), 0);
	CHECK_EQ(xseg_bell_fd(xs, 1) < 0, 0);
	CHECK(!truncate(path, 4096));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, touch,
				      (char *)xseg_base(xs) + xseg_size(xs) - 1 - i * 4096));
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(xseg_submit(xs, 1, &slot, 1), -EUCLEAN);
	CHECK_SAYS("was truncated by another process");
	CHECK_EQ(xseg_accept(xs, 1, &slot, 1), -EUCLEAN);
	CHECK_EQ(xseg_receive(xs, 1, &slot, 1), -EUCLEAN);
	CHECK_EQ(xseg_respond(xs, &slot, 1), 0);
	CHECK_EQ(xseg_wait(xs, 1, 0), -EUCLEAN);
	CHECK_EQ(xseg_unbind(xs, 1), -EUCLEAN);
	CHECK_EQ(xseg_recover(xs, 0), -EUCLEAN);
	CHECK_EQ(xseg_recover_dead(xs), -EUCLEAN);
	CHECK_EQ(xseg_lock_holder(xs, &n), -EUCLEAN);
	CHECK_EQ(xseg_verify(xs, NULL), -EUCLEAN);
	CHECK_EQ(xseg_mend(xs, NULL), -EUCLEAN);
	xseg_leave(xs);
	/* Where the touch is a call's own, the call returns; then as above. */
	xseg_bind(other, 2, 1, 0, "late", 2);
	CHECK_EQ(xseg_bind(other, 2, 1, 0, "late", 2), -EUCLEAN);
	xseg_leave(other);
	CHECK_EQ(xseg_destroy(test_segment), 0);
}

/* 0 or -errno of joining as another user, who is in the group. */
static int joined_as(uid_t user, gid_t group)
{
	pid_t child = fork();
	struct xseg *xs;
	int status;

	if (!child) {
		CHECK(!setgroups(0, NULL) && !setresgid(group, group, group) &&
		      !setresuid(user, user, user));
		status = xseg_join(test_segment, &xs);
		if (status == -EACCES)
			CHECK(strstr(xseg_strerror(), "belongs to user 54321 and everyone may") ||
			      strstr(xseg_strerror(), "Permission denied"));
		_exit(-status);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

/* Nobody is talked into a segment that a stranger made. */
static void of_another_user(void)
{
	enum { OWNER = 54321, STRANGER, GROUP, FOREIGN };
	char path[128];

	if (geteuid()) {
		test_lacks("root, to be several users");
		return;
	}
	snprintf(path, sizeof(path), "/dev/shm/%s", test_segment);
	CHECK_EQ(xseg_create(test_segment, &small), 0);
	CHECK(!chown(path, OWNER, GROUP) && !chmod(path, 0666));
	CHECK_EQ(joined_as(STRANGER, FOREIGN), -EACCES);
	CHECK_EQ(joined_as(STRANGER, GROUP), -EACCES);
	CHECK_EQ(joined_as(OWNER, FOREIGN), 0);
	CHECK_EQ(joined_as(0, FOREIGN), 0);
	CHECK(!chmod(path, 0660));
	CHECK_EQ(joined_as(STRANGER, GROUP), 0);
	CHECK_EQ(joined_as(STRANGER, FOREIGN), -EACCES);
	CHECK(!chown(path, 0, GROUP) && !chmod(path, 0666));
	CHECK_EQ(joined_as(STRANGER, FOREIGN), 0);
	CHECK_EQ(xseg_destroy(test_segment), 0);
}

/* A module's segment has all its ports bound; that of a file stands for it, until it is served. */
static void devices(void)
{
	static const struct xseg_params small = { .nr_ports = 4, .ring_size = 8, .nr_requests = 8,
						  .mode = 0600, .data_bytes = 4096 };
	uint32_t slots[8];
	struct xseg *xs;
	char path[128];

	CHECK_EQ(xseg_join_device("/nowhere", &xs), -ENOENT);
	CHECK_EQ(xseg_join_device("/dev/zero", &xs), -EUCLEAN);
	CHECK_EQ(xseg_create(test_segment, &small), 0);
	snprintf(path, sizeof(path), "/dev/shm/%s", test_segment);
	CHECK_EQ(xseg_join_device(path, &xs), 0);
	CHECK(xseg_device_fd(xs) >= 0);
	CHECK_EQ(xseg_size(xs), xseg_header(xs)->size);
	CHECK_EQ(xseg_accept(xs, 1, slots, 8), 0);
	CHECK_EQ(xseg_accept(xs, 3, slots, 8), 0);
	CHECK_EQ(xseg_accept(xs, 0, slots, 8), -EPERM);
	CHECK_EQ(xseg_serve_device(xs), 0);
	xseg_leave(xs);
	CHECK_EQ(xseg_join_device(path, &xs), -EUCLEAN); /* the ABI is where the magic was */
	CHECK_EQ(xseg_destroy(test_segment), 0);
}

int main(void)
{
	test_begin("segment");
	life();
	limits();
	not_segments();
	spoilt_headers();
	anonymous();
	devices();
	full_shm();
	of_another_user();
	truncated();
	return test_exit_code;
}
