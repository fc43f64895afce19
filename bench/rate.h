/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Throughput: every sender sends as fast as it can, or at a given pace, and every sink counts.
 * One thread turns over all stations.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bench/counter.h"
#include "bench/station.h"

struct rate_options {
	unsigned int active; /* so many of the senders send, the first ones */
	uint64_t warm_up_ns; /* before counting */
	uint64_t warm_up;    /* frames sent before counting, at least */
	uint64_t ns;	     /* of counting */
	double pace;	     /* frames a second, of all senders together; 0: as fast as can be */
	bool both;	     /* odd stations send too */
	const struct counter *counter;	 /* what leaves by an interface; NULL: not counted */
	const struct workload *workload; /* that the frames are of */
	double ticks_per_ns;
};

struct rate {
	uint64_t ns;	   /* that were counted */
	uint64_t sent;	   /* frames shown to the device */
	uint64_t frames;   /* the same from the start, also those that were not counted */
	uint64_t received; /* frames that came */
	double out;	   /* frames that left by the interface, as the workload has them */
	uint64_t packets;  /* the same as the kernel counts them: joined ones are one */
	uint64_t foreign;  /* see struct sink */
	uint64_t samples;
	uint64_t wrong;
	uint64_t broken;
	uint64_t misordered; /* see struct sender */
	uint64_t lost;	     /* frames that did not arrive, of those whose number is known */
	double idle;	     /* share of the time in turns that found nothing to do, 0 to 1 */
};

/* 0, or negative errno when the counter cannot be read. */
int rate_run(struct station *stations, unsigned int count, const struct rate_options *options,
	struct rate *ret_rate);
