/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Round trips, one at a time: a frame from the first station to the second, and one back as soon as
 * it has come; or one that the world answers. The front ends poll. Every time is kept, so that
 * percentiles are exact.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bench/station.h"

struct latency {
	uint32_t *samples; /* ticks of the time-stamp counter, sorted by latency_run() */
	uint32_t count;
	uint32_t capacity;
	uint32_t lost; /* round trips given up */
};

struct latency_options {
	uint64_t ns;	      /* of measuring */
	uint64_t interval_ns; /* from the start of one to the start of the next; 0: back to back */
	double ticks_per_ns;
	bool echo; /* frames of the first station come back to itself */
	bool load; /* the other stations (without `echo`: pairs) send as fast as they can meanwhile
		    */
};

/* Makes round trips. 0 or -ENOMEM; latency_fini() is due either way. */
int latency_run(struct latency *latency, struct station *stations, unsigned int count,
	const struct latency_options *options);
void latency_fini(struct latency *latency);

/* The sample below which `share` (0 to 1) of them lie; ticks. */
uint32_t latency_percentile(const struct latency *latency, double share);
