/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/number.h"

static void digits_and_nothing_else(void **state)
{
	static const char *const bad[] = {
		"", "9", "101", "+50", "-50", " 50", "50 ", "0x32", "5o", "18446744073709551666"};
	uint32_t number = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(number_read(bad[i], 10, 100, &number), -EINVAL);
		assert_int_equal(number, 7);
	}
}

static void both_ends_are_included(void **state)
{
	uint32_t number = 7;

	assert_int_equal(number_read("10", 10, 100, &number), 0);
	assert_int_equal(number, 10);
	assert_int_equal(number_read("0100", 10, 100, &number), 0);
	assert_int_equal(number, 100);
	assert_int_equal(number_read("0", 0, 0, &number), 0);
	assert_int_equal(number, 0);
	assert_int_equal(number_read("4294967295", 0, UINT32_MAX, &number), 0);
	assert_int_equal(number, UINT32_MAX);
	assert_int_equal(number_read("4294967296", 0, UINT32_MAX, &number), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digits_and_nothing_else),
		cmocka_unit_test(both_ends_are_included),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
