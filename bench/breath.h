/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The product's worker in the benchmark's own thread: its real ports over the rings of guests that
 * are not there (station.h), and its real TAP port over a socket pair, whose other end is the
 * world. Nothing waits for anything, so what one breath does is the same each time: what callgrind
 * counts, and what the time stamp counter is read around.
 *
 *   guest's sender -> ring -> worker_breathe() -> ring -> guest's sink
 *                                    |  ^
 *                              socket pair (a datagram is a frame, as with a TAP)
 *                                    v  |
 *                                   world
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/worker.h"
#include "bench/station.h"

/* What one breath is given. */
#define BREATH_BURST 32

/* Where the frames of a case go. */
enum breath_way {
	BREATH_GUEST, /* from the first guest to the second */
	BREATH_OUT,   /* from the first guest through the NAT to the world */
	BREATH_IN,    /* answers of the world, through the NAT to the first guest */
	BREATH_IDLE,  /* nothing goes: what it costs to look at the guests' rings */
};

struct breath_case {
	const char *name;
	const char *about;
	enum breath_way way;
	unsigned int guests; /* even */
	struct workload workload;
};

/* Every case, ended by one without a name. */
extern const struct breath_case breath_cases[];

struct breath {
	const struct breath_case *what;
	enum breath_way way; /* of `what`, but while the answer is learnt */
	struct stats stats;
	struct worker *worker;
	struct station stations[STATIONS_MAX];
	struct guest_memory memory[STATIONS_MAX]; /* the stations', as the back end sees it */
	struct ring rings[STATIONS_MAX][VHOST_QUEUES];
	struct vhost_port ports[STATIONS_MAX];
	struct tap_port uplink;
	void *flow_memory;  /* the NAT's */
	int tap_fd;	    /* the worker's end of the socket pair */
	int world_fd;	    /* the world's */
	uint64_t now_ns;    /* the worker's time */
	uint64_t to_world;  /* frames, or what they were coalesced to, that the world got */
	uint64_t delivered; /* their bytes, without virtio-net headers */
	uint8_t *answer;    /* what the world says, virtio-net header first */
	uint32_t answer_length;
};

/* Makes the case ready for breath_load(). 0 or negative errno; breath_free() is due either way
 * unless *ret_breath is NULL. */
int breath_new(const struct breath_case *what, struct breath **ret_breath);
void breath_free(struct breath *breath);

/* Counts from here on: what came before was to warm up. */
void breath_begin(struct breath *breath);

/* Puts a burst where the worker will find it. Returns how many frames, or in BREATH_IDLE ports, it
 * has; 0 when they did not fit. */
unsigned int breath_load(struct breath *breath);
/* One breath: what is measured. */
void breath_take(struct breath *breath);
/* Takes what came out of it, so that there is room for the next. */
void breath_empty(struct breath *breath);
/* Lets go and takes what waited for more of its flow. */
void breath_finish(struct breath *breath);

/* Did the `frames` frames since breath_begin() arrive as they should, and nothing else? 0, or
 * -EBADMSG. */
int breath_check(struct breath *breath, uint64_t frames);
