/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rings driven in memory, as drivers lay them out, honest and not. The driver's side here is
 * written from virtio 1.2, 2.7, and shares nothing with backend/ring*.c but the layout in
 * linux/virtio_ring.h.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/ring.h"

#define MEMORY_SIZE (1u << 20)
#define GUEST_BASE 0x40000000ull
#define SIZE 8
#define DESC_AT 0x0
#define AVAIL_AT 0x1000
#define USED_AT 0x2000
#define TABLE_AT 0x3000
#define DATA_AT 0x10000
#define HEADER 12

struct fixture {
	uint8_t *memory;
	struct guest_memory regions;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct port_stats stats;
	struct worker_stats worker_stats;
	struct ring ring;
	struct packet packets[PORT_BURST];
	int call_fd;
};

static struct ring_config config_of(struct fixture *f)
{
	return (struct ring_config){
		.desc = f->desc,
		.avail = f->avail,
		.used = f->used,
		.memory = &f->regions,
		.size = SIZE,
		.version_1 = true,
		.mergeable = true,
		.call_fd = f->call_fd,
		.kick_fd = -1,
		.stats = &f->stats,
		.worker_stats = &f->worker_stats,
	};
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	if (!f || posix_memalign((void **)&f->memory, 4096, MEMORY_SIZE))
		return -1;
	memset(f->memory, 0, MEMORY_SIZE);
	f->regions = (struct guest_memory){
		.count = 1, .regions = {{GUEST_BASE, MEMORY_SIZE, f->memory}}};
	f->desc = (void *)(f->memory + DESC_AT);
	f->avail = (void *)(f->memory + AVAIL_AT);
	f->used = (void *)(f->memory + USED_AT);
	f->call_fd = eventfd(0, EFD_NONBLOCK);
	struct ring_config config = config_of(f);
	*state = f;
	return ring_init(&f->ring, &config);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	close(f->call_fd);
	free(f->memory);
	free(f);
	return 0;
}

/* ---- the driver's side */

static void describe(struct fixture *f, uint16_t at, uint64_t offset, uint32_t length,
	uint16_t flags, uint16_t next)
{
	f->desc[at] = (struct vring_desc){GUEST_BASE + offset, length, flags, next};
}

static void post(struct fixture *f, uint16_t head)
{
	f->avail->ring[f->avail->idx % SIZE] = head;
	f->avail->idx++;
}

