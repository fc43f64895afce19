/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long a worker polls a port that is silent before it lets it sleep.
 *
 * A look in vain takes processor time, a wake-up takes some too, and adds to a frame's delay. Who
 * moves frames much of the time is `busy`: the next frame is near, so that waiting for it is cheap,
 * and nothing is lost to wake-ups at the highest rates. Everybody else waits about as long as a
 * wake-up costs, which catches prompt answers and no more: then polling never takes more than twice
 * the least time that could have done.
 *
 * What decides is not the gap between frames but the share of the time that went into breaths which
 * moved some, over a window: it is the same for one guest and for 64, for small and large frames,
 * and it grows by itself when frames come faster than they can be moved. And whether frames are
 * answered, so that somebody waits for each: where they only go one way, those that come while the
 * worker wakes up are moved together, and little is lost. The worker looks at ports, not at flows:
 * two guests that only send look like an answer, and who waits for one beside a stream that goes
 * one way waits like that.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How long a port is polled after its last frame: when the worker is busy, and when it is not. */
#define PATIENCE_BUSY_NS 50000
#define PATIENCE_LIGHT_NS 5000
/* Busy is who spends at least one part in so many with moving frames: when they are answered, and
 * when they are not. */
#define PATIENCE_SHARE_ANSWERED 8
#define PATIENCE_SHARE_ONE_WAY 4
/* Answered: at least one burst in so many came from another port than the one before it. */
#define PATIENCE_TURN 8
/* Over how long that is judged, at least. */
#define PATIENCE_WINDOW_NS 1000000

struct patience {
	uint64_t ns;	    /* what holds now: PATIENCE_BUSY_NS or PATIENCE_LIGHT_NS */
	uint64_t since_ns;  /* when this window began, CLOCK_MONOTONIC */
	uint64_t breath_ns; /* when the last breath began, likewise */
	uint64_t worked_ns; /* in breaths of this window that moved a frame */
	uint32_t bursts;    /* that came in this window */
	uint32_t turns;	    /* of them, those from another port than the one before */
	uint16_t from;	    /* the port of the last */
};

/* Nobody is busy yet. */
static inline void patience_begin(struct patience *patience, uint64_t now_ns)
{
	*patience = (struct patience){
		.ns = PATIENCE_LIGHT_NS,
		.since_ns = now_ns,
		.breath_ns = now_ns,
	};
}

/* Frames came from a port. */
static inline void patience_burst(struct patience *patience, uint16_t port)
{
	patience->bursts++;
	patience->turns += port != patience->from;
	patience->from = port;
}

/* A breath begins; `moved`: the one before it moved a frame. */
static inline void patience_breath(struct patience *patience, uint64_t now_ns, bool moved)
{
	if (moved)
		patience->worked_ns += now_ns - patience->breath_ns;
	patience->breath_ns = now_ns;
	uint64_t elapsed_ns = now_ns - patience->since_ns;
	if (elapsed_ns < PATIENCE_WINDOW_NS)
		return;
	bool answered = patience->turns * PATIENCE_TURN >= patience->bursts;
	unsigned int share = answered ? PATIENCE_SHARE_ANSWERED : PATIENCE_SHARE_ONE_WAY;
	bool busy = patience->worked_ns * share >= elapsed_ns;
	patience->ns = busy ? PATIENCE_BUSY_NS : PATIENCE_LIGHT_NS;
	patience->since_ns = now_ns;
	patience->worked_ns = 0;
	patience->bursts = patience->turns = 0;
}
