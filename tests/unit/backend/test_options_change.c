/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include "backend/options_change.h"
#include "tests/unit/backend/options_case.h"

static struct options options;
static char error[OPTIONS_ERROR_CAPACITY];

static int setup(void **state)
{
	static const char *const arguments[] = {
		"--socket=/run/a", "--socket=/run/b,mac=52:54:00:00:00:01,ip=172.16.0.9", NULL};

	options_clear_environment();
	options = options_good(arguments);
	error[0] = 0;
	return 0;
}

static unsigned int add(const char *spec)
{
	unsigned int index = OPTIONS_SOCKETS_MAX;

	if (options_change_add_socket(&options, spec, &index, error, sizeof(error)))
		fail_msg("%s: %s", spec, error);
	assert_true(options_change_has_socket(&options, index));
	return index;
}

static void test_the_first_free_place(void **state)
{
	assert_int_equal(add("/run/c"), 2);
	options_change_remove_socket(&options, 0);
	assert_false(options_change_has_socket(&options, 0));
	assert_int_equal(options.socket_count, 3);
	assert_int_equal(add("/run/d,hostname=Web"), 0);
	assert_string_equal(options.sockets[0].path, "/run/d");
	assert_string_equal(options.sockets[0].hostname, "web");
	assert_int_equal(add("/run/e"), 3);
}

/* Numbers that are free at the end are given up, those before them too. */
static void test_the_last_one_goes(void **state)
{
	add("/run/c");
	options_change_remove_socket(&options, 1);
	assert_int_equal(options.socket_count, 3);
	options_change_remove_socket(&options, 2);
	assert_int_equal(options.socket_count, 1);
	options_change_remove_socket(&options, 0);
	assert_int_equal(options.socket_count, 0);
	assert_int_equal(add("/run/a"), 0);
}

static void test_what_is_wrong_changes_nothing(void **state)
{
	static const char *const specs[] = {"", "/run/", "/run/a", "/run/x,mac=zebra",
		"/run/x,mac=52:54:00:00:00:01", "/run/x,ip=172.16.0.9", "/run/x,ip=10.0.0.1",
		"/run/x,ip=172.16.0.1", "/run/x,mac=52:54:00:00:00:02,mac=52:54:00:00:00:03",
		"/run/x,what=ever", "/run/x,hostname=host", "/run/x,hostname=-"};
	char long_path[OPTIONS_PATH_CAPACITY + 1];
	struct options before = options;
	unsigned int index = 77;

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		assert_int_equal(
			options_change_add_socket(&options, specs[i], &index, error, sizeof(error)),
			-EINVAL);
		assert_string_not_equal(error, "");
		error[0] = 0;
	}
	memset(long_path, '/', OPTIONS_PATH_CAPACITY);
	strcpy(long_path + OPTIONS_PATH_CAPACITY - 1, "a");
	assert_int_equal(
		options_change_add_socket(&options, long_path, &index, error, sizeof(error)),
		-EINVAL);
	assert_memory_equal(&options, &before, sizeof(options));
	assert_int_equal(index, 77);
}

static void test_all_places_taken(void **state)
{
	char spec[32];
	unsigned int index = 77;

	for (unsigned int i = 2; i < OPTIONS_SOCKETS_MAX; i++) {
		snprintf(spec, sizeof(spec), "/run/more%u", i);
		assert_int_equal(add(spec), i);
	}
	assert_int_equal(
		options_change_add_socket(&options, "/run/c", &index, error, sizeof(error)),
		-EINVAL);
	assert_string_equal(error, "port: is one socket too many: a network has up to 64");
	assert_int_equal(options.socket_count, OPTIONS_SOCKETS_MAX);
}

static void test_numbers_of_no_port(void **state)
{
	assert_false(options_change_has_socket(&options, 2));
	assert_false(options_change_has_socket(&options, OPTIONS_SOCKETS_MAX));
	assert_false(options_change_has_socket(&options, UINT32_MAX));
}

