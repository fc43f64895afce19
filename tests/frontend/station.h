/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A kernel as the guest above a driver (machine.h): a network namespace with a TAP, and a thread
 * that carries frames between that TAP and the driver's rings. So a personality has a whole TCP,
 * with retransmissions, and frames can be lost on the way.
 *
 * The TAP has the guest's MAC, address and default route; its kernel uses the offloads that the
 * driver acked, verifies every checksum that it was not told to be right, and sends nothing of its
 * own accord (no IPv6). For RedoxOS it is as smoltcp is: an MTU of 1,486, no window scaling, no
 * selective acknowledgements, no timestamps.
 *
 * The thread owns the machine from station_start() to station_stop(). What went wrong in it is told
 * by station_stop().
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "tests/frontend/machine.h"

struct station {
	struct machine *machine; /* not owned */
	unsigned int lose;	 /* one frame in so many is lost, each way; 0: none */
	int tap_fd;
	int netns_fd;
	int stop_fd; /* eventfd: the thread is to end */
	pthread_t thread;
	bool runs;
	int error;		 /* what ended the thread, negative errno; 0: station_stop() */
	const char *doing;	 /* when that happened */
	unsigned int lost[2];	 /* frames lost: from the guest, to it */
	struct driver_frame out; /* from the TAP */
	struct driver_frame in;	 /* for the TAP */
};

/* Makes namespace and TAP for guest `index` of the fixture, and starts the thread. Asserts. */
void station_start(
	struct station *station, struct machine *machine, unsigned int index, unsigned int lose);

/* Ends the thread and takes everything away; fails the test with what went wrong in it. */
void station_stop(struct station *station);
/* The same without assertions, for a teardown. A zeroed station is allowed. */
void station_fini(struct station *station);

/* A socket in the guest's namespace, not blocking. Asserts. */
int station_socket(struct station *station, int type);

#define STATION_WORLD_IP 0xc6336401u /* 198.51.100.1 */

/* Gives the back end's host that address, which guests reach beyond the NAT. Asserts. */
void station_add_world(struct fixture *fixture);

/* Makes a socket in any namespace (an open descriptor of it), not blocking. Asserts. */
int station_socket_in(int netns_fd, int type);
