/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/selftest/probe_report.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

static struct probe_report report;

static const char good[] = "VMM: a warning\r\n"
			   "ok 9 - before the plan\r\n"
			   "1..3\r\n"
			   "ok 1 - the clock runs: 2596 MHz\r\n"
			   "ok 2 - DHCP gives an address # SKIP nobody answers\r\n"
			   "ok 3 - the gateway answers pings: 20 of 20\r\n"
			   "# ping_us=36.4\r\n"
			   "# end of the probe, 0 failed\r\n";

static void read_text(const char *text)
{
	memset(&report, 0, sizeof(report));
	probe_report_add(&report, text, strlen(text));
}

static void test_a_good_report(void **state)
{
	read_text(good);
	assert_true(probe_report_is_good(&report));
	assert_int_equal(report.count, 3);
	assert_string_equal(report.checks[0].name, "the clock runs");
	assert_string_equal(report.checks[0].found, "2596 MHz");
	assert_int_equal(report.checks[0].result, PROBE_REPORT_GOOD);
	assert_string_equal(report.checks[1].name, "DHCP gives an address");
	assert_string_equal(report.checks[1].found, "nobody answers");
	assert_int_equal(report.checks[1].result, PROBE_REPORT_SKIPPED);
	assert_int_equal(probe_report_result(&report, "the clock runs"), PROBE_REPORT_GOOD);
	assert_int_equal(probe_report_result(&report, "another"), PROBE_REPORT_SKIPPED);
	assert_true(probe_report_value(&report, "ping_us") == 36.4);
	assert_true(probe_report_value(&report, "udp_us") < 0);
}

static void test_pieces_of_any_size(void **state)
{
	memset(&report, 0, sizeof(report));
	for (size_t i = 0; i < strlen(good); i++)
		probe_report_add(&report, good + i, 1);
	assert_true(probe_report_is_good(&report));
	assert_int_equal(report.count, 3);
}

/* The report without one of its lines, or with another one instead. */
static void replace(const char *line, const char *other)
{
	const char *at = strstr(good, line);
	char text[sizeof(good) + 64];

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, other,
		at + strcspn(at, "\n") + 1);
	read_text(text);
}

static void test_what_is_missing_or_bad_is_not_good(void **state)
{
	replace("ok 3", "");
	assert_false(probe_report_is_good(&report));
	replace("# end", "");
	assert_false(probe_report_is_good(&report));
	assert_false(report.ended);
	replace("1..3", "");
	assert_false(probe_report_is_good(&report));
	replace("ok 1", "not ok 1 - the clock runs: backwards\n");
	assert_false(probe_report_is_good(&report));
	assert_int_equal(report.checks[0].result, PROBE_REPORT_BAD);
	assert_string_equal(report.checks[0].found, "backwards");
	replace("# ping_us", "Bail out! no more\n");
	assert_false(probe_report_is_good(&report));
	assert_string_equal(report.bail, "no more");
	replace("# ping_us", "1..3\n");
	assert_false(probe_report_is_good(&report));
	assert_true(report.began_anew);
	read_text("");
	assert_false(probe_report_is_good(&report));
}

static void test_a_demanded_check_must_be_made(void **state)
{
	read_text(good);
	probe_report_demand(&report, "the clock runs");
	assert_true(probe_report_is_good(&report));
	probe_report_demand(&report, "DHCP gives an address");
	assert_false(probe_report_is_good(&report));
}

static void test_a_guest_that_says_too_much_is_cut(void **state)
{
	char line[1000];

	read_text("1..40\n");
	for (int i = 1; i <= 40; i++) {
		snprintf(line, sizeof(line), "ok %d - x: %0400d\n# v=%d\n", i, 7, i);
		probe_report_add(&report, line, strlen(line));
	}
	assert_int_equal(report.count, PROBE_REPORT_CHECKS_MAX);
	assert_int_equal(report.value_count, PROBE_REPORT_VALUES_MAX);
	assert_int_equal(strlen(report.checks[0].found), PROBE_REPORT_TEXT - 1);
	assert_false(probe_report_is_good(&report));
}

static void test_nothing_reaches_the_terminal_that_it_would_obey(void **state)
{
	read_text("1..1\nok 1 - a\033[2Jb: \007c\n");
	assert_string_equal(report.checks[0].name, "a[2Jb");
	assert_string_equal(report.checks[0].found, "c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_report),
		cmocka_unit_test(test_pieces_of_any_size),
		cmocka_unit_test(test_what_is_missing_or_bad_is_not_good),
		cmocka_unit_test(test_a_demanded_check_must_be_made),
		cmocka_unit_test(test_a_guest_that_says_too_much_is_cut),
		cmocka_unit_test(test_nothing_reaches_the_terminal_that_it_would_obey),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
