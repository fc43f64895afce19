/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Points in time by which something must have happened. They are far longer than anything that they
 * bound takes: a test that reaches one has failed, none measures with them.
 */
#pragma once

#include <limits.h>
#include <stdint.h>
#include <time.h>

/* Long enough for any single step, even under a sanitizer on a busy machine. */
#define DEADLINE_STEP_MS 20000

/* CLOCK_MONOTONIC, nanoseconds. */
static inline uint64_t deadline_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The point `ms` milliseconds from now; CLOCK_MONOTONIC, nanoseconds. */
static inline uint64_t deadline_in(uint64_t ms)
{
	return deadline_now_ns() + ms * 1000000u;
}

/* For poll(): milliseconds up to the deadline, rounded up; 0 when it has passed. */
static inline int deadline_left_ms(uint64_t deadline_ns)
{
	uint64_t now = deadline_now_ns();
	if (now >= deadline_ns)
		return 0;
	uint64_t left = (deadline_ns - now + 999999u) / 1000000u;
	return left > INT_MAX ? INT_MAX : (int)left;
}
