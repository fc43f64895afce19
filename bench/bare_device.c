/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/bare_device.h"

#include <sched.h>
#include <string.h>

/* Frames moved before both sides are told. */
#define BURST 32

static inline uint8_t *host(const struct virtqueue *queue, uint64_t guest)
{
	const struct guest_ram_region *region = &queue->ram->regions[0];
	return region->host + (guest - region->guest);
}

/* The descriptors of a chain, in the ring or in an indirect table. */
struct chain {
	const struct vring_desc *table;
	struct vring_desc at;
	uint32_t used; /* bytes of `at` that were taken */
};

static inline void open_chain(const struct virtqueue *queue, uint16_t head, struct chain *chain)
{
	chain->table = queue->desc;
	chain->at = queue->desc[head];
	chain->used = 0;
	if (chain->at.flags & VRING_DESC_F_INDIRECT) {
		chain->table = (const struct vring_desc *)(const void *)host(queue, chain->at.addr);
		chain->at = chain->table[0];
	}
}

/* Fills one receive buffer from the chain. Returns the bytes; *ret_more: the chain has more. */
static uint32_t fill(const struct virtqueue *from, struct chain *chain, const struct virtqueue *to,
	uint16_t head, bool copy, bool *ret_more)
{
	const struct vring_desc *room = &to->desc[head];
	uint32_t done = 0;
	*ret_more = true;
	while (done < room->len && *ret_more) {
		uint32_t left = chain->at.len - chain->used;
		uint32_t part = left < room->len - done ? left : room->len - done;
		if (copy)
			memcpy(host(to, room->addr) + done,
				host(from, chain->at.addr) + chain->used, part);
		done += part;
		chain->used += part;
		if (chain->used < chain->at.len)
			continue;
		*ret_more = chain->at.flags & VRING_DESC_F_NEXT;
		if (*ret_more)
			chain->at = chain->table[chain->at.next];
		chain->used = 0;
	}
	return done;
}

/* How far each side of one direction has come; free-running indices. */
struct progress {
	uint16_t tx; /* frames taken out of the transmit ring */
	uint16_t rx; /* buffers filled in the receive ring */
};

static void use(const struct virtqueue *queue, uint16_t index, uint16_t head, uint32_t length)
{
	queue->used->ring[index & (queue->options.size - 1)] =
		(struct vring_used_elem){.id = head, .len = length};
}

/* Moves one frame; false when there are too few buffers (none was then used). */
static bool move(const struct virtqueue *from, const struct virtqueue *to,
	struct progress *progress, bool copy)
{
	uint16_t posted = __atomic_load_n(&to->avail->idx, __ATOMIC_ACQUIRE);
	uint16_t head = from->avail->ring[progress->tx & (from->options.size - 1)];
	uint16_t rx = progress->rx;
	struct chain chain;
	bool more = true;

	open_chain(from, head, &chain);
	while (more) {
		if (rx == posted)
			return false;
		uint16_t buffer = to->avail->ring[rx & (to->options.size - 1)];
		uint32_t length = fill(from, &chain, to, buffer, copy, &more);
		use(to, rx++, buffer, length);
	}
	progress->rx = rx;
	use(from, progress->tx++, head, 0);
	return true;
}

static void switch_burst(const struct virtqueue *from, const struct virtqueue *to,
	struct progress *progress, bool copy)
{
	uint16_t ready = __atomic_load_n(&from->avail->idx, __ATOMIC_ACQUIRE);
	unsigned int moved = 0;
	while (progress->tx != ready && moved < BURST && move(from, to, progress, copy))
		moved++;
	if (!moved)
		return;
	__atomic_store_n(&to->used->idx, progress->rx, __ATOMIC_RELEASE);
	__atomic_store_n(&from->used->idx, progress->tx, __ATOMIC_RELEASE);
}

static void *run(void *argument)
{
	struct bare_device *device = argument;
	struct progress progress[STATIONS_MAX] = {0};

	while (!atomic_load_explicit(&device->stop, memory_order_relaxed)) {
		for (unsigned int i = 0; i < device->count; i++)
			switch_burst(&device->stations[i].frontend.driver.queues[DRIVER_TX],
				&device->stations[i ^ 1u].frontend.driver.queues[DRIVER_RX],
				&progress[i], device->copy);
	}
	return NULL;
}

int bare_device_start(struct bare_device *device)
{
	atomic_store(&device->stop, false);
	int error = pthread_create(&device->thread, NULL, run, device);
	if (error)
		return -error;
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET((unsigned int)device->cpu, &set);
	error = pthread_setaffinity_np(device->thread, sizeof(set), &set);
	if (error)
		bare_device_stop(device);
	return -error;
}

void bare_device_stop(struct bare_device *device)
{
	atomic_store(&device->stop, true);
	pthread_join(device->thread, NULL);
}
