/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Expiry: sweeps the session table in the order of its records, a bounded number of steps at a
 * time, one round about every eight seconds.
 *
 * Why no timer wheel: time-outs are exact without one, since whoever finds a session looks at its
 * deadline first. Sweeping only gives room and ports back. It needs no links that a crash could
 * break, refreshing a session costs one store, and records lie in order, so that a step is a few
 * nanoseconds: a round over a million live sessions costs under 0.1 % of a core.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct nat;

struct expire {
	uint64_t due;	      /* steps that time has made due, in 1/EXPIRE_ROUND_TICKS */
	uint32_t cursor;      /* next record to look at */
	uint32_t swept_ticks; /* when `due` was last brought up to date */
};

#define EXPIRE_ROUND_TICKS 120
#define EXPIRE_STEPS_MAX 1024
#define EXPIRE_CLOSES_MAX 256
/* How far a caller looks that needs room now. */
#define EXPIRE_RECLAIM_STEPS 64

/* The work of nat_tick(). Returns true when steps remain due. */
bool expire_tick(struct nat *nat);

/* For a table or port range that is full: looks at a few records; true when one was closed. */
bool expire_reclaim(struct nat *nat);

/* Closes an expired session and counts it. */
void expire_close(struct nat *nat, uint32_t record);
