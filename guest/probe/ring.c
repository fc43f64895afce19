/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/ring.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define DESCRIPTOR_WRITE 2
#define USED_NO_NOTIFY 1
#define AVAILABLE_NO_INTERRUPT 1

_Static_assert(sizeof(struct ring_descriptor) == 16, "virtio 1.2, 2.7.5");
_Static_assert(offsetof(struct ring_memory, available.ring) % 4096 == 4, "virtio 1.2, 2.7.6");
_Static_assert(offsetof(struct ring_memory, used.ring) % 4096 == 4, "virtio 1.2, 2.7.8");

void ring_init(struct ring *ring, struct ring_memory *memory, uint16_t size)
{
	memset(memory, 0, sizeof(*memory));
	*ring = (struct ring){.memory = memory, .size = size};
	/* The rings are polled. */
	memory->available.flags = AVAILABLE_NO_INTERRUPT;
}

void ring_post(
	struct ring *ring, uint16_t number, const void *bytes, uint32_t length, bool writable)
{
	struct ring_memory *memory = ring->memory;
	uint16_t index = memory->available.index;

	ring->out[number] = true;
	ring->lengths[number] = writable ? length : 0;
	memory->table[number] = (struct ring_descriptor){
		.address = (uintptr_t)bytes,
		.length = length,
		.flags = writable ? DESCRIPTOR_WRITE : 0,
	};
	memory->available.ring[index & (ring->size - 1)] = number;
	__atomic_store_n(&memory->available.index, (uint16_t)(index + 1), __ATOMIC_RELEASE);
}

bool ring_wants_kick(const struct ring *ring)
{
	/* The index must be seen before the flags are looked at (virtio 1.2, 2.7.13.4). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !(__atomic_load_n(&ring->memory->used.flags, __ATOMIC_RELAXED) & USED_NO_NOTIFY);
}

void ring_want_interrupts(struct ring *ring, bool wanted)
{
	__atomic_store_n(&ring->memory->available.flags, wanted ? 0 : AVAILABLE_NO_INTERRUPT,
		__ATOMIC_SEQ_CST);
}

int ring_take(struct ring *ring, uint16_t *ret_number, uint32_t *ret_length)
{
	struct ring_used_element element;

	if (__atomic_load_n(&ring->memory->used.index, __ATOMIC_ACQUIRE) == ring->taken)
		return 0;
	element = ring->memory->used.ring[ring->taken & (ring->size - 1)];
	ring->taken++;
	if (element.id >= ring->size || !ring->out[element.id] ||
		element.length > ring->lengths[element.id])
		return -EBADMSG;
	ring->out[element.id] = false;
	*ret_number = (uint16_t)element.id;
	*ret_length = element.length;
	return 1;
}
