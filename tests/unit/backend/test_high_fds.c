/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/high_fds.h"

static void limit_descriptors(rlim_t most)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = most;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* The number of what is opened in between, and whether all others are as before. */
static int open_between(void)
{
	struct high_fds high;
	int before = dup(STDERR_FILENO), hole = dup(STDERR_FILENO);
	int behind = dup(STDERR_FILENO);

	close(hole);
	high_fds_begin(&high);
	int made = dup(STDERR_FILENO);
	high_fds_end(&high);
	high_fds_end(&high);
	assert_int_equal(fcntl(before, F_GETFD), 0);
	assert_int_equal(fcntl(behind, F_GETFD), 0);
	assert_int_equal(fcntl(made, F_GETFD), 0);
	for (int fd = behind + 1; fd < made; fd++)
		assert_int_equal(fcntl(fd, F_GETFD), -1);
	int again = dup(STDERR_FILENO);
	assert_int_equal(again, hole);
	close(again);
	close(before);
	close(behind);
	close(made);
	return made;
}

static void test_what_is_opened_between_is_high(void **state)
{
	limit_descriptors(4 * HIGH_FDS_FLOOR);
	assert_int_equal(open_between(), HIGH_FDS_FLOOR);
}

static void test_half_of_a_low_limit(void **state)
{
	limit_descriptors(256);
	assert_int_equal(open_between(), 128);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_opened_between_is_high),
		cmocka_unit_test(test_half_of_a_low_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