static void add_forward(const char *spec)
{
	if (options_change_add_forward(&options, spec, error, sizeof(error)))
		fail_msg("%s: %s", spec, error);
}

static void test_forwards(void **state)
{
	static const char *const specs[] = {"tcp:80=172.16.0.2:8080",
		"udp:10.0.0.1:53-60=172.16.0.2:1053-1060", "tcp:443=172.16.0.3:443"};
	char text[OPTIONS_FORWARD_TEXT];
	unsigned int index = 77;

	for (unsigned int i = 0; i < 3; i++) {
		add_forward(specs[i]);
		options_show_forward(&options.forwards[i], text);
		assert_string_equal(text, specs[i]);
	}
	assert_int_equal(
		options_change_find_forward(&options, specs[1], &index, error, sizeof(error)), 0);
	assert_int_equal(index, 1);
	options_change_remove_forward(&options, 1);
	assert_int_equal(options.forward_count, 2);
	options_show_forward(&options.forwards[1], text);
	assert_string_equal(text, specs[2]);
	index = 77;
	assert_int_equal(
		options_change_find_forward(&options, specs[1], &index, error, sizeof(error)),
		-ENOENT);
	/* Each part of it counts. */
	assert_int_equal(options_change_find_forward(
				 &options, "udp:80=172.16.0.2:8080", &index, error, sizeof(error)),
		-ENOENT);
	assert_int_equal(options_change_find_forward(&options, "tcp:80-81=172.16.0.2:8080-8081",
				 &index, error, sizeof(error)),
		-ENOENT);
	assert_int_equal(
		options_change_find_forward(&options, "zebra", &index, error, sizeof(error)),
		-EINVAL);
	assert_int_equal(index, 77);
}

static void test_wrong_forwards_change_nothing(void **state)
{
	static const char *const specs[] = {"", ":", "=", "tcp",
		"tcp:=:", "tcp:80=", "tcp:80=172.16.0.2", "tcp:0=172.16.0.2:1",
		"tcp:65536=172.16.0.2:1", "tcp:1-65535=172.16.0.2:2-65536",
		"tcp:9-8=172.16.0.2:9-8", "tcp:80=172.16.0.3:81", "tcp:70-90=172.16.0.2:70-90",
		"icmp:1=172.16.0.2:1", "tcp:81=10.0.0.1:80", "tcp:81=172.16.0.1:80",
		"tcp:81=172.16.0.255:80"};

	add_forward("tcp:80=172.16.0.2:80");
	struct options before = options;
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		if (options_change_add_forward(&options, specs[i], error, sizeof(error)) != -EINVAL)
			fail_msg("'%s' is taken", specs[i]);
	}
	assert_memory_equal(&options, &before, sizeof(options));
}

static void test_all_forwards_taken(void **state)
{
	char spec[64];

	for (unsigned int i = 0; i < OPTIONS_FORWARDS_MAX; i++) {
		snprintf(spec, sizeof(spec), "tcp:%u=172.16.0.2:%u", 1000 + i, 1000 + i);
		add_forward(spec);
	}
	assert_int_equal(
		options_change_add_forward(&options, "udp:1=172.16.0.2:1", error, sizeof(error)),
		-EINVAL);
	assert_int_equal(options.forward_count, OPTIONS_FORWARDS_MAX);
	/* The last one moves nothing. */
	options_change_remove_forward(&options, OPTIONS_FORWARDS_MAX - 1);
	add_forward("udp:1=172.16.0.2:1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_the_first_free_place, setup),
		cmocka_unit_test_setup(test_the_last_one_goes, setup),
		cmocka_unit_test_setup(test_what_is_wrong_changes_nothing, setup),
		cmocka_unit_test_setup(test_all_places_taken, setup),
		cmocka_unit_test_setup(test_numbers_of_no_port, setup),
		cmocka_unit_test_setup(test_forwards, setup),
		cmocka_unit_test_setup(test_wrong_forwards_change_nothing, setup),
		cmocka_unit_test_setup(test_all_forwards_taken, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
