/* SPDX-License-Identifier: BSD-3-Clause */
/* What one burst of a guest may cost the others: test_ring.c has what comes out of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/ring.h"

#define MEMORY_SIZE (1u << 20)
#define SIZE 512
#define AVAIL_AT 0x4000
#define USED_AT 0x5000
#define TABLE_AT 0x8000
#define DATA_AT 0x20000
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
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	if (!f || posix_memalign((void **)&f->memory, 4096, MEMORY_SIZE))
		return -1;
	memset(f->memory, 0, MEMORY_SIZE);
	f->regions = (struct guest_memory){.count = 1, .regions = {{0, MEMORY_SIZE, f->memory}}};
	f->desc = (void *)f->memory;
	f->avail = (void *)(f->memory + AVAIL_AT);
	f->used = (void *)(f->memory + USED_AT);
	const struct ring_config config = {
		.desc = f->desc,
		.avail = f->avail,
		.used = f->used,
		.memory = &f->regions,
		.size = SIZE,
		.version_1 = true,
		.call_fd = -1,
		.kick_fd = -1,
		.stats = &f->stats,
		.worker_stats = &f->worker_stats,
	};
	*state = f;
	return ring_init(&f->ring, &config);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	free(f->memory);
	free(f);
	return 0;
}

/* Makes the heads 0 to `count` - 1 available. */
static void post(struct fixture *f, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++)
		f->avail->ring[f->avail->idx++ % SIZE] = i;
}

/* One burst; *ret_frames of its chains were frames. Returns how many chains were given back. */
static uint16_t turn(struct fixture *f, uint16_t *ret_frames)
{
	uint16_t used = f->used->idx;
	*ret_frames = ring_rx_burst(&f->ring, f->packets, PORT_BURST);
	ring_rx_done(&f->ring);
	return (uint16_t)(f->used->idx - used);
}

static void post_frames(struct fixture *f, uint32_t length)
{
	for (uint16_t i = 0; i < PORT_BURST; i++)
		f->desc[i] = (struct vring_desc){DATA_AT, HEADER + length, 0, 0};
	post(f, PORT_BURST);
}

static void ordinary_frames_fill_a_burst(void **state)
{
	struct fixture *f = *state;
	uint16_t frames;

	post_frames(f, 1514);
	assert_int_equal(turn(f, &frames), PORT_BURST);
	assert_int_equal(frames, PORT_BURST);
}

static void the_largest_frames_end_a_burst(void **state)
{
	struct fixture *f = *state;
	const uint32_t length = PACKET_LENGTH_MAX;
	const uint16_t most = RING_BURST_BYTES / length + 1;
	uint16_t frames, all = 0;

	post_frames(f, length);
	for (int turns = 0; all < PORT_BURST && turns < PORT_BURST; turns++) {
		assert_in_range(turn(f, &frames), 1, most);
		all += frames;
	}
	assert_int_equal(all, PORT_BURST);
}

static void chains_that_name_too_much_end_a_burst(void **state)
{
	struct fixture *f = *state;
	uint16_t frames;

	post_frames(f, MEMORY_SIZE - DATA_AT - HEADER);
	assert_int_equal(turn(f, &frames), 1);
	assert_int_equal(frames, 0);
	assert_int_equal(f->stats.drops[DROP_RING_LENGTH], 1);
}

/* Every head begins a chain of as many descriptors as there are. */
static void link_all(struct vring_desc *table, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++)
		table[i] = (struct vring_desc){
			DATA_AT, 1, VRING_DESC_F_NEXT, (uint16_t)((i + 1) % count)};
}

static void check_steps(struct fixture *f)
{
	/* Each refusal follows RING_CHAIN_MAX descriptors, and the one behind; a table is one. */
	const uint16_t most = RING_BURST_STEPS / RING_CHAIN_MAX + 1;
	uint16_t frames, all = 0;

	for (int turns = 0; all < PORT_BURST && turns < PORT_BURST; turns++) {
		uint16_t given = turn(f, &frames);
		assert_in_range(given, 1, most);
		assert_int_equal(frames, 0);
		all += given;
	}
	assert_int_equal(f->stats.drops[DROP_RING_LENGTH], PORT_BURST);
}

static void refused_chains_end_a_burst(void **state)
{
	struct fixture *f = *state;

	link_all(f->desc, SIZE);
	post(f, PORT_BURST);
	check_steps(f);
}

static void refused_tables_end_a_burst(void **state)
{
	struct fixture *f = *state;

	link_all((void *)(f->memory + TABLE_AT), SIZE);
	for (uint16_t i = 0; i < PORT_BURST; i++)
		f->desc[i] = (struct vring_desc){
			TABLE_AT, SIZE * sizeof(struct vring_desc), VRING_DESC_F_INDIRECT, 0};
	post(f, PORT_BURST);
	check_steps(f);
}

static void cheap_refusals_fill_a_burst(void **state)
{
	struct fixture *f = *state;
	uint16_t frames;

	for (uint16_t i = 0; i < PORT_BURST; i++)
		f->desc[i] = (struct vring_desc){MEMORY_SIZE, 100, 0, 0};
	post(f, PORT_BURST);
	assert_int_equal(turn(f, &frames), PORT_BURST);
	assert_int_equal(f->stats.drops[DROP_RING_ADDRESS], PORT_BURST);
}

#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_TEST(ordinary_frames_fill_a_burst),
		RING_TEST(the_largest_frames_end_a_burst),
		RING_TEST(chains_that_name_too_much_end_a_burst),
		RING_TEST(refused_chains_end_a_burst),
		RING_TEST(refused_tables_end_a_burst),
		RING_TEST(cheap_refusals_fill_a_burst),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
