/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to ring*.c: from an index of the available ring to pieces of host memory. The common
 * case, one descriptor in one region, is inline; everything else is ring_chain_slow().
 */
#pragma once

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "backend/ring.h"

/* What a descriptor's flags say about its chain. */
#define RING_CHAIN_FLAGS (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE)

/* The guest's descriptor, read exactly once. */
static inline struct vring_desc ring_descriptor(const struct vring_desc *guest)
{
	uint64_t words[2];
	__builtin_memcpy(words, guest, sizeof(words));
	/* From here on the compiler knows nothing about where the words came from. */
	__asm__ volatile("" : "+r"(words[0]), "+r"(words[1]));
	struct vring_desc desc;
	__builtin_memcpy(&desc, words, sizeof(desc));
	return desc;
}

/* The head at last_avail + offset, or -1 (ring then broken). */
static inline int ring_head(struct ring *ring, uint16_t offset)
{
	uint16_t slot = (uint16_t)(ring->last_avail + offset) & ring->mask;
	uint16_t head = __atomic_load_n(&ring->avail->ring[slot], __ATOMIC_RELAXED);
	if (__builtin_expect(head >= ring->size, false)) {
		ring_break(ring, DROP_RING_INDEX);
		return -1;
	}
	return head;
}

/* As ring_chain(), for every kind of chain; `first` is its first descriptor, read already. */
int ring_chain_slow(struct ring *ring, struct vring_desc first, bool writable, struct iovec *pieces,
	uint64_t *ret_length);

/*
 * The chain that begins at `head`, as pieces of host memory, all for reading or all `writable`.
 * Returns their number (at most RING_CHAIN_MAX) and their bytes in *ret_length, or -1 after
 * counting the refusal.
 */
static inline int ring_chain(
	struct ring *ring, uint16_t head, bool writable, struct iovec *pieces, uint64_t *ret_length)
{
	struct vring_desc desc = ring_descriptor(&ring->desc[head]);
	uint16_t kind = desc.flags & RING_CHAIN_FLAGS;
	if (kind == (writable ? VRING_DESC_F_WRITE : 0) && desc.len) {
		uint8_t *host = guest_memory_span(ring->memory, desc.addr, desc.len);
		if (host) {
			pieces[0] = (struct iovec){.iov_base = host, .iov_len = desc.len};
			*ret_length = desc.len;
			return 1;
		}
	}
	return ring_chain_slow(ring, desc, writable, pieces, ret_length);
}
