/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libxseg: requests between processes through shared memory.  examples/echo.c is a
 * whole client and server; xseg_layout.h describes requests and the memory.
 *
 * Functions return 0 or a count, or a negative errno; xseg_strerror() has the
 * sentence.  A struct xseg belongs to the process that joined: a child joins by
 * itself.  Functions that name a port may be called by its owner only (-EPERM
 * where the port was not bound through this struct) and by one thread at a time,
 * unless they say otherwise.  -EINVAL where there is no such port.  The others may
 * be called by any thread.  Pointers into a segment are valid until xseg_leave(),
 * pointers that are given until the call returns.  Units are bytes and nanoseconds.
 *
 * Nothing blocks but xseg_wait() and, for 5 s at most (-ETIMEDOUT), what changes
 * who owns what: bind, unbind, recover, leave.  An owner in another PID namespace is
 * taken for alive: -EXDEV where only its death would let a call succeed.
 *
 * Where another process has truncated a segment, its memory reads as zeros after the
 * first touch of what is gone, and every call that can fail says -EUCLEAN.  That
 * takes a handler of SIGBUS, which xseg_join() installs; what is not about a segment
 * it hands to the handler that was there before.
 *
 * Whoever may write a segment may spoil what is in it.  That ends no process and
 * no loop, and leads nobody outside the segment, as long as users copy from a
 * request what they check.
 */
#ifndef XSEG_H
#define XSEG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "xseg_layout.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct xseg; /* a joined segment */

/* What a segment is made with; the sizes never change. */
struct xseg_params {
	uint32_t nr_ports;    /* 1..XSEG_PORTS_MAX */
	uint32_t ring_size;   /* power of two, 2..XSEG_RING_MAX */
	uint32_t nr_requests; /* 1..XSEG_REQUESTS_MAX */
	uint32_t mode;        /* permissions of the file, e.g. 0660, whatever the umask */
	uint64_t data_bytes;  /* rounded up to pages of XSEG_PAGE; 0 is allowed */
};

/* --- life of a segment ------------------------------------------------- */

/*
 * Makes /dev/shm/NAME and allocates all its space.  NAME: [A-Za-z0-9._-], at
 * most XSEG_NAME_MAX - 1 bytes.  The segment stays until xseg_destroy(); a creator that
 * is killed leaves nothing or all of it.  -EEXIST where it is there already, -ENOSPC
 * where /dev/shm is too full, -EINVAL for parameters out of range, or what open(2) says.
 */
int xseg_create(const char *name, const struct xseg_params *params);

/*
 * Removes the name, and the FIFOs of former owners that are dead; processes that
 * joined keep what they have.  -ENOENT where there is none, -EINVAL for the name, or
 * what unlink(2) says.
 */
int xseg_destroy(const char *name);

/*
 * Maps a segment; *xs is the caller's until xseg_leave(), which takes NULL as well, and
 * not touched on failure.
 * -ENOENT, -EACCES (also where another user than root owns it and everyone, or no
 * group of the caller's, may write it), -EPROTO for another ABI (xseg_strerror()
 * names both), -EUCLEAN where the header contradicts itself, the file's name or its
 * size, -EINVAL for the name, -ENOMEM, or what open(2) says.
 */
int xseg_join(const char *name, struct xseg **xs);

/*
 * Maps the segment of an xsegbd device, by the path of its character device; nobody
 * else can while it is joined (-EBUSY).  Its odd ports are bound through this struct:
 * 1 is for what the kernel itself asks (INFO) and the bell of all, 3 and so on are for
 * the hardware queues.  There is no name, no lock and nothing to bind, recover or
 * destroy.  xseg_respond() also wakes the kernel.  As xseg_join(), or what open(2) and
 * mmap(2) say.
 */
int xseg_join_device(const char *path, struct xseg **xs);

/* The first is when the kernel begins to send requests; -ENODEV once the device is removed. */
int xseg_serve_device(struct xseg *xs);

/* Readable where there are requests, hung up where the device is removed; not to be closed. */
int xseg_device_fd(const struct xseg *xs);

/*
 * A segment of this process alone, of memory that no other can reach; as joined.
 * mode means nothing.  -EINVAL as xseg_create(), -ENOMEM.
 */
int xseg_anonymous(const struct xseg_params *params, struct xseg **xs);

/*
 * Unmaps; no other call may be under way.  Ports that are still bound are from
 * now on as if their owner had died, all at once: the prey of xseg_recover().
 */
void xseg_leave(struct xseg *xs);

/* Where the segment begins in this process; never NULL. */
void *xseg_base(const struct xseg *xs);

/* Bytes of the whole segment, from xseg_base() on. */
uint64_t xseg_size(const struct xseg *xs);

/* The header as it was validated: a copy that no other process can change. */
const struct xseg_header *xseg_header(const struct xseg *xs);

/*
 * What the last failed call of this thread would say: one line, no newline, "" where
 * none has failed.  The text is the library's; the thread's next failure overwrites it.
 */
