/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/host/port_set.h"

/* What is read from `text` is written as `expected`. */
static void assert_reads(const char *text, const char *expected)
{
	char written[PORT_SET_TEXT_SIZE];
	struct port_set set;

	assert_int_equal(port_set_parse(text, &set), 0);
	assert_int_equal(port_set_format(&set, written, sizeof(written)), 0);
	assert_string_equal(written, expected);
}

static void reads_and_writes(void **state)
{
	assert_reads("", "");
	assert_reads("\n", "");
	assert_reads("0", "0");
	assert_reads("8080\n9090", "8080");
	assert_reads("8080,8081,8082", "8080-8082");
	assert_reads("1000-1999,8080,1500-2500", "1000-2500,8080");
	assert_reads("65535,0", "0,65535");
	assert_reads("0-65535", "0-65535");
	assert_reads("63-64,127-128", "63-64,127-128");
}

static void refuses_what_is_no_list(void **state)
{
	static const char *const bad[] = {
		"x", "1-", "-1", "1-x", "2-1", "65536", "1-65536", "1 2", "1,,2", ",", "1;2"};
	struct port_set set = {.words = {5}}, before = set;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(port_set_parse(bad[i], &set), -EINVAL);
		assert_memory_equal(&set, &before, sizeof(set));
	}
}

static void combines(void **state)
{
	struct port_set set, other;
	char text[PORT_SET_TEXT_SIZE];

	assert_int_equal(port_set_parse("100-199", &set), 0);
	assert_int_equal(port_set_parse("200-300", &other), 0);
	assert_false(port_set_meets(&set, &other));
	port_set_add(&set, 200, 200);
	assert_true(port_set_meets(&set, &other));
	assert_true(port_set_has(&set, 200));
	assert_false(port_set_has(&set, 201));
	port_set_join(&set, &other);
	assert_int_equal(port_set_parse("150", &other), 0);
	port_set_remove(&set, &other);
	assert_int_equal(port_set_format(&set, text, sizeof(text)), 0);
	assert_string_equal(text, "100-149,151-300");
}

static void says_when_it_does_not_fit(void **state)
{
	struct port_set set = {0};
	char text[8] = "";

	port_set_add(&set, 1000, 1000);
	port_set_add(&set, 20, 21);
	assert_int_equal(port_set_format(&set, text, 0), -ENOSPC);
	assert_int_equal(port_set_format(&set, text, sizeof(text)), -ENOSPC);
	/* every other port: more than the kernel reads at once */
	for (uint32_t port = 0; port < 65536; port += 2)
		port_set_add(&set, (uint16_t)port, (uint16_t)port);
	{
		char long_text[PORT_SET_TEXT_SIZE];

		assert_int_equal(port_set_format(&set, long_text, sizeof(long_text)), -ENOSPC);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes),
		cmocka_unit_test(refuses_what_is_no_list),
		cmocka_unit_test(combines),
		cmocka_unit_test(says_when_it_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
