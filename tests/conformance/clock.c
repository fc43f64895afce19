/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Preloaded into chnet-vhost: a monotonic clock that a test can move forward, so that time-outs of
 * hours are judged in the whole program and in an instant.
 *
 * The variable CHNET_TEST_CLOCK names a file of eight bytes, a number of nanoseconds in host byte
 * order, which is added to what the kernel says. It is mapped before main(), so the sandbox of the
 * data plane, which inherits the mapping, is not in the way. Sleeps, timers and the wall clock stay
 * as they are.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)

static const uint64_t zero;
static const uint64_t *ahead_ns = &zero;

static const uint64_t *map_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *map = MAP_FAILED;

	if (fd >= 0)
		map = mmap(NULL, sizeof(uint64_t), PROT_READ, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	return map == MAP_FAILED ? NULL : map;
}

__attribute__((constructor)) static void prepare(void)
{
	const char *path = getenv("CHNET_TEST_CLOCK");
	const uint64_t *map = path ? map_file(path) : NULL;

	if (!map) {
		fprintf(stderr, "clock: cannot map CHNET_TEST_CLOCK\n");
		_exit(EXIT_FAILURE);
	}
	ahead_ns = map;
}

/* By system call: constructors of libraries may ask before ours has run. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	long result = syscall(SYS_clock_gettime, clock, now);

	if (result == 0 && clock == CLOCK_MONOTONIC) {
		uint64_t ns = (uint64_t)now->tv_sec * SECOND_NS + (uint64_t)now->tv_nsec +
			      __atomic_load_n(ahead_ns, __ATOMIC_RELAXED);
		now->tv_sec = (time_t)(ns / SECOND_NS);
		now->tv_nsec = (long)(ns % SECOND_NS);
	}
	return (int)result;
}
