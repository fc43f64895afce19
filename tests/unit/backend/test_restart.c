/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backend/restart.h"

#define SECOND_NS 1000000000ULL

static void test_a_burst_of_deaths(void **state)
{
	struct restart restart = {.count = 0};

	for (int i = 0; i < RESTART_DEATHS; i++)
		assert_true(restart_after_death(&restart, SECOND_NS + (uint64_t)i));
	assert_false(restart_after_death(&restart, SECOND_NS + RESTART_DEATHS));
}

static void test_the_window(void **state)
{
	struct restart at_its_end = {.count = 0}, behind_it = {.count = 0};

	for (int i = 0; i < RESTART_DEATHS; i++) {
		assert_true(restart_after_death(&at_its_end, SECOND_NS));
		assert_true(restart_after_death(&behind_it, SECOND_NS));
	}
	assert_false(restart_after_death(&at_its_end, SECOND_NS + RESTART_WINDOW_NS));
	assert_true(restart_after_death(&behind_it, SECOND_NS + RESTART_WINDOW_NS + 1));
}

static void test_slow_deaths_go_on(void **state)
{
	struct restart restart = {.count = 0};

	/* One each 1.1 s: never more than ten in ten seconds. */
	for (uint64_t i = 0; i < 1000; i++)
		assert_true(restart_after_death(&restart, i * 11 * SECOND_NS / 10));
	/* The last ten took 9.9 s; one more right now is the eleventh within ten. */
	assert_false(restart_after_death(&restart, 999 * 11 * SECOND_NS / 10));
}

static void test_ready_forgets(void **state)
{
	struct restart restart = {.count = 0};

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < RESTART_DEATHS; i++)
			assert_true(restart_after_death(&restart, SECOND_NS));
		restart_forget(&restart);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_of_deaths),
		cmocka_unit_test(test_the_window),
		cmocka_unit_test(test_slow_deaths_go_on),
		cmocka_unit_test(test_ready_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
