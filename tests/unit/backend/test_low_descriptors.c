/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/low_descriptors.h"

static struct low_descriptors low;

static int new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

static void connections_get_lower_numbers(void **state)
{
	int listener, connections[20];

	low_descriptors_hold(&low, STDERR_FILENO, 20);
	assert_int_equal(low.count, 20);
	listener = new_socket();
	low_descriptors_let_go(&low);
	for (int i = 0; i < 20; i++) {
		connections[i] = new_socket();
		assert_true(connections[i] < listener);
	}
	for (int i = 0; i < 20; i++)
		close(connections[i]);
	close(listener);
}

static void everything_is_given_back(void **state)
{
	int before = new_socket(), after;

	close(before);
	low_descriptors_hold(&low, STDERR_FILENO, 100);
	assert_true(fcntl(before, F_GETFD) >= 0);
	low_descriptors_let_go(&low);
	assert_int_equal(fcntl(before, F_GETFD), -1);
	after = new_socket();
	assert_int_equal(after, before);
	close(after);
}

/* How many descriptors the kernel's table of this process has room for. */
static unsigned int table_size(void)
{
	char line[128];
	unsigned int size = 0;
	FILE *status = fopen("/proc/self/status", "re");

	assert_non_null(status);
	while (!size && fgets(line, sizeof(line), status))
		sscanf(line, "FDSize: %u", &size);
	fclose(status);
	return size;
}

/* The first of all: a table never shrinks. */
static void table_grows_at_once(void **state)
{
	int before = new_socket(), after;

	close(before);
	assert_in_range(table_size(), 1, LOW_DESCRIPTORS_MAX);
	low_descriptors_reserve(STDERR_FILENO);
	assert_in_range(table_size(), LOW_DESCRIPTORS_MAX + 1, UINT32_MAX);
	after = new_socket();
	assert_int_equal(after, before);
	close(after);
}

/* Fewer than asked for is no reason to fail. */
static void limits(void **state)
{
	struct rlimit limit, tight;

	low_descriptors_hold(&low, -1, 10);
	assert_int_equal(low.count, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	tight = (struct rlimit){.rlim_cur = 30, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	low_descriptors_hold(&low, STDERR_FILENO, LOW_DESCRIPTORS_MAX + 1);
	assert_in_range(low.count, 5, 15);
	close(new_socket());
	low_descriptors_let_go(&low);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_grows_at_once),
		cmocka_unit_test(connections_get_lower_numbers),
		cmocka_unit_test(everything_is_given_back),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests_name("low_descriptors", tests, NULL, NULL);
}
