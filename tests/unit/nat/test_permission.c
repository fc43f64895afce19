/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include "nat/permission.h"

static void counted(void **state)
{
	struct permission_table table;
	uint32_t p;

	assert_int_equal(permission_table_init(&table, 100, 7), 0);
	assert_false(permission_exists(&table, 1, 2));
	p = permission_add(&table, 1, 2);
	assert_int_equal(permission_add(&table, 1, 2), p);
	assert_int_not_equal(permission_add(&table, 2, 2), p);
	assert_int_not_equal(permission_add(&table, 1, 3), p);
	permission_drop(&table, p);
	assert_true(permission_exists(&table, 1, 2));
	permission_drop(&table, p);
	assert_false(permission_exists(&table, 1, 2));
	assert_true(permission_exists(&table, 2, 2));
	assert_true(permission_exists(&table, 1, 3));
	permission_drop(&table, PERMISSION_NONE);
	permission_table_fini(&table);
}

static void full_and_again(void **state)
{
	struct permission_table table;
	uint32_t records[100];

	assert_int_equal(permission_table_init(&table, 100, 7), 0);
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 100; i++)
			records[i] = permission_add(&table, i % 10, i);
		for (uint32_t n = 0; n < 100; n++) {
			uint32_t i = n * 37 % 100;

			assert_true(permission_exists(&table, i % 10, i));
			permission_drop(&table, records[i]);
			assert_false(permission_exists(&table, i % 10, i));
		}
	}
	assert_int_equal(table.high, 100);
	permission_table_fini(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counted),
		cmocka_unit_test(full_and_again),
	};

	return cmocka_run_group_tests_name("permission", tests, NULL, NULL);
}