static uint64_t interrupts(struct fixture *f)
{
	uint64_t count = 0;
	return read(f->call_fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

/* A frame of `length` bytes, byte i being i + seed, behind a header of zeros. */
static void fill_frame(struct fixture *f, uint64_t offset, uint32_t length, uint8_t seed)
{
	memset(f->memory + offset, 0, HEADER);
	for (uint32_t i = 0; i < length; i++)
		f->memory[offset + HEADER + i] = (uint8_t)(i + seed);
}

static void check_frame(const struct packet *p, uint32_t length, uint8_t seed)
{
	uint8_t bytes[70000];
	assert_int_equal(p->length, length);
	memcpy(bytes, p->head, p->head_length);
	uint32_t at = p->head_length;
	for (uint16_t i = 0; i < p->segment_count; i++) {
		memcpy(bytes + at, p->segments[i].iov_base, p->segments[i].iov_len);
		at += (uint32_t)p->segments[i].iov_len;
	}
	assert_int_equal(at, length);
	for (uint32_t i = 0; i < length; i++)
		assert_int_equal(bytes[i], (uint8_t)(i + seed));
}

static struct packet *outgoing(
	struct fixture *f, uint32_t length, uint8_t seed, uint8_t *rest, struct iovec *segment)
{
	struct packet *p = &f->packets[0];
	memset(p, 0, sizeof(*p));
	p->length = length;
	p->head_length = length < 128 ? (uint16_t)length : 128;
	for (uint32_t i = 0; i < length; i++)
		*(i < p->head_length ? &p->head[i] : &rest[i - p->head_length]) =
			(uint8_t)(i + seed);
	*segment = (struct iovec){rest, length - p->head_length};
	p->segments = segment;
	p->segment_count = length > p->head_length;
	return p;
}

/* ---- from the guest */

static void rx_one_descriptor(void **state)
{
	struct fixture *f = *state;
	fill_frame(f, DATA_AT, 60, 1);
	describe(f, 3, DATA_AT, HEADER + 60, 0, 0);
	post(f, 3);
	assert_int_equal(ring_rx_burst(&f->ring, f->packets, PORT_BURST), 1);
	check_frame(&f->packets[0], 60, 1);
	assert_int_equal(f->used->idx, 0);
	ring_rx_done(&f->ring);
	assert_int_equal(f->used->idx, 1);
	assert_int_equal(f->used->ring[0].id, 3);
	assert_int_equal(interrupts(f), 1);
	assert_int_equal(ring_rx_burst(&f->ring, f->packets, PORT_BURST), 0);
}

static void rx_header_apart_and_in_pieces(void **state)
{
	struct fixture *f = *state;
	fill_frame(f, DATA_AT, 1500, 9);
	/* header split after 5 bytes, frame in three pieces, an empty descriptor among them */
	describe(f, 0, DATA_AT, 5, VRING_DESC_F_NEXT, 1);
	describe(f, 1, DATA_AT + 5, HEADER - 5, VRING_DESC_F_NEXT, 2);
	describe(f, 2, DATA_AT + HEADER, 100, VRING_DESC_F_NEXT, 3);
	describe(f, 3, DATA_AT + HEADER + 100, 0, VRING_DESC_F_NEXT, 4);
	describe(f, 4, DATA_AT + HEADER + 100, 1400, 0, 0);
	post(f, 0);
	assert_int_equal(ring_rx_burst(&f->ring, f->packets, PORT_BURST), 1);
	assert_int_equal(f->packets[0].head_length, PACKET_HEAD_INITIAL);
	check_frame(&f->packets[0], 1500, 9);
	ring_rx_done(&f->ring);
}

static void rx_indirect(void **state)
{
	struct fixture *f = *state;
	struct vring_desc *table = (void *)(f->memory + TABLE_AT);
	fill_frame(f, DATA_AT, 300, 4);
	table[0] = (struct vring_desc){GUEST_BASE + DATA_AT, HEADER, VRING_DESC_F_NEXT, 1};
	table[1] = (struct vring_desc){GUEST_BASE + DATA_AT + HEADER, 300, 0, 0};
	describe(f, 7, TABLE_AT, 2 * sizeof(*table), VRING_DESC_F_INDIRECT, 0);
	post(f, 7);
	assert_int_equal(ring_rx_burst(&f->ring, f->packets, PORT_BURST), 1);
	check_frame(&f->packets[0], 300, 4);
	ring_rx_done(&f->ring);
	assert_int_equal(f->used->ring[0].id, 7);
}

static void rx_across_regions(void **state)
{
	struct fixture *f = *state;
	/* Two regions that follow each other for the guest and lie apart here. */
	static uint8_t other[4096];
	f->regions.regions[0].size = DATA_AT + 100;
	f->regions.regions[1] =
		(struct guest_memory_region){GUEST_BASE + DATA_AT + 100, sizeof(other), other};
	f->regions.count = 2;
	fill_frame(f, DATA_AT, 400, 2);
	memcpy(other, f->memory + DATA_AT + 100, 400);
	describe(f, 0, DATA_AT, HEADER + 400, 0, 0);
	post(f, 0);
	assert_int_equal(ring_rx_burst(&f->ring, f->packets, PORT_BURST), 1);
	check_frame(&f->packets[0], 400, 2);
	ring_rx_done(&f->ring);
}

static void rx_index_wraps(void **state)
{
	struct fixture *f = *state;
	fill_frame(f, DATA_AT, 64, 0);
	for (uint32_t i = 0; i < 70000; i++) {
		describe(f, i % SIZE, DATA_AT, HEADER + 64, 0, 0);
		post(f, i % SIZE);
		assert_int_equal(ring_rx_burst(&f->ring, f->packets, PORT_BURST), 1);
		ring_rx_done(&f->ring);
		assert_int_equal(f->used->idx, (uint16_t)(i + 1));
		assert_int_equal(f->used->ring[i % SIZE].id, i % SIZE);
	}
}

/* ---- refusals: one descriptor table, one reason, and whether the ring goes on */

struct refusal {
	const char *name;
	struct vring_desc desc[4];
	uint16_t head;
	enum drop reason;
	bool broken;
};

static const struct refusal refusals[] = {
	{"outside", {{0x1000, 100, 0, 0}}, 0, DROP_RING_ADDRESS, false},
	{"end beyond", {{GUEST_BASE + MEMORY_SIZE - 50, 100, 0, 0}}, 0, DROP_RING_ADDRESS, false},
	{"address wraps", {{UINT64_MAX - 10, 100, 0, 0}}, 0, DROP_RING_ADDRESS, false},
	{"too short", {{GUEST_BASE + DATA_AT, HEADER + 13, 0, 0}}, 0, DROP_RING_LENGTH, false},
	{"nothing", {{GUEST_BASE + DATA_AT, 0, 0, 0}}, 0, DROP_RING_LENGTH, false},
	{"too long", {{GUEST_BASE + DATA_AT, HEADER + PACKET_LENGTH_MAX + 1, 0, 0}}, 0,
		DROP_RING_LENGTH, false},
	{"loop", {{GUEST_BASE + DATA_AT, 1, VRING_DESC_F_NEXT, 0}}, 0, DROP_RING_LOOP, false},
	{"next beyond", {{GUEST_BASE + DATA_AT, 100, VRING_DESC_F_NEXT, SIZE}}, 0, DROP_RING_INDEX,
		false},
	{"for writing", {{GUEST_BASE + DATA_AT, 100, VRING_DESC_F_WRITE, 0}}, 0,
		DROP_RING_DIRECTION, false},
	{"indirect empty", {{GUEST_BASE + TABLE_AT, 0, VRING_DESC_F_INDIRECT, 0}}, 0,
		DROP_RING_INDIRECT, false},
	{"indirect odd", {{GUEST_BASE + TABLE_AT, 17, VRING_DESC_F_INDIRECT, 0}}, 0,
		DROP_RING_INDIRECT, false},
	{"indirect outside", {{0, 16, VRING_DESC_F_INDIRECT, 0}}, 0, DROP_RING_INDIRECT, false},
	{"indirect and next",
		{{GUEST_BASE + TABLE_AT, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1}}, 0,
		DROP_RING_INDIRECT, false},
	{"indirect huge", {{GUEST_BASE, 16 * 32769, VRING_DESC_F_INDIRECT, 0}}, 0,
		DROP_RING_INDIRECT, false},
	{"head beyond", {{GUEST_BASE + DATA_AT, 100, 0, 0}}, SIZE, DROP_RING_INDEX, true},
};

static void rx_refusals(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		struct ring_config config = config_of(f);
		assert_int_equal(ring_init(&f->ring, &config), 0);
		memset(&f->stats, 0, sizeof(f->stats));
		memcpy(f->desc, r->desc, sizeof(r->desc));
		uint16_t used = f->used->idx;
		post(f, r->head);
		assert_int_equal(ring_rx_burst(&f->ring, f->packets, PORT_BURST), 0);
		ring_rx_done(&f->ring);
		if (f->stats.drops[r->reason] != 1 || f->ring.broken != r->broken)
			fail_msg("%s: not refused as %s", r->name, drop_name(r->reason));
		/* a refused chain is completed; a broken ring is left as it is */
		assert_int_equal((uint16_t)(f->used->idx - used), !r->broken);
		if (r->broken)
			f->avail->idx--;
	}
}

static void rx_indirect_in_indirect(void **state)
{
	struct fixture *f = *state;
	struct vring_desc *table = (void *)(f->memory + TABLE_AT);
	table[0] = (struct vring_desc){
		GUEST_BASE + TABLE_AT, sizeof(*table), VRING_DESC_F_INDIRECT, 0};
	describe(f, 0, TABLE_AT, sizeof(*table), VRING_DESC_F_INDIRECT, 0);
	post(f, 0);
	assert_int_equal(ring_rx_burst(&f->ring, f->packets, PORT_BURST), 0);
	assert_int_equal(f->stats.drops[DROP_RING_INDIRECT], 1);
}

/* The ring's own table as the indirect one: nested without an end. */
static void rx_indirect_is_the_ring(void **state)
{
	struct fixture *f = *state;
	describe(f, 0, DESC_AT, SIZE * sizeof(*f->desc), VRING_DESC_F_INDIRECT, 0);
	post(f, 0);
	assert_int_equal(ring_rx_burst(&f->ring, f->packets, PORT_BURST), 0);
	ring_rx_done(&f->ring);
	assert_int_equal(f->stats.drops[DROP_RING_INDIRECT], 1);
	assert_int_equal(f->used->idx, 1);
}

/* A chain of `count` pieces in an indirect table: `first` bytes, then one byte each. */
static void post_pieces(struct fixture *f, uint32_t first, uint32_t count)
{
	struct vring_desc *table = (void *)(f->memory + TABLE_AT);
	for (uint32_t i = 0; i < count; i++)
		table[i] = (struct vring_desc){
			.addr = GUEST_BASE + DATA_AT + (i ? first + i - 1 : 0),
			.len = i ? 1 : first,
			.flags = i + 1 < count ? VRING_DESC_F_NEXT : 0,
			.next = (uint16_t)(i + 1),
		};
	describe(f, 0, TABLE_AT, count * (uint32_t)sizeof(*table), VRING_DESC_F_INDIRECT, 0);
	post(f, 0);
}

/* Ports have room for PACKET_SEGMENTS_MAX segments behind the head, and for no more. */
static void rx_pieces_fit_into_segments(void **state)
{
	struct fixture *f = *state;
	const uint32_t firsts[] = {HEADER, HEADER + 1, HEADER + 127, HEADER + 128, HEADER + 129};
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		for (uint32_t count = 250; count < 270; count++) {
			uint32_t length = firsts[i] - HEADER + count - 1;
			fill_frame(f, DATA_AT, length, 7);
			post_pieces(f, firsts[i], count);
			uint16_t frames = ring_rx_burst(&f->ring, f->packets, PORT_BURST);
			if (count <= PACKET_SEGMENTS_MAX)
				assert_int_equal(frames, 1);
			if (frames) {
				assert_in_range(
					f->packets[0].segment_count, 1, PACKET_SEGMENTS_MAX);
				check_frame(&f->packets[0], length, 7);
			}
			ring_rx_done(&f->ring);
		}
	}
	assert_true(f->stats.drops[DROP_RING_LENGTH] > 0);
	assert_false(f->ring.broken);
}

