/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where Linux puts the virtio-net header of a small frame, from the start of a cache line: Ethernet
 * begins 18 bytes in, so that IPv4 is aligned, and the header lies before it. */
#define HEADROOM 6
/* Linux's smallest buffer of a socket's data. */
#define BUFFER_MIN 640
/* Linux allocates a socket's pages in pieces of this size. */
#define PIECE 32768
#define TABLE_ENTRIES 4
#define ANNOUNCE_LENGTH 60

static uint64_t buffer_bytes(const struct workload *workload)
{
	uint64_t bytes = HEADROOM + DRIVER_HEADER_LENGTH + workload->frame_length;
	bytes = (bytes + 63) & ~UINT64_C(63);
	return bytes < BUFFER_MIN ? BUFFER_MIN : bytes;
}

uint64_t sender_memory(const struct workload *workload)
{
	uint64_t table = TABLE_ENTRIES * sizeof(struct vring_desc);
	return workload->queue_size * (buffer_bytes(workload) + table) + 4096;
}

/* Cuts header and frame, `length` bytes at `guest`, into descriptors as the layout says. */
static int describe(struct sender *sender, const struct workload *workload,
	struct sender_slot *slot, uint16_t head, uint64_t guest)
{
	uint32_t length = DRIVER_HEADER_LENGTH + workload->frame_length;
	uint32_t headers = DRIVER_HEADER_LENGTH + workload_headers(workload);

	switch (workload->layout) {
	case WORKLOAD_LINEAR:
		slot->desc[0] = (struct vring_desc){.addr = guest, .len = length};
		return 0;
	case WORKLOAD_APART:
		slot->desc[0] = (struct vring_desc){
			.addr = guest,
			.len = DRIVER_HEADER_LENGTH,
			.flags = VRING_DESC_F_NEXT,
			.next = head + 1,
		};
		slot->desc[1] = (struct vring_desc){
			.addr = guest + DRIVER_HEADER_LENGTH,
			.len = length - DRIVER_HEADER_LENGTH,
		};
		return 0;
	case WORKLOAD_INDIRECT:
		break;
	}
	struct guest_ram *ram = sender->queue->ram;
	uint64_t bytes = TABLE_ENTRIES * sizeof(struct vring_desc);
	uint64_t table = guest_ram_alloc(ram, bytes, 64);
	struct vring_desc *entry = table ? guest_ram_at(ram, table, bytes) : NULL;
	if (!entry)
		return -ENOMEM;
	uint32_t at = 0;
	uint16_t count = 0;
	while (at < length && count < TABLE_ENTRIES) {
		uint32_t piece = count == 0 ? headers : PIECE;
		if (piece > length - at)
			piece = length - at;
		entry[count] = (struct vring_desc){.addr = guest + at, .len = piece};
		at += piece;
		count++;
		if (at < length) {
			entry[count - 1].flags = VRING_DESC_F_NEXT;
			entry[count - 1].next = count;
		}
	}
	slot->desc[0] = (struct vring_desc){
		.addr = table,
		.len = (uint32_t)(count * sizeof(struct vring_desc)),
		.flags = VRING_DESC_F_INDIRECT,
	};
	return 0;
}

static int make_slot(struct sender *sender, const struct workload *workload, uint16_t index,
	const struct frames_end *from, const struct frames_end *to)
{
	struct sender_slot *slot = &sender->slots[index];
	struct guest_ram *ram = sender->queue->ram;
	uint64_t bytes = buffer_bytes(workload);
	uint64_t guest = guest_ram_alloc(ram, bytes, 64);
	uint8_t *buffer = guest ? guest_ram_at(ram, guest, bytes) : NULL;
	if (!buffer)
		return -ENOMEM;

	struct virtio_net_hdr_v1 vnet;
	uint8_t *frame = buffer + HEADROOM + DRIVER_HEADER_LENGTH;
	uint32_t flow = workload->first_flow + index % workload->flows;
	workload_build(workload, from, to, flow, index, frame, &vnet);
	memcpy(buffer + HEADROOM, &vnet, DRIVER_HEADER_LENGTH);
	slot->ports = frame + FRAMES_ETHERNET + FRAMES_IPV4;
	slot->stamp = frame + WORKLOAD_STAMP_OFFSET;
	return describe(sender, workload, slot, index * sender->descs, guest + HEADROOM);
}

/* A broadcast that the other end hears: of a guest one that no layer above Ethernet looks at; when
 * frames leave the LAN, the question for the gateway, which answers. */
static int make_announcement(
	struct sender *sender, const struct frames_end *from, const struct frames_end *to)
{
	struct guest_ram *ram = sender->queue->ram;
	const struct frames_end gateway = workload_gateway();
	static const uint8_t payload[ANNOUNCE_LENGTH - FRAMES_ETHERNET];
	uint32_t length = DRIVER_HEADER_LENGTH + ANNOUNCE_LENGTH;
	uint64_t guest = guest_ram_alloc(ram, length, 64);
	uint8_t *buffer = guest ? guest_ram_at(ram, guest, length) : NULL;
	if (!buffer)
		return -ENOMEM;
	memset(buffer, 0, length);
	if (workload_leaves(to->ip))
		frames_arp(buffer + DRIVER_HEADER_LENGTH, FRAMES_ARP_REQUEST, from, &gateway);
	else
		frames_ethernet(buffer + DRIVER_HEADER_LENGTH, frames_broadcast, from->mac,
			FRAMES_TYPE_EXPERIMENT, payload, sizeof(payload));
	sender->announce_desc = guest;
	sender->announce_length = length;
	return 0;
}