const char *xseg_strerror(void);

/* --- ports ------------------------------------------------------------- */

/*
 * Takes a free port with nr_requests slots (0..ring_size) and data_bytes of
 * data (rounded up to pages, contents undefined).  role: what the owner calls itself,
 * for people; at most XSEG_NAME_MAX - 1 bytes, copied.  bell: the port whose wait
 * word wakes the thread that serves this one; itself or another of the caller's.
 * A port whose owner is dead is recovered first.  src of the slots is set; their
 * other fields are what they were.
 * -EBUSY owned by a living process, -EXDEV by one of another PID namespace, or
 * /proc is not of the caller's, -EAGAIN requests of the process that died with it are
 * still with living others: bind again, with a pause, -ENOSPC no run of slots or pages is free, -EINVAL.
 */
int xseg_bind(struct xseg *xs, uint32_t port, uint32_t nr_requests,
	      uint64_t data_bytes, const char *role, uint32_t bell);

/*
 * Calls back what port has sent and nobody has accepted, then gives port up:
 * what was sent to it and is not answered goes back with EOWNERDEAD; another thread
 * may be in xseg_respond() meanwhile, and then one of the two answers.  -EAGAIN
 * where others still work on its requests, or on others of this struct's while port owes
 * an answer, of which they may be parts (see xseg_recover()): it stays bound.
 */
int xseg_unbind(struct xseg *xs, uint32_t port);

/*
 * From now on bell wakes the thread that serves port, instead of the bell that it was
 * bound with: both are the caller's, and the thread of the new bell looks into the
 * rings after this returns.  -EINVAL for a bell that does not exist.
 */
int xseg_set_bell(struct xseg *xs, uint32_t port, uint32_t bell);

/*
 * The request slots of a bound port are *first and the *count - 1 after it.  They are
 * its owner's to fill and submit; whether they are under way it remembers itself, or
 * looks at their state.  -EINVAL where nobody has bound it.  Any process, any thread.
 */
int xseg_port_slots(struct xseg *xs, uint32_t port, uint32_t *first, uint32_t *count);

/*
 * The data of a bound port: *length bytes, a whole number of pages, that begin *at
 * bytes after xseg_base().  Its owner divides them among its requests.  -EINVAL where
 * nobody has bound it.  Any process, any thread.
 */
int xseg_port_data(struct xseg *xs, uint32_t port, uint64_t *at, uint64_t *length);

/*
 * The request in slot; NULL where that is out of range.  Its fields are its owner's
 * while it is free, and those of the port that accepted it until it is answered;
 * others may spoil them at any time, so copy what you check.  Any thread.
 */
struct xseg_request *xseg_request(struct xseg *xs, uint32_t slot);

/*
 * --- requests ------------------------------------------------------------
 *
 * Batched.  What was written to a request and its data before it was submitted is seen
 * by who accepts it; what was written before the answer, by who receives that.
 */

/*
 * Hands slots[0..n) to dst, anybody's port, and rings its bell once.  They must be free,
 * of ports of the caller's, and all their fields set but state, dst, src, status, serviced
 * and cookie.  Any thread, several at once with different slots.  Returns how many went
 * (the first of them); fewer than n where the ring is full or a slot is not free.
 * -EHOSTDOWN where nobody has bound dst, -EINVAL where the first slot is none of
 * its src's or not free.  What goes to an owner that dies, or has died and was
 * not found dead yet, comes back with EOWNERDEAD once somebody recovers dst.
 */
int xseg_submit(struct xseg *xs, uint32_t dst, const uint32_t *slots, uint32_t n);

/*
 * Takes up to max requests sent to port, at most ring_size, and writes their slots; 0
 * means that there are none.  Until they are answered, xseg_request() and their data are
 * the caller's, to read and to write.  The data lies among the segment's data, or is none,
 * and the target fits, as of now; a request of which that is not true is answered with
 * EINVAL.  Entries that lead to no request for port are counted as dropped.
 */
int xseg_accept(struct xseg *xs, uint32_t port, uint32_t *slots, uint32_t max);

/*
 * Answers requests, each to the port that owns it; status (0 or a positive errno) and
 * serviced must be set.  From then on they are no longer the caller's to touch.  Any
 * thread of the owner of the ports that accepted them.  Returns how many were answered;
 * those not accepted are passed over.  Never fails.
 */
int xseg_respond(struct xseg *xs, const uint32_t *slots, uint32_t n);

/*
 * Takes up to max answers to port's own requests, at most ring_size, and writes their
 * slots, which are free again.  0 means that there are none.  Each request that went is
 * answered exactly once.  Where submitted_ns is not 0, the time since then is added to
 * what xseg top shows.  -EUCLEAN where the port's run of slots was spoilt.
 */
int xseg_receive(struct xseg *xs, uint32_t port, uint32_t *slots, uint32_t max);

/* --- sleeping ---------------------------------------------------------- */