/* Descriptors without bytes are followed, but not for longer than others. */
static void descriptors_of_no_bytes(void **state)
{
	struct fixture *f = *state;
	struct vring_desc *table = (void *)(f->memory + TABLE_AT);
	uint8_t rest[2000];
	struct iovec segment;
	for (uint16_t i = 0; i < 300; i++)
		table[i] = (struct vring_desc){0, 0, VRING_DESC_F_NEXT, (uint16_t)(i + 1)};
	table[300] = (struct vring_desc){GUEST_BASE + DATA_AT, HEADER + 60, 0, 0};
	fill_frame(f, DATA_AT, 60, 1);
	table[0].next = 50;
	describe(f, 0, TABLE_AT, 301 * sizeof(*table), VRING_DESC_F_INDIRECT, 0);
	post(f, 0);
	assert_int_equal(ring_rx_burst(&f->ring, f->packets, PORT_BURST), 1);
	check_frame(&f->packets[0], 60, 1);
	ring_rx_done(&f->ring);

	table[0].next = 1;
	post(f, 0);
	assert_int_equal(ring_rx_burst(&f->ring, f->packets, PORT_BURST), 0);
	ring_rx_done(&f->ring);
	assert_int_equal(f->stats.drops[DROP_RING_LENGTH], 1);

	/* Receive buffers without bytes: as many are used up as a frame may have. */
	struct packet *p = outgoing(f, 100, 5, rest, &segment);
	describe(f, 2, DATA_AT, 0, VRING_DESC_F_WRITE, 0);
	describe(f, 3, DATA_AT, 300, VRING_DESC_F_WRITE, 0);
	post(f, 2);
	post(f, 3);
	assert_int_equal(ring_tx_burst(&f->ring, &p, 1), 1);
	ring_tx_flush(&f->ring);
	assert_int_equal(f->used->idx, 4);
	assert_int_equal(f->used->ring[2].len, 0);
	assert_int_equal(f->used->ring[3].len, HEADER + 100);
}

