/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A split virtqueue as its driver sees it (virtio 1.2, 2.7): buffers are posted by number, and come
 * back by number. One descriptor is one buffer, and descriptor n is always buffer n. The used ring
 * is the device's: what it says is checked.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define RING_SIZE_MAX 256

/* virtio 1.2, 2.7.5; little endian, as this machine is. */
struct ring_descriptor {
	uint64_t address; /* physical */
	uint32_t length;  /* bytes */
	uint16_t flags;
	uint16_t next;
};

struct ring_used_element {
	uint32_t id;	 /* descriptor */
	uint32_t length; /* bytes that the device wrote */
};

/* The three parts, in memory that the device reads and writes. */
struct ring_memory {
	struct ring_descriptor table[RING_SIZE_MAX] __attribute__((aligned(4096)));
	struct {
		uint16_t flags;
		uint16_t index;
		uint16_t ring[RING_SIZE_MAX];
		uint16_t used_event;
	} available __attribute__((aligned(4096)));
	struct {
		uint16_t flags;
		uint16_t index;
		struct ring_used_element ring[RING_SIZE_MAX];
		uint16_t available_event;
	} used __attribute__((aligned(4096)));
};

struct ring {
	struct ring_memory *memory;
	uint16_t size;			 /* descriptors, a power of two */
	uint16_t taken;			 /* used elements taken; modulo 2^16 */
	bool out[RING_SIZE_MAX];	 /* buffer n is the device's */
	uint32_t lengths[RING_SIZE_MAX]; /* bytes of buffer n as posted */
};

/* Begins with an empty ring of `size` descriptors. */
void ring_init(struct ring *ring, struct ring_memory *memory, uint16_t size);

/*
 * Gives buffer `number`, which must not be the device's already, to the device: `length` bytes at
 * `bytes`, which it may write (`writable`) or read.
 */
void ring_post(
	struct ring *ring, uint16_t number, const void *bytes, uint32_t length, bool writable);

/* Whether the device wants to be told of what was posted. */
bool ring_wants_kick(const struct ring *ring);

/* Whether the device is to interrupt when buffers come back; it is not, at first. */
void ring_want_interrupts(struct ring *ring, bool wanted);

/*
 * Takes the next buffer that came back. Returns 1 with its number and what the device wrote, bytes;
 * 0 when none did; -EBADMSG when the device named a buffer that it did not have, or wrote more than
 * it holds.
 */
int ring_take(struct ring *ring, uint16_t *ret_number, uint32_t *ret_length);
