/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The least that a switch can do, as a yardstick: a thread in this process that takes each frame
 * out of one station's transmit ring and puts it into the other's receive ring. It checks nothing,
 * knows no addresses and serves one memory region.
 *
 * Without the copy it shows what the generator can drive at most (is it the bottleneck?); with it,
 * what one core can copy from ring to ring.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "bench/station.h"

struct bare_device {
	struct station *stations; /* not owned */
	unsigned int count;	  /* of stations, even */
	bool copy;		  /* move the bytes too */
	int tap_fd;		  /* frames go into this TAP and come from it (bare_tap.h); -1 */
	int cpu;		  /* to run on */
	int error;		  /* the thread's: the last that the TAP gave, negative errno */
	atomic_bool stop;
	pthread_t thread;
};

/* Starts the thread. 0 or negative errno. */
int bare_device_start(struct bare_device *device);
/* Stops it and waits for its end. 0, or what went wrong meanwhile. */
int bare_device_stop(struct bare_device *device);
