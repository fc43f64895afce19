/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions that the NAT refused for want of room: a line for a person, once a second at the most,
 * made from the counters by a thread that is not the worker.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nat/nat.h"

/* How often to look. */
#define REFUSALS_INTERVAL_NS 1000000000
/* A line with its terminating zero. */
#define REFUSALS_LINE 320

struct refusals {
	uint64_t seen[NAT_DROP_COUNT]; /* the counters at the last look */
};

/* From now on; the counters may have counted in an earlier data plane. */
void refusals_init(struct refusals *refusals, const struct nat_counters *counters);

/* Looks again. True when something was refused since: `line` says what, and which option helps. */
bool refusals_look(
	struct refusals *refusals, const struct nat_counters *counters, char line[REFUSALS_LINE]);
