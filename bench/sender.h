/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hot loop of a guest's transmit queue: frames are built once, and sent again and again.
 *
 * A slot is a prebuilt frame and the descriptors that describe it. What a driver writes for each
 * frame is written for each frame here too, so that the device meets memory as warm or as cold as
 * with a real guest: the descriptors, the entry in the avail ring and (unless `untouched`) a stamp
 * in the frame's first lines. What lies behind them is not touched again.
 *
 * Frames must come back in the order in which they were sent; that is checked once in a burst.
 */
#pragma once

#include <stdint.h>

#include "bench/workload.h"
#include "tests/frontend/virtqueue.h"

struct sender_slot {
	struct vring_desc desc[2]; /* what goes into the ring; the second only with two */
	uint8_t *ports;		   /* L4 ports in the frame, in guest memory */
	uint8_t *stamp;		   /* struct workload_stamp in the frame, in guest memory */
};

struct sender {
	struct virtqueue *queue; /* not owned */
	struct sender_slot *slots;
	uint16_t slot_count; /* a power of two */
	uint16_t descs;	     /* descriptors of one slot in the ring: 1 or 2 */
	uint16_t batch;	     /* frames shown to the device at a time, at least */
	uint16_t window;     /* frames in flight at most */
	bool untouched;	     /* see struct workload */
	bool ports_change;   /* there are more flows than slots */
	bool complete;	     /* checksums are */
	uint32_t stream;     /* bytes of TCP payload in a frame, when sequence numbers count them */
	uint32_t stream_at;  /* sequence number of the next frame, the same in all flows */
	uint32_t flows;	     /* see struct workload */
	uint32_t next_flow;  /* of the next frame, when ports change or sequence numbers count */
	uint32_t sequence;   /* of the next stamp */
	uint64_t frames;     /* shown to the device since the start */
	uint64_t misordered; /* looks that found another frame come back than was due */
	uint64_t announce_desc; /* guest physical address of the announcement, header included */
	uint32_t announce_length;
};

/* Bytes of guest memory that sender_init() takes at most. */
uint64_t sender_memory(const struct workload *workload);

/*
 * Builds the frames from `from` to `to` (their ports come from the workload) in the queue's memory.
 * 0 or negative errno; sender_fini() is due either way.
 */
int sender_init(struct sender *sender, struct virtqueue *queue, const struct workload *workload,
	const struct frames_end *from, const struct frames_end *to);
void sender_fini(struct sender *sender);

/*
 * Shows the device up to `limit` frames more, if there is room for a whole batch (or for `limit`).
 * Returns how many.
 */
uint16_t sender_post(struct sender *sender, uint32_t limit);

/* Sends the broadcast that makes a switch learn where this guest lives. Only one frame in flight:
 * returns false, sending nothing, while the last one has not come back. */
bool sender_announce(struct sender *sender);

/* Frames that the device has not given back yet. */
uint16_t sender_in_flight(struct sender *sender);