static void rx_avail_jumps(void **state)
{
	struct fixture *f = *state;
	f->avail->idx = SIZE + 1;
	assert_int_equal(ring_rx_burst(&f->ring, f->packets, PORT_BURST), 0);
	assert_true(f->ring.broken);
	assert_int_equal(f->stats.drops[DROP_RING_INDEX], 1);
	assert_int_equal(f->worker_stats.rings_broken, 1);
	assert_int_equal(ring_rx_burst(&f->ring, f->packets, PORT_BURST), 0);
	assert_int_equal(f->stats.drops[DROP_RING_INDEX], 1);
}

/* ---- to the guest */

static void tx_one_buffer(void **state)
{
	struct fixture *f = *state;
	uint8_t rest[2000];
	struct iovec segment;
	struct packet *p = outgoing(f, 1000, 3, rest, &segment);
	describe(f, 2, DATA_AT, 2048, VRING_DESC_F_WRITE, 0);
	post(f, 2);
	assert_int_equal(ring_tx_burst(&f->ring, &p, 1), 1);
	assert_int_equal(f->used->idx, 0);
	ring_tx_flush(&f->ring);
	assert_int_equal(f->used->idx, 1);
	assert_int_equal(f->used->ring[0].id, 2);
	assert_int_equal(f->used->ring[0].len, HEADER + 1000);
	assert_int_equal(f->memory[DATA_AT + 10], 1); /* num_buffers */
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(f->memory[DATA_AT + HEADER + i], (uint8_t)(i + 3));
	assert_int_equal(interrupts(f), 1);
}

