/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Round trips, one at a time: a frame from the first station to the second, and one back as soon as
 * it has come; the front ends poll. Every time is kept, so that percentiles are exact.
 */
#pragma once

#include <stdint.h>

#include "bench/station.h"

struct latency {
	uint32_t *samples; /* ticks of the time-stamp counter, sorted by latency_run() */
	uint32_t count;
	uint32_t capacity;
	uint32_t lost; /* round trips given up */
};

/*
 * Makes round trips for `ns` nanoseconds, one every `interval_ns` (0: one right after the other).
 * 0 or -ENOMEM; latency_fini() is due either way.
 */
int latency_run(struct latency *latency, struct station stations[2], uint64_t ns,
	uint64_t interval_ns, double ticks_per_ns);
void latency_fini(struct latency *latency);

/* The sample below which `share` (0 to 1) of them lie; ticks. */
uint32_t latency_percentile(const struct latency *latency, double share);
