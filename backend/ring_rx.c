/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a guest's transmit queue: each chain becomes a packet whose first bytes are private and
 * whose rest stays where the guest put it until ring_rx_done().
 */
#include <string.h>

#include "backend/ring.h"

/* Copies `length` bytes off the front of the pieces; they are known to hold that many.
 * Returns the index of the first piece that has bytes left. */
static int take(struct iovec *pieces, int at, void *to, size_t length)
{
	uint8_t *out = to;
	while (length) {
		struct iovec *piece = &pieces[at];
		size_t part = piece->iov_len < length ? piece->iov_len : length;
		memcpy(out, piece->iov_base, part);
		out += part;
		length -= part;
		piece->iov_base = (uint8_t *)piece->iov_base + part;
		piece->iov_len -= part;
		if (!piece->iov_len)
			at++;
	}
	return at;
}

/* Makes a packet of a chain; returns the number of pieces it needs to keep, or -1 if refused. */
static int borrow(struct ring *ring, uint16_t head, struct iovec *pieces, struct packet *p)
{
	uint64_t length;
	int count = ring_chain(ring, head, false, pieces, &length);
	if (count < 0)
		return -1;
	if (length < ring->header_length + (uint64_t)ETHERNET_HEADER_LENGTH ||
		length > ring->header_length + (uint64_t)PACKET_LENGTH_MAX) {
		stats_drop(ring->stats, DROP_RING_LENGTH, 1);
		return -1;
	}

	p->length = (uint32_t)length - ring->header_length;
	p->head_length =
		p->length < PACKET_HEAD_INITIAL ? (uint16_t)p->length : PACKET_HEAD_INITIAL;
	int at = take(pieces, 0, &p->vnet, ring->header_length);
	at = take(pieces, at, p->head, p->head_length);
	if (count - at > PACKET_SEGMENTS_MAX) {
		stats_drop(ring->stats, DROP_RING_LENGTH, 1);
		return -1;
	}
	p->segments = &pieces[at];
	p->segment_count = (uint16_t)(count - at);
	return count;
}

uint16_t ring_rx_burst(struct ring *ring, struct packet *packets, uint16_t max)
{
	if (!ring_has_work(ring))
		return 0;
	uint16_t waiting = (uint16_t)(ring->avail_idx - ring->last_avail);
	if (max > PORT_BURST)
		max = PORT_BURST;
	if (max > waiting)
		max = waiting;

	uint16_t frames = 0;
	uint16_t chains = 0;
	uint32_t room = 0;
	uint64_t bytes = 0;
	while (chains < max && room + RING_CHAIN_MAX <= RING_SEGMENTS) {
		int head = ring_head(ring, chains);
		if (head < 0)
			break;
		if (chains + 1 < max) {
			/* A hint only: an index that is no index is refused above. */
			uint16_t next =
				ring->avail->ring[(ring->last_avail + chains + 1) & ring->mask];
			__builtin_prefetch(&ring->desc[next & ring->mask]);
		}
		ring->pending[chains++] = (uint16_t)head;
		int used = borrow(ring, (uint16_t)head, &ring->segments[room], &packets[frames]);
		if (used < 0)
			continue;
		bytes += packets[frames].length;
		room += (uint32_t)used;
		frames++;
	}
	ring->pending_count = chains;
	ring->last_avail += chains;
	ring->stats->rx_packets += frames;
	ring->stats->rx_bytes += bytes;
	return frames;
}

void ring_rx_done(struct ring *ring)
{
	for (uint16_t i = 0; i < ring->pending_count; i++)
		ring_use(ring, ring->pending[i], 0);
	ring->pending_count = 0;
	ring_publish(ring);
}
