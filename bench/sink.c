/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/sink.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Linux refills half a ring at a time; less is kinder to the device. */
#define REFILL 32

static uint64_t stride(const struct workload *workload)
{
	return (workload->rx_buffer + 63u) & ~UINT64_C(63);
}

uint64_t sink_memory(const struct workload *workload)
{
	return workload->queue_size * stride(workload) + 4096;
}

int sink_init(struct sink *sink, struct virtqueue *queue, const struct workload *workload,
	unsigned int index)
{
	struct frames_end end = workload_end(index);
	uint16_t size = workload->queue_size;

	*sink = (struct sink){
		.queue = queue,
		.expected = DRIVER_HEADER_LENGTH + workload->frame_length,
		.buffer = workload->rx_buffer,
		.refill = size / 8 < REFILL ? size / 8 : REFILL,
		.size = size,
		.untouched = workload->untouched,
	};
	memcpy(sink->mac, end.mac, sizeof(sink->mac));
	sink->image = calloc(size, sizeof(*sink->image));
	sink->buffers = calloc(size, sizeof(*sink->buffers));
	if (!sink->image || !sink->buffers)
		return -ENOMEM;
	for (uint16_t i = 0; i < size; i++) {
		uint64_t guest = guest_ram_alloc(queue->ram, stride(workload), 64);
		if (!guest)
			return -ENOMEM;
		sink->buffers[i] = guest_ram_at(queue->ram, guest, stride(workload));
		sink->image[i] = (struct vring_desc){
			.addr = guest,
			.len = workload->rx_buffer,
			.flags = VRING_DESC_F_WRITE,
		};
	}
	return 0;
}

void sink_fini(struct sink *sink)
{
	free(sink->image);
	free(sink->buffers);
	*sink = (struct sink){0};
}

static inline void post(struct sink *sink, uint16_t id)
{
	struct virtqueue *queue = sink->queue;
	queue->desc[id] = sink->image[id];
	queue->avail->ring[queue->avail_idx & (sink->size - 1)] = id;
	queue->avail_idx++;
}

void sink_post_all(struct sink *sink)
{
	for (uint16_t i = 0; i < sink->size; i++)
		post(sink, i);
	virtqueue_publish(sink->queue);
}

static void sample(struct sink *sink, uint16_t id)
{
	const uint8_t *frame = sink->buffers[id] + DRIVER_HEADER_LENGTH;
	struct workload_stamp stamp;
	memcpy(&stamp, frame + WORKLOAD_STAMP_OFFSET, sizeof(stamp));
	bool newer = sink->untouched || !sink->stamp_seen ||
		     (int32_t)(stamp.sequence - sink->last_sequence) > 0;
	sink->samples++;
	sink->wrong += memcmp(frame, sink->mac, sizeof(sink->mac)) != 0 ||
		       stamp.complement != ~stamp.sequence || !newer;
	sink->last_sequence = stamp.sequence;
	sink->stamp_seen = true;
}

/* A frame that is none of ours begins with this buffer. */
static void begin_foreign(struct sink *sink, uint16_t id)
{
	uint16_t buffers;
	memcpy(&buffers, sink->buffers[id] + offsetof(struct virtio_net_hdr_v1, num_buffers),
		sizeof(buffers));
	sink->foreign++;
	sink->skip = buffers ? buffers - 1 : 0;
}

/* Counts one used buffer; true when a frame of ours begins with it. */
static inline bool count(struct sink *sink, uint16_t id, uint32_t length)
{
	bool begins = !sink->remaining;
	uint32_t left = begins ? sink->expected : sink->remaining;
	if (__builtin_expect(sink->skip != 0, 0)) {
		sink->skip--;
		return false;
	}
	if (__builtin_expect(length != (left < sink->buffer ? left : sink->buffer), 0)) {
		sink->remaining = 0;
		begin_foreign(sink, id);
		return false;
	}
	sink->remaining = left - length;
	sink->frames += !sink->remaining;
	return begins;
}

uint16_t sink_poll(struct sink *sink)
{
	struct virtqueue *queue = sink->queue;
	uint16_t mask = sink->size - 1;
	uint16_t used = __atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE);
	uint16_t waiting = (uint16_t)(used - queue->used_idx);
	int begun = -1; /* a frame's first buffer, to be looked at */

	if (!waiting)
		return 0;
	if (waiting > sink->size) {
		sink->broken++;
		return 0;
	}
	/* The device has read these lines: ask for all of them back before waiting for any. */
	for (uint16_t i = 0; i < waiting; i++) {
		uint32_t id = queue->used->ring[(uint16_t)(queue->used_idx + i) & mask].id;
		__builtin_prefetch(&queue->desc[id & mask], 1);
	}
	for (uint16_t i = 0; i < waiting; i++) {
		struct vring_used_elem entry =
			queue->used->ring[(uint16_t)(queue->used_idx + i) & mask];
		if (entry.id >= sink->size) {
			sink->broken++;
			continue;
		}
		if (count(sink, (uint16_t)entry.id, entry.len))
			begun = (int)entry.id;
		post(sink, (uint16_t)entry.id);
	}
	queue->used_idx = used;
	/* Not shown to the device again before it is looked at. */
	if (begun >= 0 && !sink->blind)
		sample(sink, (uint16_t)begun);
	if ((uint16_t)(queue->avail_idx - queue->kicked_idx) >= sink->refill)
		virtqueue_publish(queue);
	return waiting;
}
