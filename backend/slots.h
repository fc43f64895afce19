/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory of our own for frames that the uplink delivers: a fixed number of slots, each a packet
 * with a buffer for the largest frame. A slot is taken to read a frame into, and free again when
 * nobody refers to it: the burst that it came with, and every outbox that holds it (outbox.h).
 *
 * One owner, a worker. Nothing is allocated after slots_new(); a buffer's pages are touched when a
 * frame that large arrives.
 */
#pragma once

#include <stdint.h>

#include "backend/packet.h"

#define SLOTS_COUNT 128

struct slot {
	struct packet packet;
	struct iovec segment; /* what of the buffer is in use; packet.segments points here */
	uint8_t *buffer;      /* PACKET_LENGTH_MAX bytes */
	uint16_t references;  /* 0: free */
};

struct slots {
	struct slot slots[SLOTS_COUNT];
	uint16_t free[SLOTS_COUNT]; /* indices of free slots, a stack */
	uint16_t free_count;
	uint8_t *buffers; /* of all slots; owned */
};

/* 0 or -ENOMEM. */
int slots_new(struct slots **ret_slots);
void slots_free(struct slots *slots);

/* A free slot with one reference and packet.slot set, or NULL. */
struct slot *slots_take(struct slots *slots);

/* One more, and one less, reference to the slot that `p` (p->slot != 0) lies in. */
void slots_hold(struct slots *slots, const struct packet *p);
void slots_release(struct slots *slots, const struct packet *p);