static void tx_mergeable(void **state)
{
	struct fixture *f = *state;
	uint8_t rest[2000];
	struct iovec segment;
	struct packet *p = outgoing(f, 1000, 5, rest, &segment);
	/* 300, then 20 + 500 in a chain, then 300: 1,012 bytes need all three */
	describe(f, 0, DATA_AT, 300, VRING_DESC_F_WRITE, 0);
	describe(f, 1, DATA_AT + 0x1000, 20, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 2);
	describe(f, 2, DATA_AT + 0x2000, 500, VRING_DESC_F_WRITE, 0);
	describe(f, 3, DATA_AT + 0x3000, 300, VRING_DESC_F_WRITE, 0);
	post(f, 0);
	post(f, 1);
	assert_int_equal(ring_tx_burst(&f->ring, &p, 1), 0); /* too little room: nothing taken */
	ring_tx_flush(&f->ring);
	assert_int_equal(f->used->idx, 0);
	post(f, 3);
	assert_int_equal(ring_tx_burst(&f->ring, &p, 1), 1);
	ring_tx_flush(&f->ring);
	assert_int_equal(f->used->idx, 3);
	assert_int_equal(f->used->ring[0].len, 300);
	assert_int_equal(f->used->ring[1].len, 520);
	assert_int_equal(f->used->ring[2].len, HEADER + 1000 - 820);
	assert_int_equal(f->memory[DATA_AT + 10], 3);
	const uint32_t starts[] = {
		DATA_AT + HEADER, DATA_AT + 0x1000, DATA_AT + 0x2000, DATA_AT + 0x3000};
	const uint32_t lengths[] = {300 - HEADER, 20, 500, 192};
	uint32_t at = 0;
	for (int part = 0; part < 4; part++)
		for (uint32_t i = 0; i < lengths[part]; i++, at++)
			assert_int_equal(f->memory[starts[part] + i], (uint8_t)(at + 5));
	assert_int_equal(at, 1000);
}

