/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a guest's transmit queue: each chain becomes a packet whose first bytes are private and
 * whose rest stays where the guest put it until ring_rx_done().
 */
#include "backend/copy.h"
#include "backend/ring_chain.h"

/* Copies `length` bytes off the front of the pieces; they are known to hold that many.
 * Returns the index of the first piece that has bytes left. */
static int take(struct iovec *pieces, int at, void *to, size_t length)
{
	uint8_t *out = to;
	while (length) {
		struct iovec *piece = &pieces[at];
		size_t part = piece->iov_len < length ? piece->iov_len : length;
		copy_bytes(out, piece->iov_base, part);
		out += part;
		length -= part;
		piece->iov_base = (uint8_t *)piece->iov_base + part;
		piece->iov_len -= part;
		if (!piece->iov_len)
			at++;
	}
	return at;
}

/* Takes header and head. Returns the index of the first piece that has bytes left. */
static inline int take_front(const struct ring *ring, struct iovec *pieces, struct packet *p)
{
	uint32_t front = sizeof(p->vnet) + p->head_length;
	if (ring->header_length == sizeof(p->vnet) && pieces->iov_len >= front) {
		/* Both in the first piece, as most drivers lay them out. */
		const uint8_t *from = pieces->iov_base;
		memcpy(&p->vnet, from, sizeof(p->vnet));
		copy_bytes(p->head, from + sizeof(p->vnet), p->head_length);
		pieces->iov_base = (uint8_t *)pieces->iov_base + front;
		pieces->iov_len -= front;
		return pieces->iov_len == 0;
	}
	int at = take(pieces, 0, &p->vnet, ring->header_length);
	return take(pieces, at, p->head, p->head_length);
}

/* A chain that was walked, and whose first bytes are on their way into the cache. */
struct chain {
	uint32_t first;	 /* its first piece, in ring->segments */
	int count;	 /* pieces; -1: refused */
	uint64_t length; /* bytes */
};

/* Makes a packet of a chain. False, counted, when it cannot be a frame. */
static bool borrow(struct ring *ring, const struct chain *chain, struct packet *p)
{
	struct iovec *pieces = &ring->segments[chain->first];
	if (chain->length < ring->header_length + (uint64_t)ETHERNET_HEADER_LENGTH ||
		chain->length > ring->header_length + (uint64_t)PACKET_LENGTH_MAX) {
		stats_drop(ring->stats, DROP_RING_LENGTH, 1);
		return false;
	}

	p->length = (uint32_t)chain->length - ring->header_length;
	p->head_length =
		p->length < PACKET_HEAD_INITIAL ? (uint16_t)p->length : PACKET_HEAD_INITIAL;
	int at = take_front(ring, pieces, p);
	if (chain->count - at > PACKET_SEGMENTS_MAX) {
		stats_drop(ring->stats, DROP_RING_LENGTH, 1);
		return false;
	}
	p->segments = &pieces[at];
	p->segment_count = (uint16_t)(chain->count - at);
	return true;
}

/* Walks up to `max` chains and asks for their first bytes. Returns how many: fewer when they are
 * dear (ring.h). */
static uint16_t walk(struct ring *ring, struct chain *chains, uint16_t max)
{
	uint16_t walked = 0;
	uint32_t room = 0;
	uint64_t named = 0; /* bytes */
	ring->steps = 0;
	while (walked < max && room + RING_CHAIN_MAX <= RING_SEGMENTS &&
		ring->steps < RING_BURST_STEPS && named < RING_BURST_BYTES) {
		int head = ring_head(ring, walked);
		if (head < 0)
			break;
		struct chain *chain = &chains[walked];
		ring->pending[walked++] = (uint16_t)head;
		chain->first = room;
		chain->count = ring_chain(
			ring, (uint16_t)head, false, &ring->segments[room], &chain->length);
		if (chain->count <= 0)
			continue;
		named += chain->length;
		const uint8_t *bytes = ring->segments[room].iov_base;
		__builtin_prefetch(bytes);
		__builtin_prefetch(bytes + 64);
		room += (uint32_t)chain->count;
	}
	return walked;
}

uint16_t ring_rx_burst(struct ring *ring, struct packet *packets, uint16_t max)
{
	struct chain chains[PORT_BURST];
	if (!ring_has_work(ring))
		return 0;
	uint16_t waiting = (uint16_t)(ring->avail_idx - ring->last_avail);
	if (max > PORT_BURST)
		max = PORT_BURST;
	if (max > waiting)
		max = waiting;

	uint16_t walked = walk(ring, chains, max);
	uint16_t frames = 0;
	uint64_t bytes = 0;
	for (uint16_t i = 0; i < walked; i++) {
		if (chains[i].count < 0 || !borrow(ring, &chains[i], &packets[frames]))
			continue;
		bytes += packets[frames++].length;
	}
	ring->pending_count = walked;
	ring->last_avail += walked;
	ring->stats->rx_packets += frames;
	ring->stats->rx_bytes += bytes;
	return frames;
}

void ring_rx_done(struct ring *ring)
{
	uint16_t count = ring->pending_count;
	for (uint16_t i = 0; i < count; i++)
		ring_use(ring, ring->pending[i], 0);
	ring->pending_count = 0;
	ring_publish(ring);
}
