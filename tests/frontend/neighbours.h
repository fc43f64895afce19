/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two honest guests that never stop: a transfer with acknowledgements in a thread of its own, while
 * the test's thread does something terrible at another port.
 *
 * A round is a burst of frames of many lengths from one to the other, each of which must come, in
 * order and byte by byte as it was sent, and the answer to the last of them. Nothing is sent twice,
 * so a frame that is lost ends the transfer. Frames from anybody else's address are skipped.
 *
 * The thread owns both front ends: nobody else may touch them between _start() and _stop(). Faults
 * are kept for the test's thread, which alone may assert.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/frontend/frontend.h"

/* Frames of one round, besides the answer. */
#define NEIGHBOURS_BURST 16

struct neighbours {
	struct frontend *ends[2]; /* not owned: the first sends, the second answers */
	uint8_t macs[2][6];	  /* of the same */
	pthread_t thread;
	bool running; /* the thread is to be joined */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t change;
	uint64_t rounds; /* completed */
	bool stop;
	bool ended;	 /* the thread will complete no more */
	char fault[160]; /* why, when it was not told to; else "" */

	/* The thread's own. */
	uint32_t serial;  /* number of the last frame */
	uint64_t skipped; /* frames of others */
	struct driver_frame burst[NEIGHBOURS_BURST];
	struct driver_frame got;
};

/* Starts the transfer between two active front ends. 0 or negative errno. */
int neighbours_start(struct neighbours *neighbours, struct frontend *first, const uint8_t mac[6],
	struct frontend *second, const uint8_t second_mac[6]);

/* Ends it, after the round at hand. 0, or -EIO with `fault` filled. */
int neighbours_stop(struct neighbours *neighbours);

/* Rounds so far. */
uint64_t neighbours_rounds(struct neighbours *neighbours);

/* Waits until there were `rounds` in all. 0, -ETIMEDOUT, or -EIO with `fault` filled. */
int neighbours_wait(struct neighbours *neighbours, uint64_t rounds, uint64_t deadline_ns);
