/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/ring_chain.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

/* The event words behind the rings (virtio 1.2, 2.7.6 and 2.7.8). */
static __virtio16 *used_event(const struct ring *ring)
{
	return &ring->avail->ring[ring->size];
}

static __virtio16 *avail_event(const struct ring *ring)
{
	return (__virtio16 *)&ring->used->ring[ring->size];
}

static void log_used(const struct ring *ring, uint64_t offset, uint64_t length)
{
	if (ring->log)
		dirty_log_mark(ring->log, ring->used_guest + offset, length);
}

static void log_avail_event(const struct ring *ring)
{
	log_used(ring,
		offsetof(struct vring_used, ring) + ring->size * sizeof(struct vring_used_elem),
		sizeof(__virtio16));
}

static bool extent_ok(const struct ring_config *config)
{
	uint64_t size = config->size;
	size_t desc = size * sizeof(struct vring_desc);
	size_t avail = sizeof(struct vring_avail) + (size + 1) * sizeof(__virtio16);
	size_t used = sizeof(struct vring_used) + size * sizeof(struct vring_used_elem) +
		      sizeof(__virtio16);
	return guest_memory_contains(config->memory, config->desc, desc) &&
	       guest_memory_contains(config->memory, config->avail, avail) &&
	       guest_memory_contains(config->memory, config->used, used);
}

int ring_init(struct ring *ring, const struct ring_config *config)
{
	if (!config->size || config->size > RING_SIZE_MAX || (config->size & (config->size - 1)))
		return -EINVAL;
	if (!config->desc || !config->avail || !config->used || !config->memory)
		return -EINVAL;
	if ((uintptr_t)config->desc % VRING_DESC_ALIGN_SIZE ||
		(uintptr_t)config->avail % VRING_AVAIL_ALIGN_SIZE ||
		(uintptr_t)config->used % VRING_USED_ALIGN_SIZE || !extent_ok(config))
		return -EINVAL;

	uint64_t used_guest = 0;
	guest_memory_address(config->memory, config->used, &used_guest);
	uint16_t used = __atomic_load_n(&config->used->idx, __ATOMIC_ACQUIRE);
	*ring = (struct ring){
		.desc = config->desc,
		.avail = config->avail,
		.used = config->used,
		.memory = config->memory,
		.size = (uint16_t)config->size,
		.mask = (uint16_t)(config->size - 1),
		.last_avail = used,
		.avail_idx = used,
		.last_used = used,
		.published_used = used,
		.signalled_used = used,
		.header_length = config->version_1 || config->mergeable ? 12 : 10,
		.event_idx = config->event_idx,
		.mergeable = config->mergeable,
		.call_fd = config->call_fd,
		.kick_fd = config->kick_fd,
		.stats = config->stats,
		.worker_stats = config->worker_stats,
		.log = config->log,
		.used_guest = used_guest,
	};
	ring_disarm(ring);
	return 0;
}

void ring_break(struct ring *ring, enum drop reason)
{
	stats_drop(ring->stats, reason, 1);
	ring->worker_stats->rings_broken++;
	ring->broken = true;
}

bool ring_has_work(struct ring *ring)
{
	if (ring->broken)
		return false;
	if (ring->avail_idx == ring->last_avail) {
		ring->avail_idx = __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE);
		if ((uint16_t)(ring->avail_idx - ring->last_avail) > ring->size) {
			ring_break(ring, DROP_RING_INDEX);
			return false;
		}
	}
	return ring->avail_idx != ring->last_avail;
}

/* Appends the memory that a descriptor names; it may run from one region into the next. */
static int add_pieces(const struct ring *ring, const struct vring_desc *desc, struct iovec *pieces,
	int count, enum drop *ret_reason)
{
	uint64_t address = desc->addr;
	uint64_t left = desc->len;
	/* One without bytes is a piece like any other: a chain of them has an end, too. */
	do {
		uint64_t available = 0;
		uint8_t *host = left ? guest_memory_at(ring->memory, address, left, &available)
				     : (uint8_t *)ring->desc;
		if (!host) {
			*ret_reason = DROP_RING_ADDRESS;
			return -1;
		}
		if (count == RING_CHAIN_MAX) {
			*ret_reason = DROP_RING_LENGTH;
			return -1;
		}
		pieces[count++] = (struct iovec){.iov_base = host, .iov_len = available};
		address += available;
		left -= available;
	} while (left);
	return count;
}

/* The table that a chain walks through: the ring's own, or an indirect one. */
struct table {
	const struct vring_desc *desc;
	uint32_t size; /* entries */
};

static bool open_indirect(
	const struct ring *ring, const struct vring_desc *desc, struct table *ret_table)
{
	uint32_t size = desc->len / sizeof(struct vring_desc);
	if (!size || desc->len % sizeof(struct vring_desc) || size > RING_SIZE_MAX ||
		(desc->flags & VRING_DESC_F_NEXT))
		return false;
	const uint8_t *host = guest_memory_span(ring->memory, desc->addr, desc->len);
	if (!host)
		return false;
	*ret_table = (struct table){(const struct vring_desc *)(const void *)host, size};
	return true;
}

