/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hot loop of a guest's receive queue: counts frames by the lengths in the used ring and posts
 * their buffers again, without touching what is in them. One frame in each poll is looked at: it
 * must be addressed to this guest, and its stamp must be newer than the last one that was seen.
 *
 * All frames of a run have one length; whatever has another (announcements, the backend's own) is
 * counted as foreign.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bench/workload.h"
#include "tests/frontend/virtqueue.h"

struct sink {
	struct virtqueue *queue;  /* not owned */
	struct vring_desc *image; /* by descriptor: what goes into the ring */
	uint8_t **buffers;	  /* by descriptor: where its buffer is mapped */
	uint8_t mac[6];		  /* the guest's own */
	uint32_t expected;	  /* bytes of a frame, virtio-net header included */
	uint32_t buffer;	  /* bytes of a receive buffer */
	uint32_t remaining;	  /* bytes of the frame at hand that are in buffers to come */
	uint16_t skip;		  /* buffers to come that belong to a foreign frame */
	uint16_t refill;	  /* buffers are shown to the device that many at a time */
	uint16_t size;		  /* entries of the ring */
	bool untouched;		  /* stamps do not grow */
	bool blind;		  /* look at no frame */
	bool stamp_seen;
	uint32_t last_sequence; /* of the last stamp seen */
	uint64_t frames;	/* received since the start */
	uint64_t foreign;	/* frames of another length */
	uint64_t samples;	/* frames that were looked at */
	uint64_t wrong;		/* of them, those that were not as they should be */
	uint64_t broken;	/* used entries that make no sense */
};

/* Bytes of guest memory that sink_init() takes at most. */
uint64_t sink_memory(const struct workload *workload);

/*
 * Makes the buffers of guest `index` in the queue's memory; posts nothing. 0 or negative errno;
 * sink_fini() is due either way.
 */
int sink_init(struct sink *sink, struct virtqueue *queue, const struct workload *workload,
	unsigned int index);
void sink_fini(struct sink *sink);

/* Shows every buffer to the device. */
void sink_post_all(struct sink *sink);

/* Takes what has come. Returns how many buffers. */
uint16_t sink_poll(struct sink *sink);
