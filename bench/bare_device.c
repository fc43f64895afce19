/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/bare_device.h"

#include <sched.h>
#include <string.h>

#include "bench/bare_ring.h"
#include "bench/bare_tap.h"

/* Frames moved before both sides are told. */
#define BURST 32

/* Fills one receive buffer from the chain. Returns the bytes; *ret_more: the chain has more. */
static uint32_t fill(const struct virtqueue *from, struct bare_chain *chain,
	const struct virtqueue *to, uint16_t head, bool copy, bool *ret_more)
{
	const struct vring_desc *room = &to->desc[head];
	uint32_t done = 0;
	*ret_more = true;
	while (done < room->len && *ret_more) {
		uint32_t left = chain->at.len - chain->used;
		uint32_t part = left < room->len - done ? left : room->len - done;
		if (copy)
			memcpy(bare_host(to, room->addr) + done,
				bare_host(from, chain->at.addr) + chain->used, part);
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

/* Moves one frame; false when there are too few buffers (none was then used). */
static bool move(const struct virtqueue *from, const struct virtqueue *to,
	struct bare_progress *progress, bool copy)
{
	uint16_t posted = __atomic_load_n(&to->avail->idx, __ATOMIC_ACQUIRE);
	uint16_t head = bare_head(from, progress->tx);
	uint16_t rx = progress->rx;
	struct bare_chain chain;
	bool more = true;

	bare_open_chain(from, head, &chain);
	while (more) {
		if (rx == posted)
			return false;
		uint16_t buffer = bare_head(to, rx);
		uint32_t length = fill(from, &chain, to, buffer, copy, &more);
		bare_use(to, rx++, buffer, length);
	}
	progress->rx = rx;
	bare_use(from, progress->tx++, head, 0);
	return true;
}

static void switch_burst(const struct virtqueue *from, const struct virtqueue *to,
	struct bare_progress *progress, bool copy)
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

/* One turn over one station. */
static void turn(struct bare_device *device, unsigned int index, struct bare_progress *progress)
{
	const struct virtqueue *own = device->stations[index].frontend.driver.queues;
	if (device->tap_fd < 0) {
		const struct virtqueue *other = device->stations[index ^ 1u].frontend.driver.queues;
		switch_burst(&own[DRIVER_TX], &other[DRIVER_RX], progress, device->copy);
		return;
	}
	int error = bare_tap_turn(device->tap_fd, &own[DRIVER_TX], &own[DRIVER_RX], progress);
	if (error)
		device->error = error;
}

static void *run(void *argument)
{
	struct bare_device *device = argument;
	struct bare_progress progress[STATIONS_MAX] = {0};

	while (!atomic_load_explicit(&device->stop, memory_order_relaxed)) {
		for (unsigned int i = 0; i < device->count; i++)
			turn(device, i, &progress[i]);
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

int bare_device_stop(struct bare_device *device)
{
	atomic_store(&device->stop, true);
	pthread_join(device->thread, NULL);
	return device->error;
}