int ring_chain_slow(struct ring *ring, struct vring_desc desc, bool writable, struct iovec *pieces,
	uint64_t *ret_length)
{
	struct table table = {ring->desc, ring->size};
	uint64_t length = 0;
	uint32_t seen = 1;
	bool indirect = false; /* not told by table.desc: it may be the ring's own again */
	int count = 0;
	enum drop reason = DROP_RING_ADDRESS;

	for (;;) {
		uint32_t index = 0;
		ring->steps++;
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			/* virtio 1.2, 2.7.5.3.1: one table, not nested; what precedes it in the
			 * ring may be plain descriptors, what follows may not. */
			if (indirect || !open_indirect(ring, &desc, &table)) {
				reason = DROP_RING_INDIRECT;
				goto refuse;
			}
			indirect = true;
			seen = 0;
		} else {
			if (writable != !!(desc.flags & VRING_DESC_F_WRITE)) {
				reason = DROP_RING_DIRECTION;
				goto refuse;
			}
			count = add_pieces(ring, &desc, pieces, count, &reason);
			if (count < 0)
				goto refuse;
			length += desc.len;
			if (!(desc.flags & VRING_DESC_F_NEXT))
				break;
			index = desc.next;
		}
		if (index >= table.size) {
			reason = DROP_RING_INDEX;
			goto refuse;
		}
		if (seen++ == table.size) {
			reason = DROP_RING_LOOP;
			goto refuse;
		}
		desc = ring_descriptor(&table.desc[index]);
	}
	*ret_length = length;
	return count;

refuse:
	stats_drop(ring->stats, reason, 1);
	return -1;
}

static void interrupt(struct ring *ring)
{
	const uint64_t one = 1;
	if (ring->call_fd < 0)
		return;
	ring->stats->interrupts++;
	/* The counter of an eventfd that is full has interrupted already. */
	if (write(ring->call_fd, &one, sizeof(one)) < 0)
		return;
}

bool ring_is_polled(const struct ring *ring)
{
	return __atomic_load_n(&ring->avail->flags, __ATOMIC_RELAXED) & VRING_AVAIL_F_NO_INTERRUPT;
}

void ring_publish(struct ring *ring)
{
	uint16_t old = ring->published_used;
	uint16_t used = ring->last_used;
	if (used == old)
		return;
	__atomic_store_n(&ring->used->idx, used, __ATOMIC_RELEASE);
	ring->published_used = used;
	if (ring->log) {
		for (uint16_t i = old; i != used; i++)
			log_used(ring,
				offsetof(struct vring_used, ring) +
					(i & ring->mask) * sizeof(struct vring_used_elem),
				sizeof(struct vring_used_elem));
		log_used(ring, offsetof(struct vring_used, idx), sizeof(__virtio16));
	}

	/* used.idx must be visible before we look whether the driver wants to hear of it. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	bool wanted;
	if (ring->event_idx) {
		uint16_t event = __atomic_load_n(used_event(ring), __ATOMIC_RELAXED);
		wanted = vring_need_event(event, used, ring->signalled_used);
	} else {
		wanted = !ring_is_polled(ring);
	}
	ring->signalled_used = used;
	if (wanted)
		interrupt(ring);
}

/* Asks to be told of the chain behind `seen`. True when none has come meanwhile. */
static bool arm(struct ring *ring, uint16_t seen)
{
	if (ring->event_idx) {
		__atomic_store_n(avail_event(ring), seen, __ATOMIC_RELAXED);
		log_avail_event(ring);
	} else {
		__atomic_store_n(&ring->used->flags, 0, __ATOMIC_RELAXED);
		log_used(ring, offsetof(struct vring_used, flags), sizeof(__virtio16));
	}
	/* The driver publishes avail.idx and then looks here; we write here and then look at
	 * avail.idx. With a full fence on both sides one of the two sees the other. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE) == seen;
}

bool ring_arm(struct ring *ring)
{
	if (ring->broken || arm(ring, ring->last_avail))
		return true;
	ring_disarm(ring);
	return false;
}

bool ring_arm_room(struct ring *ring)
{
	if (ring->broken)
		return false;
	ring->room_armed = true;
	return arm(ring, ring->avail_idx);
}

void ring_disarm(struct ring *ring)
{
	if (ring->event_idx) {
		/* As far away as can be: the driver passes it once in 65,536 chains. */
		__atomic_store_n(
			avail_event(ring), (uint16_t)(ring->last_avail - 1), __ATOMIC_RELAXED);
		log_avail_event(ring);
	} else {
		__atomic_store_n(&ring->used->flags, VRING_USED_F_NO_NOTIFY, __ATOMIC_RELAXED);
		log_used(ring, offsetof(struct vring_used, flags), sizeof(__virtio16));
	}
}
