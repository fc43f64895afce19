/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/frame.h"

#include "backend/slots.h"

static void all_are_different_and_come_back(void **state)
{
	struct slots *slots;
	struct slot *taken[SLOTS_COUNT];
	assert_int_equal(slots_new(&slots), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < SLOTS_COUNT; i++) {
			taken[i] = slots_take(slots);
			assert_non_null(taken[i]);
			assert_int_equal(taken[i]->packet.slot, 1 + (taken[i] - slots->slots));
			/* The whole buffer is its own: ASAN and the next line watch. */
			memset(taken[i]->buffer, i, PACKET_LENGTH_MAX);
		}
		assert_null(slots_take(slots));
		for (int i = 0; i < SLOTS_COUNT; i++) {
			assert_int_equal(taken[i]->buffer[0], i);
			assert_int_equal(taken[i]->buffer[PACKET_LENGTH_MAX - 1], i);
			slots_release(slots, &taken[i]->packet);
			assert_int_equal(slots->free_count, i + 1);
		}
	}
	slots_free(slots);
}

static void held_slots_are_not_given_out(void **state)
{
	struct slots *slots;
	assert_int_equal(slots_new(&slots), 0);
	struct slot *slot = slots_take(slots);
	slots_hold(slots, &slot->packet);
	slots_hold(slots, &slot->packet);
	slots_release(slots, &slot->packet);
	slots_release(slots, &slot->packet);
	for (int i = 0; i < SLOTS_COUNT - 1; i++)
		assert_ptr_not_equal(slots_take(slots), slot);
	assert_null(slots_take(slots));
	slots_release(slots, &slot->packet);
	assert_ptr_equal(slots_take(slots), slot);
	slots_free(slots);
}

static void free_takes_null(void **state)
{
	slots_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_different_and_come_back),
		cmocka_unit_test(held_slots_are_not_given_out),
		cmocka_unit_test(free_takes_null),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