static void tx_too_large(void **state)
{
	struct fixture *f = *state;
	uint8_t rest[2000];
	struct iovec segment;
	struct packet *p = outgoing(f, 1000, 5, rest, &segment);
	f->ring.mergeable = false;
	describe(f, 0, DATA_AT, 300, VRING_DESC_F_WRITE, 0);
	post(f, 0);
	assert_int_equal(ring_tx_burst(&f->ring, &p, 1), 1);
	assert_int_equal(f->stats.drops[DROP_TOO_LARGE], 1);
	/* the buffer is still there for a frame that fits */
	p = outgoing(f, 100, 5, rest, &segment);
	assert_int_equal(ring_tx_burst(&f->ring, &p, 1), 1);
	ring_tx_flush(&f->ring);
	assert_int_equal(f->used->idx, 1);
	assert_int_equal(f->stats.tx_packets, 1);
}

/* What is too large once is not looked at again, and hides nothing that fits. */
static void tx_too_large_in_a_burst(void **state)
{
	struct fixture *f = *state;
	uint8_t rest[2000];
	struct iovec segments[2];
	struct packet storage[2];
	storage[0] = *outgoing(f, 1000, 5, rest, &segments[0]);
	storage[1] = *outgoing(f, 100, 5, rest, &segments[1]);
	struct packet *large = &storage[0], *small = &storage[1];
	struct packet *const burst[] = {large, large, small, large, small};
	f->ring.mergeable = false;
	describe(f, 0, DATA_AT, 300, VRING_DESC_F_WRITE, 0);
	describe(f, 1, DATA_AT, 1000, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 2);
	describe(f, 2, DATA_AT + 4096, 1000, VRING_DESC_F_WRITE, 0);
	post(f, 0);
	post(f, 1);
	/* large, large: too large for the first buffer; small: into it; large: into the second. */
	assert_int_equal(ring_tx_burst(&f->ring, burst, 5), 4);
	assert_int_equal(f->stats.drops[DROP_TOO_LARGE], 2);
	assert_int_equal(f->stats.tx_packets, 2);
}

static void tx_bad_buffer_breaks(void **state)
{
	struct fixture *f = *state;
	uint8_t rest[2000];
	struct iovec segment;
	struct packet *p = outgoing(f, 100, 5, rest, &segment);
	describe(f, 0, DATA_AT, 300, 0, 0); /* readable, where writable is due */
	post(f, 0);
	assert_int_equal(ring_tx_burst(&f->ring, &p, 1), 1);
	assert_true(f->ring.broken);
	assert_int_equal(f->stats.drops[DROP_RING_DIRECTION], 1);
	assert_int_equal(f->used->idx, 0);
}

/* What follows a large frame is looked at before that frame is copied, whatever it is, and decided
 * only in its turn. */
