/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chains whose shape is wrong: loops, lengths, directions, indirect tables. A loop is seen as one
 * when it is longer than its table; in a large table it has more pieces than a chain may have
 * before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/hostile_chain.h"

static void loop_of_one(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->area, 1, s->right | VRING_DESC_F_NEXT, 0);
}

static void loop_of_two(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->area, 0, s->right | VRING_DESC_F_NEXT, 1);
	hostile_put(&s->desc[1], s->area, 0, s->right | VRING_DESC_F_NEXT, 0);
}

static void chain_through_the_whole_ring(const struct hostile_stage *s)
{
	for (uint16_t i = 0; i < HOSTILE_QUEUE_SIZE; i++)
		hostile_put(&s->desc[i], s->area, 1, s->right | VRING_DESC_F_NEXT,
			(i + 1) % HOSTILE_QUEUE_SIZE);
}

static void more_pieces_than_a_chain_may_have(const struct hostile_stage *s)
{
	for (uint16_t i = 0; i < 300; i++)
		hostile_put(&s->desc[i], s->area + i, 1,
			s->right | (i < 299 ? VRING_DESC_F_NEXT : 0), i + 1);
}

static void next_beyond_the_ring(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->area, 12, s->right | VRING_DESC_F_NEXT, HOSTILE_QUEUE_SIZE);
}

static void next_far_beyond_the_ring(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->area, 12, s->right | VRING_DESC_F_NEXT, UINT16_MAX);
}

static void wrong_direction(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->area, 100, s->wrong, 0);
}

static void wrong_direction_behind(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->area, 12, s->right | VRING_DESC_F_NEXT, 1);
	hostile_put(&s->desc[1], s->area, 100, s->wrong, 0);
}

static void table_without_entries(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->table_guest, 0, VRING_DESC_F_INDIRECT, 0);
}

static void table_of_half_an_entry(const struct hostile_stage *s)
{
	hostile_put(&s->table[0], s->area, 100, s->right, 0);
	hostile_put(&s->desc[0], s->table_guest, 24, VRING_DESC_F_INDIRECT, 0);
}

static void table_with_a_successor(const struct hostile_stage *s)
{
	hostile_put(&s->table[0], s->area, 100, s->right, 0);
	hostile_put(&s->desc[0], s->table_guest, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1);
	hostile_put(&s->desc[1], s->area, 100, s->right, 0);
}

static void table_in_a_table(const struct hostile_stage *s)
{
	hostile_put(&s->table[0], s->table_guest + 16, 16, VRING_DESC_F_INDIRECT, 0);
	hostile_put(&s->table[1], s->area, 100, s->right, 0);
	hostile_put(&s->desc[0], s->table_guest, 16, VRING_DESC_F_INDIRECT, 0);
}

static void table_that_is_the_ring(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->queue->desc_guest, HOSTILE_QUEUE_SIZE * 16,
		VRING_DESC_F_INDIRECT, 0);
}

static void table_with_a_loop(const struct hostile_stage *s)
{
	hostile_put(&s->table[0], s->area, 1, s->right | VRING_DESC_F_NEXT, 1);
	hostile_put(&s->table[1], s->area, 1, s->right | VRING_DESC_F_NEXT, 0);
	hostile_put(&s->desc[0], s->table_guest, 32, VRING_DESC_F_INDIRECT, 0);
}

static void table_with_next_beyond_it(const struct hostile_stage *s)
{
	hostile_put(&s->table[0], s->area, 12, s->right | VRING_DESC_F_NEXT, 2);
	hostile_put(&s->table[2], s->area, 100, s->right, 0);
	hostile_put(&s->desc[0], s->table_guest, 32, VRING_DESC_F_INDIRECT, 0);
}

static void table_with_the_wrong_direction(const struct hostile_stage *s)
{
	hostile_put(&s->table[0], s->area, 100, s->wrong, 0);
	hostile_put(&s->desc[0], s->table_guest, 16, VRING_DESC_F_INDIRECT, 0);
}

static void table_longer_than_a_chain_may_be(const struct hostile_stage *s)
{
	for (uint16_t i = 0; i < HOSTILE_TABLE_ENTRIES; i++)
		hostile_put(&s->table[i], s->area + i, 1,
			s->right | (i + 1 < HOSTILE_TABLE_ENTRIES ? VRING_DESC_F_NEXT : 0), i + 1);
	hostile_put(
		&s->desc[0], s->table_guest, HOSTILE_TABLE_ENTRIES * 16, VRING_DESC_F_INDIRECT, 0);
}

static void no_bytes(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->area, 0, s->right, 0);
}

static void header_cut_short(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->area, 11, s->right, 0);
}

static void header_without_a_frame(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->area, 12, s->right, 0);
}

static void frame_shorter_than_its_header(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->area, 12 + 13, s->right, 0);
}

static void frame_longer_than_any(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->area, 12 + 65535 + 19, s->right, 0);
}

static void pieces_that_add_up_beyond_32_bits(const struct hostile_stage *s)
{
	for (uint16_t i = 0; i < 250; i++)
		hostile_put(&s->desc[i], s->area, HOSTILE_AREA_SIZE,
			s->right | (i < 249 ? VRING_DESC_F_NEXT : 0), i + 1);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TO_BOTH(loop_of_one, "ring_length"),
	HOSTILE_TO_BOTH(loop_of_two, "ring_length"),
	HOSTILE_TO_BOTH(chain_through_the_whole_ring, "ring_length"),
	HOSTILE_TO_BOTH(more_pieces_than_a_chain_may_have, "ring_length"),
	HOSTILE_TO_BOTH(next_beyond_the_ring, "ring_index"),
	HOSTILE_TO_BOTH(next_far_beyond_the_ring, "ring_index"),
	HOSTILE_TO_BOTH(wrong_direction, "ring_direction"),
	HOSTILE_TO_BOTH(wrong_direction_behind, "ring_direction"),
	HOSTILE_TO_BOTH(table_without_entries, "ring_indirect"),
	HOSTILE_TO_BOTH(table_of_half_an_entry, "ring_indirect"),
	HOSTILE_TO_BOTH(table_with_a_successor, "ring_indirect"),
	HOSTILE_TO_BOTH(table_in_a_table, "ring_indirect"),
	HOSTILE_TO_BOTH(table_that_is_the_ring, "ring_indirect"),
	HOSTILE_TO_BOTH(table_with_a_loop, "ring_loop"),
	HOSTILE_TO_BOTH(table_with_next_beyond_it, "ring_index"),
	HOSTILE_TO_BOTH(table_with_the_wrong_direction, "ring_direction"),
	HOSTILE_TO_BOTH(table_longer_than_a_chain_may_be, "ring_length"),
	HOSTILE_TO_SEND(no_bytes, "ring_length"),
	HOSTILE_TO_SEND(header_cut_short, "ring_length"),
	HOSTILE_TO_SEND(header_without_a_frame, "ring_length"),
	HOSTILE_TO_SEND(frame_shorter_than_its_header, "ring_length"),
	HOSTILE_TO_SEND(frame_longer_than_any, "ring_length"),
	HOSTILE_TO_SEND(pieces_that_add_up_beyond_32_bits, "ring_length"),
};

HOSTILE_MAIN(tests)
