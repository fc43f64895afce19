/* SPDX-License-Identifier: BSD-3-Clause */
/* Chains that name memory that is not there, or not theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/hostile_chain.h"

static void address_outside(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->end, 100, s->right, 0);
}

static void address_nowhere(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], UINT64_C(0xffff00000000), 100, s->right, 0);
}

static void address_at_the_edge(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->end - 50, 100, s->right, 0);
}

static void address_that_wraps(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], UINT64_MAX - 31, 100, s->right, 0);
}

static void length_that_overflows(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->area, UINT32_MAX, s->right, 0);
}

static void second_address_outside(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->area, 12, s->right | VRING_DESC_F_NEXT, 1);
	hostile_put(&s->desc[1], s->end + 4096, 100, s->right, 0);
}

static void table_outside(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->end, 32, VRING_DESC_F_INDIRECT, 0);
}

static void table_cut_off_by_the_end(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->end - 16, 32, VRING_DESC_F_INDIRECT, 0);
}

static void table_of_four_gigabytes(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->table_guest, UINT32_MAX & ~15u, VRING_DESC_F_INDIRECT, 0);
}

static void table_with_an_address_outside(const struct hostile_stage *s)
{
	hostile_put(&s->table[0], s->end, 100, s->right, 0);
	hostile_put(&s->desc[0], s->table_guest, 16, VRING_DESC_F_INDIRECT, 0);
}

static void buffers_that_overlap(const struct hostile_stage *s)
{
	/* Each byte is in two pieces; the sum is the guest's business, and garbage. */
	hostile_put(&s->desc[0], s->area, 64, s->right | VRING_DESC_F_NEXT, 1);
	hostile_put(&s->desc[1], s->area + 32, 64, s->right | VRING_DESC_F_NEXT, 2);
	hostile_put(&s->desc[2], s->area, 96, s->right, 0);
}

static void buffer_that_is_the_descriptors(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->queue->desc_guest, 1024, s->right, 0);
}

static void buffer_that_is_the_used_ring(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], s->queue->used_guest, 1024, s->right, 0);
}

/* Guest 0 has four regions with nothing between them; the lie begins in the first. */
static void seam(void **state)
{
	const struct hostile_case *c = *state;
	struct hostile_case beyond = *c;
	void *inner = &beyond;

	hostile_plug_regions(4);
	beyond.plugged = false;
	hostile_run(&inner);
}

static void chain_over_all_regions_and_beyond(const struct hostile_stage *s)
{
	uint64_t size = hostile_port()->ram.regions[0].size;

	hostile_put(&s->desc[0], s->area, 12, s->right | VRING_DESC_F_NEXT, 1);
	hostile_put(&s->desc[1], size - 10, 20, s->right | VRING_DESC_F_NEXT, 2);
	hostile_put(&s->desc[2], s->end - size, (uint32_t)size + 1, s->right, 0);
}

static void table_over_a_seam(const struct hostile_stage *s)
{
	hostile_put(&s->desc[0], hostile_port()->ram.regions[0].size - 16, 32,
		VRING_DESC_F_INDIRECT, 0);
}

static void frame_over_four_regions(const struct hostile_stage *s)
{
	uint64_t size = hostile_port()->ram.regions[0].size;

	hostile_put(&s->desc[0], size - 8, (uint32_t)(2 * size) + 16, s->right, 0);
}

#define SEAM(function, queue, reason)                                        \
	{                                                                    \
#function "_" #queue, seam, hostile_setup, hostile_teardown, \
			(void *)(uintptr_t) & (const struct hostile_case)    \
		{                                                            \
			.name = #function, .act = hostile_chain_##queue,     \
			.context = &(const struct hostile_chain){function},  \
			.counter = "port.0.drop." reason, .count = 1         \
		}                                                            \
	}

static const struct CMUnitTest tests[] = {
	HOSTILE_TO_BOTH(address_outside, "ring_address"),
	HOSTILE_TO_BOTH(address_nowhere, "ring_address"),
	HOSTILE_TO_BOTH(address_at_the_edge, "ring_address"),
	HOSTILE_TO_BOTH(address_that_wraps, "ring_address"),
	HOSTILE_TO_BOTH(length_that_overflows, "ring_address"),
	HOSTILE_TO_BOTH(second_address_outside, "ring_address"),
	HOSTILE_TO_BOTH(table_outside, "ring_indirect"),
	HOSTILE_TO_BOTH(table_cut_off_by_the_end, "ring_indirect"),
	HOSTILE_TO_BOTH(table_of_four_gigabytes, "ring_indirect"),
	HOSTILE_TO_BOTH(table_with_an_address_outside, "ring_address"),
	HOSTILE_TO_SEND(buffers_that_overlap, "spoofed_mac"),
	HOSTILE_TO_SEND(buffer_that_is_the_descriptors, "vnet_header"),
	HOSTILE_TO_SEND(buffer_that_is_the_used_ring, "spoofed_mac"),
	SEAM(chain_over_all_regions_and_beyond, to_send, "ring_address"),
	SEAM(chain_over_all_regions_and_beyond, to_receive, "ring_address"),
	SEAM(table_over_a_seam, to_send, "ring_indirect"),
	SEAM(table_over_a_seam, to_receive, "ring_indirect"),
	SEAM(frame_over_four_regions, to_send, "ring_length"),
};

HOSTILE_MAIN(tests)
