/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/parameters.h"

#include <errno.h>
#include <stdio.h>

#include "tests/unit/probe/datagram.h"

static int read_line(const char *line, struct parameters *parameters, struct text *complaint)
{
	char *copy = (char *)datagram_copy(line, strlen(line));
	int r = parameters_read(copy, strlen(line), parameters, complaint);

	free(copy);
	return r;
}

static void test_without_a_line_the_plan_is_static(void **state)
{
	struct parameters parameters;
	struct text complaint;

	assert_int_equal(read_line("", &parameters, &complaint), 0);
	assert_int_equal(parameters.ip_be, htonl(GUEST_IP));
	assert_int_equal(parameters.gateway_be, htonl(GATEWAY_IP));
	assert_int_equal(parameters.server_port, 0);
	assert_int_equal(parameters.dhcp, PARAMETERS_AUTO);
	assert_int_equal(parameters.paging, PARAMETERS_AUTO);
}

static void test_every_word_is_read(void **state)
{
	struct parameters parameters;
	struct text complaint;

	assert_int_equal(read_line("console=ttyS0 probe.ip=10.0.0.2 probe.gateway=10.0.0.1 "
				   "probe.server=10.0.0.3:65535  probe.dhcp=off probe.paging=on "
				   "probe.bytes=1000 probe.time_ms=20 probe.patience_ms=30 "
				   "probe.pings=4 quiet",
				 &parameters, &complaint),
		0);
	assert_int_equal(parameters.ip_be, htonl(0x0a000002));
	assert_int_equal(parameters.gateway_be, htonl(0x0a000001));
	assert_int_equal(parameters.server_be, htonl(0x0a000003));
	assert_int_equal(parameters.server_port, 65535);
	assert_int_equal(parameters.dhcp, PARAMETERS_OFF);
	assert_int_equal(parameters.paging, PARAMETERS_ON);
	assert_int_equal(parameters.bytes, 1000);
	assert_int_equal(parameters.time_ms, 20);
	assert_int_equal(parameters.patience_ms, 30);
	assert_int_equal(parameters.pings, 4);
}

static void test_a_bad_word_is_named(void **state)
{
	static const char *const words[] = {"probe.", "probe.ip", "probe.ip=", "probe.ip=1.2.3",
		"probe.ip=1.2.3.4x", "probe.server=1.2.3.4", "probe.server=1.2.3.4:0",
		"probe.server=1.2.3.4:65536", "probe.dhcp=perhaps", "probe.bytes=0",
		"probe.bytes=268435457", "probe.pings=", "probe.unknown=1"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct parameters parameters = {.pings = 99};
		struct text complaint;
		char line[128];

		snprintf(line, sizeof(line), "quiet %s probe.pings=3", words[i]);
		assert_int_equal(read_line(line, &parameters, &complaint), -EINVAL);
		assert_string_equal(complaint.bytes, words[i]);
		assert_int_equal(parameters.pings, 99);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_line_the_plan_is_static),
		cmocka_unit_test(test_every_word_is_read),
		cmocka_unit_test(test_a_bad_word_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
