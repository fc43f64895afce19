/* SPDX-License-Identifier: BSD-3-Clause */
/* What bare devices do with the rings of a station: no check, and one memory region. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/frontend/virtqueue.h"

/* How far each side of one direction has come; free-running indices. */
struct bare_progress {
	uint16_t tx; /* frames taken out of the transmit ring */
	uint16_t rx; /* buffers filled in the receive ring */
};

/* The descriptors of a chain, in the ring or in an indirect table. */
struct bare_chain {
	const struct vring_desc *table;
	struct vring_desc at;
	uint32_t used; /* bytes of `at` that were taken */
};

static inline uint8_t *bare_host(const struct virtqueue *queue, uint64_t guest)
{
	const struct guest_ram_region *region = &queue->ram->regions[0];
	return region->host + (guest - region->guest);
}

static inline void bare_open_chain(
	const struct virtqueue *queue, uint16_t head, struct bare_chain *chain)
{
	chain->table = queue->desc;
	chain->at = queue->desc[head];
	chain->used = 0;
	if (chain->at.flags & VRING_DESC_F_INDIRECT) {
		chain->table =
			(const struct vring_desc *)(const void *)bare_host(queue, chain->at.addr);
		chain->at = chain->table[0];
	}
}

/* The head that was made available at that index. */
static inline uint16_t bare_head(const struct virtqueue *queue, uint16_t index)
{
	return queue->avail->ring[index & (queue->options.size - 1)];
}

static inline void bare_use(
	const struct virtqueue *queue, uint16_t index, uint16_t head, uint32_t length)
{
	queue->used->ring[index & (queue->options.size - 1)] =
		(struct vring_used_elem){.id = head, .len = length};
}