int sender_init(struct sender *sender, struct virtqueue *queue, const struct workload *workload,
	const struct frames_end *from, const struct frames_end *to)
{
	uint16_t descs = workload->layout == WORKLOAD_APART ? 2 : 1;
	uint16_t slots = workload->queue_size / descs;

	*sender = (struct sender){
		.queue = queue,
		.slot_count = slots,
		.descs = descs,
		.window = workload->window && workload->window < slots ? workload->window : slots,
		.untouched = workload->untouched,
		.ports_change = workload->flows > slots,
		.complete = workload->kind != WORKLOAD_TSO,
		.stream =
			workload->stream ? workload->frame_length - workload_headers(workload) : 0,
		.flows = workload->flows,
	};
	sender->batch = workload->batch < sender->window ? workload->batch : sender->window;
	sender->slots = calloc(slots, sizeof(*sender->slots));
	if (!sender->slots)
		return -ENOMEM;
	int error = make_announcement(sender, from, to);
	for (uint16_t i = 0; i < slots && !error; i++)
		error = make_slot(sender, workload, i, from, to);
	return error;
}

void sender_fini(struct sender *sender)
{
	free(sender->slots);
	*sender = (struct sender){0};
}

/* Looks how far the device has come, and that what came last is what should have. */
static void reclaim(struct sender *sender)
{
	struct virtqueue *queue = sender->queue;
	uint16_t mask = queue->options.size - 1;
	uint16_t used = __atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE);
	if (used == queue->used_idx)
		return;
	uint16_t last = (uint16_t)(used - 1);
	uint32_t expected = (last & (sender->slot_count - 1)) * (uint32_t)sender->descs;
	sender->misordered += queue->used->ring[last & mask].id != expected;
	queue->used_idx = used;
}

uint16_t sender_in_flight(struct sender *sender)
{
	reclaim(sender);
	return (uint16_t)(sender->queue->avail_idx - sender->queue->used_idx);
}

static void rewrite_ports(struct sender *sender, struct sender_slot *slot)
{
	uint32_t ports = workload_ports(sender->next_flow);
	memcpy(slot->ports, &ports, sizeof(ports));
	if (++sender->next_flow == sender->flows)
		sender->next_flow = 0;
}

uint16_t sender_post(struct sender *sender, uint32_t limit)
{
	struct virtqueue *queue = sender->queue;
	uint16_t mask = queue->options.size - 1;
	uint16_t wanted = limit < sender->batch ? (uint16_t)limit : sender->batch;
	uint16_t room = sender->window - (uint16_t)(queue->avail_idx - queue->used_idx);
	if (room < wanted)
		room = sender->window - sender_in_flight(sender);
	if (room < wanted || !wanted)
		return 0;
	uint16_t count = limit < room ? (uint16_t)limit : room;

	/* The device has read these lines: ask for all of them back before waiting for any. */
	for (uint16_t i = 0; i < count && !sender->untouched; i++) {
		uint16_t at = (uint16_t)(queue->avail_idx + i) & (sender->slot_count - 1);
		__builtin_prefetch(sender->slots[at].stamp, 1);
		__builtin_prefetch(&queue->desc[at * sender->descs], 1);
	}
	for (uint16_t i = 0; i < count; i++) {
		uint16_t index = (uint16_t)(queue->avail_idx + i);
		uint16_t at = index & (sender->slot_count - 1);
		struct sender_slot *slot = &sender->slots[at];
		uint16_t head = at * sender->descs;
		if (sender->ports_change)
			rewrite_ports(sender, slot);
		if (sender->stream) {
			workload_set_sequence(slot->ports, sender->stream_at, sender->complete);
			/* Flows take turns, and each slot is of one flow. */
			if (++sender->next_flow == sender->flows) {
				sender->next_flow = 0;
				sender->stream_at += sender->stream;
			}
		}
		if (!sender->untouched) {
			struct workload_stamp stamp = {sender->sequence, ~sender->sequence};
			memcpy(slot->stamp, &stamp, sizeof(stamp));
			sender->sequence++;
		}
		queue->desc[head] = slot->desc[0];
		if (sender->descs == 2)
			queue->desc[head + 1] = slot->desc[1];
		queue->avail->ring[index & mask] = head;
	}
	queue->avail_idx += count;
	sender->frames += count;
	virtqueue_publish(queue);
	return count;
}

bool sender_announce(struct sender *sender)
{
	struct virtqueue *queue = sender->queue;
	if (sender_in_flight(sender))
		return false;
	uint16_t head = (queue->avail_idx & (sender->slot_count - 1)) * sender->descs;
	queue->desc[head] = (struct vring_desc){
		.addr = sender->announce_desc,
		.len = sender->announce_length,
	};
	queue->avail->ring[queue->avail_idx & (queue->options.size - 1)] = head;
	queue->avail_idx++;
	virtqueue_publish(queue);
	return true;
}
