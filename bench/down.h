/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Throughput from the world to a guest: bursts of datagrams from world.h, counted in the guest's
 * receive ring. Only so many are on their way that none is lost for want of room in the TAP's
 * queue.
 */
#pragma once

#include "bench/rate.h"
#include "bench/world.h"

/* Opens the way with a datagram of the station's, and measures. 0 or negative errno. */
int down_run(struct station *station, struct world *world, const struct rate_options *options,
	struct rate *ret_rate);
