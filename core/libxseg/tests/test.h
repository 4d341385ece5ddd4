/* SPDX-License-Identifier: BSD-2-Clause */
/* A test is a program: exits with 0 passed, 1 failed, 77 a precondition lacks. */
#ifndef XSEG_TEST_H
#define XSEG_TEST_H

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "ring.h"
#include "xseg.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOWED 1 /* by a sanitizer: do less */
#else
#define SLOWED 0
#endif

#define CHECK(condition)                                                              \
	do {                                                                          \
		if (!(condition)) {                                                   \
			fprintf(stderr, "%s:%d: [%d] not so: %s (libxseg: %s)\n",      \
				__FILE__, __LINE__, getpid(), #condition,             \
				xseg_strerror());                                     \
			test_failed();                                                \
		}                                                                     \
	} while (0)

#define CHECK_EQ(is, wanted)                                                          \
	do {                                                                          \
		long long is_ = (is), wanted_ = (wanted);                             \
		if (is_ != wanted_) {                                                 \
			fprintf(stderr, "%s:%d: [%d] %s is %lld, not %lld (libxseg: %s)\n", \
				__FILE__, __LINE__, getpid(), #is, is_, wanted_,      \
				xseg_strerror());                                     \
			test_failed();                                                \
		}                                                                     \
	} while (0)

static char test_segment[XSEG_NAME_MAX];
static pid_t test_process;
static int test_exit_code;
static __thread uint64_t test_random;

__attribute__((unused, noreturn)) static void test_failed(void)
{
	if (getpid() == test_process)
		exit(1); /* through test_end */
	_exit(1);
}

static void test_end(void)
{
	if (getpid() == test_process)
		xseg_destroy(test_segment);
}

static void test_interrupted(int signal)
{
	test_end();
	_exit(128 + signal);
}

/* SEED=N in the environment repeats a run, as far as the scheduler lets it. */
__attribute__((unused)) static void test_begin(const char *name)
{
	const char *seed = getenv("SEED");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	test_random = seed ? strtoull(seed, NULL, 0) : (uint64_t)now.tv_nsec << 16 | getpid();
	printf("%s: SEED=%llu\n", name, (unsigned long long)test_random);
	fflush(stdout);
	test_process = getpid();
	snprintf(test_segment, sizeof(test_segment), "xseg-test-%s-%d", name, test_process);
	atexit(test_end);
	signal(SIGTERM, test_interrupted);
	signal(SIGINT, test_interrupted);
}

__attribute__((unused)) static void test_lacks(const char *what)
{
	fprintf(stderr, "PRECONDITION FAILED: %s\n", what);
	test_exit_code = 77;
}

/* splitmix64 */
__attribute__((unused)) static uint64_t rnd(void)
{
	uint64_t z = test_random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

__attribute__((unused)) static uint32_t below(uint32_t bound)
{
	return rnd() % bound;
}

__attribute__((unused)) static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

__attribute__((unused)) static struct xseg *join(void)
{
	struct xseg *xs;

	CHECK_EQ(xseg_join(test_segment, &xs), 0);
	return xs;
}

__attribute__((unused))
static struct xseg *make(uint32_t ports, uint32_t ring, uint32_t requests, uint64_t data)
{
	struct xseg_params params = { ports, ring, requests, 0600, data };

	CHECK_EQ(xseg_create(test_segment, &params), 0);
	return join();
}

/* Waits for a child that must succeed. */
__attribute__((unused)) static void reap(pid_t child)
{
	int status;

	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#endif