static void tx_looks_ahead(void **state)
{
	static const struct {
		const char *name;
		uint16_t head;
		struct vring_desc desc;
		uint16_t taken; /* of three frames */
		uint16_t sent;
	} nexts[] = {
		{"as large", 1, {GUEST_BASE + DATA_AT + 4096, 1600, VRING_DESC_F_WRITE, 0}, 2, 2},
		{"not there", SIZE - 1, {0}, 1, 1},
		{"too small", 1, {GUEST_BASE + DATA_AT + 4096, 1000, VRING_DESC_F_WRITE, 0}, 1, 1},
		{"in two pieces", 1,
			{GUEST_BASE + DATA_AT + 4096, 100, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT,
				2},
			2, 2},
		{"outside", 1, {0x1000, 1600, VRING_DESC_F_WRITE, 0}, 3, 1},
		{"end beyond", 1, {GUEST_BASE + MEMORY_SIZE - 100, 1600, VRING_DESC_F_WRITE, 0}, 3,
			1},
		{"for reading", 1, {GUEST_BASE + DATA_AT + 4096, 1600, 0, 0}, 3, 1},
		{"head beyond", SIZE, {0}, 3, 1},
	};
	struct fixture *f = *state;
	uint8_t rest[2][2000];
	struct iovec segments[2];
	struct packet storage[2];
	storage[0] = *outgoing(f, 1500, 3, rest[0], &segments[0]);
	storage[1] = *outgoing(f, 1500, 8, rest[1], &segments[1]);
	struct packet *const burst[] = {&storage[0], &storage[1], &storage[0]};
	for (size_t i = 0; i < sizeof(nexts) / sizeof(nexts[0]); i++) {
		struct ring_config config = config_of(f);
		uint16_t used = f->used->idx = f->avail->idx;
		assert_int_equal(ring_init(&f->ring, &config), 0);
		f->stats = (struct port_stats){0};
		memset(f->memory + DATA_AT, 0, 4 * 4096);
		describe(f, 0, DATA_AT, 1600, VRING_DESC_F_WRITE, 0);
		describe(f, 2, DATA_AT + 8192, 1600, VRING_DESC_F_WRITE, 0);
		f->desc[1] = nexts[i].desc;
		f->desc[SIZE] = f->desc[2]; /* behind the table */
		post(f, 0);
		if (nexts[i].head != SIZE - 1)
			post(f, nexts[i].head);
		ring_tx_room(&f->ring); /* knows of them from here on */
		if (ring_tx_burst(&f->ring, burst, 3) != nexts[i].taken ||
			f->stats.tx_packets != nexts[i].sent ||
			f->ring.broken != (nexts[i].taken == 3))
			fail_msg("%s: not taken as it comes", nexts[i].name);
		ring_tx_flush(&f->ring);
		assert_int_equal((uint16_t)(f->used->idx - used), nexts[i].sent);
		assert_int_equal(f->used->ring[used % SIZE].id, 0);
		for (uint32_t at = 0; at < 1500; at++)
			assert_int_equal(f->memory[DATA_AT + HEADER + at], (uint8_t)(at + 3));
		for (uint32_t at = 0; at < 1500 && i == 0; at++)
			assert_int_equal(
				f->memory[DATA_AT + 4096 + HEADER + at], (uint8_t)(at + 8));
	}
}

/* ---- start and notifications */

static void init_checks(void **state)
{
	struct fixture *f = *state;
	struct ring ring;
	struct ring_config config = config_of(f);
	const uint32_t sizes[] = {0, 3, 65536};
	for (size_t i = 0; i < 3; i++) {
		config.size = sizes[i];
		assert_int_equal(ring_init(&ring, &config), -EINVAL);
	}
	config = config_of(f);
	config.desc = (void *)(f->memory + 8);
	assert_int_equal(ring_init(&ring, &config), -EINVAL);
	config = config_of(f);
	/* the used ring fits, its event word does not */
	config.used = (void *)(f->memory + MEMORY_SIZE - 4 - SIZE * 8);
	assert_int_equal(ring_init(&ring, &config), -EINVAL);
	config.used = (void *)(f->memory + MEMORY_SIZE - 4 - SIZE * 8 - 4);
	assert_int_equal(ring_init(&ring, &config), 0);
	config = config_of(f);
	config.avail = NULL;
	assert_int_equal(ring_init(&ring, &config), -EINVAL);
}

