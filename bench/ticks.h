/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time for measuring: the processor's time-stamp counter where every nanosecond counts, the clock
 * that other processes share (CLOCK_MONOTONIC) elsewhere.
 */
#pragma once

#include <stdint.h>
#include <time.h>
#include <x86intrin.h>

/* CLOCK_MONOTONIC, nanoseconds. */
static inline uint64_t ticks_clock_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The time-stamp counter; its unit is 1 / ticks_per_ns() nanoseconds. */
static inline uint64_t ticks_now(void)
{
	return __rdtsc();
}

/* Compares the counter with the clock for some milliseconds. */
static inline double ticks_per_ns(void)
{
	uint64_t clock = ticks_clock_ns();
	uint64_t ticks = ticks_now();
	uint64_t now;
	do
		now = ticks_clock_ns();
	while (now - clock < 5000000);
	return (double)(ticks_now() - ticks) / (double)(now - clock);
}