/*
 * Says that the thread which serves the ports of this bell is about to sleep.  It
 * then accepts and receives once more at each of them, and waits or cancels: whoever
 * sends it something after that rings.
 */
int xseg_prepare_wait(struct xseg *xs, uint32_t bell);

/* Instead of waiting: there was something, or poll(2) has returned. */
int xseg_cancel_wait(struct xseg *xs, uint32_t bell);

/*
 * Sleeps after xseg_prepare_wait().  1 when rung (perhaps for nothing, and at once where
 * nothing was prepared), 0 after timeout_ns, -EINTR after a signal.  Prepare again before
 * the next sleep.  A timeout of a second or so bounds the harm of a ringer that is killed
 * or stopped just before it rings.
 */
int xseg_wait(struct xseg *xs, uint32_t bell, uint64_t timeout_ns);

/*
 * Wakes the sleeper for something that is in no ring; nothing where nobody sleeps.
 * Any process, any thread.
 */
int xseg_wake(struct xseg *xs, uint32_t bell);

/*
 * For an owner that sleeps in epoll or poll: until port is unbound this bell is rung by
 * eight bytes into a FIFO, /dev/shm/NAME.bell.PORT.INODE, or an eventfd where the
 * segment is anonymous.  Returns the non-blocking descriptor that becomes
 * readable; the caller drains it with read(2) of at least 8 bytes and never
 * closes it: xseg_leave() does.  prepare and cancel as above, poll instead of
 * xseg_wait().  Ringing costs four system calls instead of one.  What mkfifo(3) or
 * eventfd(2) says, where it cannot be made.
 */
int xseg_bell_fd(struct xseg *xs, uint32_t bell);

/* --- life and death ---------------------------------------------------- */

/*
 * Says that the owner is not only alive but at work; at least each second.  Nothing in
 * the library acts on that: who supervises may end an owner that does not say so.
 */
int xseg_heartbeat(struct xseg *xs, uint32_t port);

/*
 * 1 the owner lives, or is of another PID namespace, or the kernel's; 0 it is dead or the
 * port is free.  Reads /proc, some microseconds.  Any process, any thread.
 */
int xseg_alive(struct xseg *xs, uint32_t port);

/*
 * For a port whose owner is dead: what it was sent goes back to the senders with
 * EOWNERDEAD, what it had accepted too, and the port is free.
 *
 * But while one that lives works on a request of the dead process (of any of its
 * ports), that may be a part of what the process had accepted; its sender, did it have
 * that back, would do it again, or use its data for something else, and the part would
 * come over that.  So until nobody does, what was accepted stays, and none of the
 * process's ports becomes free: recover again, or bind, to have that looked at again.  A
 * request with another dead process counts while that process has to wait so itself.  How
 * long that takes is up to those who work: one that is stuck must be ended.
 *
 * Recovers all others that are dead as well.  Wakes everyone, since the dead may have
 * been about to.  Returns how many requests were failed; 0 for a free port; -EBUSY if
 * it lives, -EXDEV if that cannot be seen from this PID namespace.  Any process, any
 * thread.  May be killed at any point and called again.
 */
int xseg_recover(struct xseg *xs, uint32_t port);

/*
 * The same for a thread that may not wait: -EAGAIN where another process is binding,
 * unbinding or recovering, or was stopped while it did.
 */
int xseg_try_recover(struct xseg *xs, uint32_t port);

/*
 * xseg_recover() of every port whose owner is dead.  Returns how many requests were
 * failed.  Without a lock, and quick, where nobody is dead.  Bind does the same before
 * it says -EAGAIN or -ENOSPC.
 */
int xseg_recover_dead(struct xseg *xs);

/*
 * 1 where another handle has the lock of what changes who owns what: *pid is the
 * process (0 where it has not noted that yet), and xseg_strerror() says more of it.
 * 0 where nobody has it.  The kernel takes it from a process that dies, so only one
 * that is stopped can be in the way for long.  Any process, any thread.
 */
int xseg_lock_holder(struct xseg *xs, uint32_t *pid);

/*
 * Looks at every structure and writes a line for each contradiction to out
 * (may be NULL); among them that an owner is dead.  Returns how many there are.
 * Changes nothing; any process, any thread.  Of a segment in use, a request that its process
 * was stopped from sending for 200 ms may be named.
 */
int xseg_verify(struct xseg *xs, FILE *out);

/*
 * Mends what can be without its owner: recovers the dead, frees, sends on or fails
 * with EOWNERDEAD what leads nowhere, and writes a line for each contradiction that
 * it found to out (may be NULL).  Returns how many it mended; xseg_verify() names
 * what is left, which the end of a port's owner ends.  -ETIMEDOUT.  Any process, any thread.
 */
int xseg_mend(struct xseg *xs, FILE *out);

/* Writes the report of one port, for people, to out.  Any process, any thread. */
int xseg_report(struct xseg *xs, uint32_t port, FILE *out);

/* The reports of all bound ports, and a line that counts them.  The same; never fails. */
int xseg_report_all(struct xseg *xs, FILE *out);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