static void starts_at_used_idx(void **state)
{
	struct fixture *f = *state;
	f->avail->idx = 7;
	f->used->idx = 5;
	for (uint16_t i = 0; i < SIZE; i++) {
		describe(f, i, DATA_AT, HEADER + 60, 0, 0);
		f->avail->ring[i] = i;
	}
	struct ring_config config = config_of(f);
	assert_int_equal(ring_init(&f->ring, &config), 0);
	assert_int_equal(ring_rx_burst(&f->ring, f->packets, PORT_BURST), 2);
	ring_rx_done(&f->ring);
	assert_int_equal(f->used->idx, 7);
	assert_int_equal(f->used->ring[5].id, 5);
	assert_int_equal(f->used->ring[6].id, 6);
}

static void no_interrupt_flag(void **state)
{
	struct fixture *f = *state;
	f->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	describe(f, 0, DATA_AT, HEADER + 60, 0, 0);
	post(f, 0);
	ring_rx_burst(&f->ring, f->packets, PORT_BURST);
	ring_rx_done(&f->ring);
	assert_int_equal(f->used->idx, 1);
	assert_int_equal(interrupts(f), 0);
}

static void event_idx_interrupts(void **state)
{
	struct fixture *f = *state;
	f->ring.event_idx = true;
	f->avail->ring[SIZE] = 2; /* used_event: tell me when used.idx passes 2 */
	for (uint16_t i = 0; i < 4; i++) {
		describe(f, i, DATA_AT, HEADER + 60, 0, 0);
		post(f, i);
		ring_rx_burst(&f->ring, f->packets, PORT_BURST);
		ring_rx_done(&f->ring);
		assert_int_equal(interrupts(f), i == 2);
	}
}

static void arm_and_disarm(void **state)
{
	struct fixture *f = *state;
	__virtio16 *avail_event = (__virtio16 *)&f->used->ring[SIZE];
	assert_int_equal(f->used->flags, VRING_USED_F_NO_NOTIFY);
	assert_true(ring_arm(&f->ring));
	assert_int_equal(f->used->flags, 0);
	ring_disarm(&f->ring);
	assert_int_equal(f->used->flags, VRING_USED_F_NO_NOTIFY);
	describe(f, 0, DATA_AT, HEADER + 60, 0, 0);
	post(f, 0);
	assert_false(ring_arm(&f->ring)); /* work is there: keep polling */
	assert_int_equal(f->used->flags, VRING_USED_F_NO_NOTIFY);

	struct ring_config config = config_of(f);
	config.event_idx = true;
	assert_int_equal(ring_init(&f->ring, &config), 0);
	assert_int_equal(ring_rx_burst(&f->ring, f->packets, PORT_BURST), 1);
	ring_rx_done(&f->ring);
	assert_true(ring_arm(&f->ring));
	assert_int_equal(*avail_event, 1);
	ring_disarm(&f->ring);
	assert_int_not_equal(*avail_event, 1);
}

int main(void)
{
#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		RING_TEST(rx_one_descriptor),
		RING_TEST(rx_header_apart_and_in_pieces),
		RING_TEST(rx_indirect),
		RING_TEST(rx_across_regions),
		RING_TEST(rx_index_wraps),
		RING_TEST(rx_refusals),
		RING_TEST(rx_indirect_in_indirect),
		RING_TEST(rx_indirect_is_the_ring),
		RING_TEST(rx_pieces_fit_into_segments),
		RING_TEST(descriptors_of_no_bytes),
		RING_TEST(rx_avail_jumps),
		RING_TEST(tx_one_buffer),
		RING_TEST(tx_mergeable),
		RING_TEST(tx_too_large),
		RING_TEST(tx_too_large_in_a_burst),
		RING_TEST(tx_bad_buffer_breaks),
		RING_TEST(tx_looks_ahead),
		RING_TEST(init_checks),
		RING_TEST(starts_at_used_idx),
		RING_TEST(no_interrupt_flag),
		RING_TEST(event_idx_interrupts),
		RING_TEST(arm_and_disarm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
