/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Into a guest's receive queue: one copy, from wherever the frame lies (another guest's buffers,
 * the TAP port's) to the buffers that this guest posted, with the virtio-net header in front.
 */
#include <stddef.h>

#include "backend/copy.h"
#include "backend/ring_chain.h"

/* Bytes of a frame whose buffer is asked for before the one in front of it is copied. */
#define LOOK_AHEAD_MIN 256
#define LOOK_AHEAD_MAX 2048

/* The receive buffers chosen for one frame. */
struct room {
	uint16_t heads[RING_HEADS_MAX]; /* their head descriptors, in avail order */
	uint16_t ends[RING_HEADS_MAX];	/* index of the first piece behind each buffer */
	uint16_t head_count;
	uint64_t bytes; /* all of them together */
	struct iovec pieces[RING_CHAIN_MAX + RING_CHAIN_MAX];
};

/* Where the next byte goes. */
struct cursor {
	struct iovec *piece;
	size_t offset;
};

static inline void put(struct cursor *to, const void *from, size_t length)
{
	const uint8_t *in = from;
	while (length) {
		/* NOLINTNEXTLINE(clang-analyzer-core.*): find_room() filled enough pieces */
		size_t left = to->piece->iov_len - to->offset;
		size_t part = left < length ? left : length;
		copy_bytes((uint8_t *)to->piece->iov_base + to->offset, in, part);
		in += part;
		length -= part;
		to->offset += part;
		if (to->offset == to->piece->iov_len) {
			to->piece++;
			to->offset = 0;
		}
	}
}

enum found {
	FOUND_ROOM,
	FOUND_NONE,  /* too few buffers now */
	FOUND_NEVER, /* no number of buffers is enough, or the ring is broken */
};

/* Looks whether the driver has posted more. False when avail.idx cannot be: the ring is broken. */
static bool look_again(struct ring *ring)
{
	ring->avail_idx = __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE);
	if ((uint16_t)(ring->avail_idx - ring->last_avail) <= ring->size)
		return true;
	ring_break(ring, DROP_RING_INDEX);
	return false;
}

uint16_t ring_tx_room(struct ring *ring)
{
	return !ring->broken && look_again(ring) ? (uint16_t)(ring->avail_idx - ring->last_avail)
						 : 0;
}

static enum found find_room(struct ring *ring, uint64_t needed, struct room *room)
{
	uint16_t waiting = (uint16_t)(ring->avail_idx - ring->last_avail);
	uint16_t count = 0;
	room->head_count = 0;
	room->bytes = 0;
	while (room->bytes < needed) {
		if (room->head_count == waiting) {
			/* The driver may have posted more since we looked. */
			if (!look_again(ring))
				return FOUND_NEVER;
			uint16_t now = (uint16_t)(ring->avail_idx - ring->last_avail);
			if (now == waiting)
				return waiting == ring->size ? FOUND_NEVER : FOUND_NONE;
			waiting = now;
		}
		if (room->head_count == RING_HEADS_MAX || count > RING_CHAIN_MAX)
			return FOUND_NEVER;
		int head = ring_head(ring, room->head_count);
		if (head < 0)
			return FOUND_NEVER;
		uint64_t bytes;
		int pieces = ring_chain(ring, (uint16_t)head, true, &room->pieces[count], &bytes);
		if (pieces < 0) {
			ring->broken = true;
			ring->worker_stats->rings_broken++;
			return FOUND_NEVER;
		}
		count += (uint16_t)pieces;
		room->heads[room->head_count] = (uint16_t)head;
		room->ends[room->head_count++] = count;
		room->bytes += bytes;
		if (!ring->mergeable)
			return room->bytes >= needed ? FOUND_ROOM : FOUND_NEVER;
	}
	return FOUND_ROOM;
}

/* Marks the first `length` bytes of the pieces as written. */
static void log_pieces(const struct ring *ring, const struct iovec *piece, uint64_t length)
{
	for (; length; piece++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.*): likewise */
		uint64_t part = piece->iov_len < length ? piece->iov_len : length;
		uint64_t guest;
		if (guest_memory_address(ring->memory, piece->iov_base, &guest))
			dirty_log_mark(ring->log, guest, part);
		length -= part;
	}
}

/* Writes the virtio-net header where it lies in one piece. */
static inline void put_header(uint8_t *to, const struct virtio_net_hdr_v1 *header, uint16_t buffers)
{
	const size_t at = offsetof(struct virtio_net_hdr_v1, num_buffers);
	memcpy(to, header, at);
	memcpy(to + at, &buffers, sizeof(buffers));
}

static void write_frame(struct ring *ring, struct room *room, const struct packet *p)
{
	struct virtio_net_hdr_v1 header;
	put_header((uint8_t *)&header, &p->vnet, room->head_count);

	struct cursor to = {room->pieces, 0};
	put(&to, &header, ring->header_length);
	put(&to, p->head, p->head_length);
	for (uint16_t i = 0; i < p->segment_count; i++)
		put(&to, p->segments[i].iov_base, p->segments[i].iov_len);
	if (ring->log)
		log_pieces(ring, room->pieces, p->length + ring->header_length);
}

