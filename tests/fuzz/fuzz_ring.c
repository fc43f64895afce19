/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile driver: the input is the first bytes of guest memory, with the rings in it, and how
 * many turns to take. Whatever it says, only that memory is touched (ASAN), every frame handed out
 * is consistent, and used.idx never runs ahead of avail.idx.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ring.h"

#define MEMORY 8192
#define GUEST_BASE 0x1000
#define SIZE 16
#define AVAIL_AT 256
#define USED_AT 512
#define TURNS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct packet *p)
{
	uint64_t bytes = p->head_length;
	assert(p->head_length <= PACKET_HEAD_INITIAL && p->head_length <= p->length);
	assert(p->length >= ETHERNET_HEADER_LENGTH && p->length <= PACKET_LENGTH_MAX);
	assert(p->segment_count <= RING_CHAIN_MAX);
	volatile uint8_t sum = 0;
	for (uint16_t i = 0; i < p->segment_count; i++) {
		const uint8_t *base = p->segments[i].iov_base;
		bytes += p->segments[i].iov_len;
		if (p->segments[i].iov_len)
			sum += base[0] + base[p->segments[i].iov_len - 1];
	}
	(void)sum;
	assert(bytes == p->length);
}

static void drive(struct ring *ring, bool transmit)
{
	static struct packet packets[PORT_BURST];
	uint8_t rest[1400] = {0};
	struct iovec segment = {rest, sizeof(rest)};
	struct packet frame = {
		.length = 1500, .head_length = 100, .segments = &segment, .segment_count = 1};
	struct packet *const frames[] = {&frame, &frame, &frame};

	for (int turn = 0; turn < TURNS; turn++) {
		if (transmit) {
			uint16_t count = ring_rx_burst(ring, packets, PORT_BURST);
			/* The burst ends behind the chain that was too dear, and the one before it.
			 */
			assert(ring->steps < RING_BURST_STEPS + RING_CHAIN_MAX + 3);
			for (uint16_t i = 0; i < count; i++)
				check(&packets[i]);
			ring_rx_done(ring);
		} else {
			ring_tx_burst(ring, frames, 3);
			ring_tx_flush(ring);
		}
		assert((uint16_t)(ring->last_avail - ring->last_used) == 0);
		ring_arm(ring);
		ring_disarm(ring);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ring ring;
	struct port_stats stats = {0};
	struct worker_stats worker_stats = {0};
	if (size < 2)
		return 0;
	uint8_t *memory = aligned_alloc(4096, MEMORY);
	memset(memory, 0, MEMORY);
	memcpy(memory, data + 1, size - 1 < MEMORY ? size - 1 : MEMORY);
	const struct guest_memory regions = {.count = 2,
		.regions = {{GUEST_BASE, MEMORY / 2, memory},
			{GUEST_BASE + MEMORY / 2, MEMORY / 2, memory + MEMORY / 2}}};
	const struct ring_config config = {
		.desc = (void *)memory,
		.avail = (void *)(memory + AVAIL_AT),
		.used = (void *)(memory + USED_AT),
		.memory = &regions,
		.size = 1u << (data[0] & 3) << 1,
		.event_idx = data[0] & 4,
		.mergeable = data[0] & 8,
		.version_1 = data[0] & 16,
		.call_fd = -1,
		.kick_fd = -1,
		.stats = &stats,
		.worker_stats = &worker_stats,
	};
	if (ring_init(&ring, &config) == 0)
		drive(&ring, data[0] & 32);
	free(memory);
	return 0;
}
