/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ARCHIPELAGO_LOOP_H
#define ARCHIPELAGO_LOOP_H

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum { NAME_BYTES = 80 };
enum { E_FAILED = 1, E_BUSY = 5, E_USAGE = 64, E_LATER = 75, E_ROOT = 77, E_ABSENT = 127 };	/* exit codes; absent: what the kernel lacks */

/* What the helper is born with. */
enum { HELPER_TALK = 3, HELPER_LOG = 4, HELPER_FILE = 5 };

/* What it says on HELPER_TALK once it serves, or why it cannot. */
struct helper_ready {
	int code;		/* 0, or an exit code */
	uint32_t block;		/* the smallest that the server takes */
	bool read_only;
	uint32_t index;		/* of the kernel's nbd device */
	char why[480];
};

struct process {
	pid_t pid;		/* 0: none recorded */
	unsigned long long start;
	bool alive;
};

struct device {
	char path[32];		/* empty: none recorded */
	uint64_t file_dev;	/* the FUSE file's st_dev */
	uint64_t sequence;	/* the block layer's number of this binding; 0: not known */
};

/* A volume and what is recorded of it: RUN/FOLDER/NAME.{lock,pid,device,file,log} */
struct volume {
	const char *name;
	int dir;		/* RUN/FOLDER */
	int lock;
	struct process helper;
	struct device device;
	uint64_t file_dev;	/* of what is mounted at NAME.file now; 0: nothing */
};

/* command.c, and what each program gives it; work with the volume's lock held and its records loaded */
struct program {
	const char *name, *folder;	/* folder: of root's, below RUN */
	int (*attach)(struct volume *), (*detach)(struct volume *), (*resize)(struct volume *);
	void (*list_one)(struct volume *);
	int (*serve)(const char *name);	/* what the helper does */
};
extern const struct program program;
void print_state(const struct volume *v, const char *device, bool ours);	/* a line of list */
int not_attached(const struct volume *v);

/* birth.c: of the command */
int start_helper(struct volume *v, int file, struct helper_ready *ready);	/* file: what is to be HELPER_FILE, or -1 */
int end_helper(struct volume *v);
void forget_log(struct volume *v);			/* one that says nothing */
/* birth.c: of the helper */
__attribute__((format(printf, 1, 2))) void note(const char *format, ...);	/* into NAME.log */
int catch_signals(void);				/* a descriptor of SIGHUP, SIGTERM and SIGINT */
bool told_to_start(void);				/* by the one who started us, once it has recorded us; or it is gone */
void become_daemon(const char *comm);			/* once it serves */

/* place.c: the names, the folder, the lock, the records */
long long now_ms(void);
void nap(int ms);
__attribute__((format(printf, 2, 3))) int error(int code, const char *format, ...);	/* says it on stderr, returns code */
bool good_name(const char *name);
void socket_path(const char *name, char *path, size_t size);
int place_open(bool make, int *dir);			/* 0; *dir is -1 if it is not there and not to be made */
int place_lock(struct volume *v);
int lock_name(const struct volume *v, pid_t pid);	/* who has the lock, for others' messages */
void place_unlock(struct volume *v, bool forget);
void place_load(struct volume *v);
int place_file(struct volume *v, const char *suffix, int flags);	/* opens, makes; -1 and errno */
void place_path(const struct volume *v, const char *suffix, char *path, size_t size);
void place_forget(const struct volume *v, const char *suffix);
int record_helper(struct volume *v, pid_t pid);
int record_device(struct volume *v, const struct device *device);
uint64_t mounted_dev(const struct volume *v);
int process_handle(const struct process *p);		/* a pidfd, or -1 if it is not that process any more */

/* device.c: the loop device */
enum { LOOP_MAJOR = 7 };
int device_bind(struct volume *v, int file, const struct helper_ready *how);
int device_release(struct volume *v);			/* 0, or E_BUSY or E_FAILED, said */
bool device_ours(const struct volume *v);		/* is the recorded device bound, provably to our file? */
bool device_keep(const struct volume *v);		/* takes back an interrupted detach's wish to clear it */
int device_resize(const struct volume *v, uint64_t size);

/* holders.c: what the kernel tells of a block device */
uint64_t device_size(const char *path);			/* bytes; 0: not known */
struct holders {
	int count, dying;	/* found; of these, killed processes that are stuck in the kernel */
	char text[512];		/* the first few, in words */
};
void holders_find(const char *device, struct holders *h);

/* helper.c: the process that serves the file */
int helper_main(const char *name);

/* keeper.c: the process that keeps a device of the kernel's nbd connected */
int keeper_main(const char *name);

#endif