/* One used entry for each buffer, with the bytes that went into it. */
static void use_buffers(struct ring *ring, const struct room *room, uint64_t length)
{
	uint16_t piece = 0;
	for (uint16_t i = 0; i < room->head_count; i++) {
		uint64_t bytes = 0;
		for (; piece < room->ends[i]; piece++)
			bytes += room->pieces[piece].iov_len;
		if (bytes > length)
			bytes = length;
		ring_use(ring, room->heads[i], (uint32_t)bytes);
		length -= bytes;
	}
	ring->last_avail += room->head_count;
}

/*
 * By far the most frequent: the buffer `ahead` behind the next is one descriptor in one region, and
 * holds the whole frame. Returns where it lies, with its head in *ret_head; NULL when it is
 * anything else, or not there yet.
 */
static inline uint8_t *common_buffer(
	const struct ring *ring, uint16_t ahead, uint32_t needed, uint16_t *ret_head)
{
	uint16_t index = (uint16_t)(ring->last_avail + ahead);
	if ((uint16_t)(ring->avail_idx - ring->last_avail) <= ahead)
		return NULL;
	uint16_t head = __atomic_load_n(&ring->avail->ring[index & ring->mask], __ATOMIC_RELAXED);
	if (head >= ring->size)
		return NULL;
	struct vring_desc desc = ring_descriptor(&ring->desc[head]);
	if ((desc.flags & RING_CHAIN_FLAGS) != VRING_DESC_F_WRITE || desc.len < needed)
		return NULL;
	*ret_head = head;
	return guest_memory_span(ring->memory, desc.addr, desc.len);
}

/*
 * Asks for the buffer of the frame that follows, whose lines then come while this one is copied;
 * what it is gets decided in its turn. A few lines are not worth the look, and over many the
 * processor looks ahead by itself.
 */
static inline void look_ahead(const struct ring *ring, const struct packet *following)
{
	uint32_t needed = following->length + ring->header_length;
	uint16_t head;
	if (needed < LOOK_AHEAD_MIN || needed > LOOK_AHEAD_MAX)
		return;
	uint8_t *to = common_buffer(ring, 1, needed, &head);
	if (to)
		copy_expect(to, needed);
}

/* Into a common buffer. False, with nothing changed, when the next one is not. */
static inline bool send_common(struct ring *ring, const struct packet *p, uint32_t needed)
{
	uint16_t head;
	if (ring->header_length != sizeof(p->vnet) || ring->log)
		return false;
	uint8_t *to = common_buffer(ring, 0, needed, &head);
	if (!to)
		return false;

	put_header(to, &p->vnet, 1);
	to += sizeof(p->vnet);
	copy_bytes(to, p->head, p->head_length);
	to += p->head_length;
	for (uint16_t i = 0; i < p->segment_count; i++) {
		copy_bytes(to, p->segments[i].iov_base, p->segments[i].iov_len);
		to += p->segments[i].iov_len;
	}
	ring_use(ring, head, needed);
	ring->last_avail++;
	return true;
}

/* Any buffers. FOUND_ROOM: it was sent. */
static enum found send_any(struct ring *ring, const struct packet *p, uint32_t needed)
{
	struct room room;
	enum found found = find_room(ring, needed, &room);
	if (found == FOUND_ROOM) {
		write_frame(ring, &room, p);
		use_buffers(ring, &room, needed);
	}
	return found;
}

uint16_t ring_tx_burst(struct ring *ring, struct packet *const packets[], uint16_t count)
{
	uint16_t taken = 0;
	uint64_t sent = 0;
	uint64_t bytes = 0;
	uint32_t never = UINT32_MAX; /* the buffers at hand are too few for so many bytes */
	for (; taken < count && !ring->broken; taken++) {
		const struct packet *p = packets[taken];
		uint32_t needed = p->length + ring->header_length;
		if (taken + 1 < count)
			look_ahead(ring, packets[taken + 1]);
		if (!send_common(ring, p, needed)) {
			enum found found = needed < never ? send_any(ring, p, needed) : FOUND_NEVER;
			if (found == FOUND_NONE)
				break;
			if (found == FOUND_NEVER) {
				/* Hundreds of tiny buffers are looked at once, not for each frame.
				 */
				never = needed;
				stats_drop(ring->stats, DROP_TOO_LARGE, 1);
				continue;
			}
		}
		never = UINT32_MAX;
		sent++;
		bytes += p->length;
	}
	ring->stats->tx_packets += sent;
	ring->stats->tx_bytes += bytes;
	if (ring->broken && taken < count) {
		stats_drop(ring->stats, DROP_PORT_DOWN, (uint64_t)(count - taken));
		taken = count;
	}
	return taken;
}

void ring_tx_flush(struct ring *ring)
{
	ring_publish(ring);
	if (ring->room_armed) {
		ring->room_armed = false;
		ring_disarm(ring);
	}
}
