/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/tcp_islands.h"

#include "tests/unit/probe/datagram.h"

#define BASE 0xfffffff0U /* so that numbers wrap */

static struct tcp_islands islands;

static bool add(uint32_t begin, uint32_t end)
{
	return tcp_islands_add(&islands, BASE + begin, BASE + end);
}

static uint32_t reach(uint32_t expected)
{
	return tcp_islands_reach(&islands, BASE + expected) - BASE;
}

static void test_a_hole_that_is_filled_joins_what_lies_behind(void **state)
{
	islands = (struct tcp_islands){0};
	assert_int_equal(reach(10), 10);
	assert_true(add(40, 50));
	assert_true(add(20, 30));
	assert_int_equal(reach(10), 10);
	assert_int_equal(reach(20), 30);
	assert_int_equal(reach(45), 50);
	/* They are forgotten. */
	assert_int_equal(reach(20), 20);
}

static void test_what_touches_becomes_one(void **state)
{
	islands = (struct tcp_islands){0};
	assert_true(add(20, 30));
	assert_true(add(40, 50));
	assert_true(add(60, 70));
	assert_true(add(25, 60));
	assert_int_equal(reach(20), 70);
	for (uint32_t i = 0; i < TCP_ISLANDS; i++)
		assert_int_equal(islands.all[i].begin, islands.all[i].end);
}

static void test_there_is_room_for_so_many(void **state)
{
	islands = (struct tcp_islands){0};
	for (uint32_t i = 0; i < TCP_ISLANDS; i++)
		assert_true(add(100 * i + 10, 100 * i + 20));
	assert_false(add(2000, 2010));
	/* One that grows needs none. */
	assert_true(add(115, 190));
	assert_int_equal(reach(110), 190);
	assert_true(add(2000, 2010));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_hole_that_is_filled_joins_what_lies_behind),
		cmocka_unit_test(test_what_touches_becomes_one),
		cmocka_unit_test(test_there_is_room_for_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
