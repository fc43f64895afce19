/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "backend/refusals.h"

#define NEW "the NAT refused packets of new sessions: "

static void nothing_is_said_when_nothing_happened(void **state)
{
	struct nat_counters counters = {.drops = {[NAT_DROP_TABLE_FULL] = 5}};
	struct refusals refusals;
	char line[REFUSALS_LINE];

	/* The 5 are an earlier data plane's. */
	refusals_init(&refusals, &counters);
	assert_false(refusals_look(&refusals, &counters, line));
	/* Nor do other drops matter. */
	counters.drops[NAT_DROP_FILTERED]++;
	counters.drops[NAT_DROP_NO_MAPPING]++;
	assert_false(refusals_look(&refusals, &counters, line));
}

static void each_refusal_is_said_once(void **state)
{
	static const struct {
		enum nat_drop reason;
		const char *says;
	} cases[] = {
		{NAT_DROP_TABLE_FULL, NEW "3: the table is full (--sessions)"},
		{NAT_DROP_GUEST_LIMIT, NEW "3: a guest has its share (--sessions-per-guest)"},
		{NAT_DROP_GUEST_RATE, NEW "3: a guest opens too many a second "
					  "(--new-sessions-per-guest)"},
		{NAT_DROP_PORTS_EXHAUSTED, NEW "3: no outside port is free"},
	};
	struct nat_counters counters = {.drops = {0}};
	struct refusals refusals;
	char line[REFUSALS_LINE];

	refusals_init(&refusals, &counters);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		counters.drops[cases[i].reason] += 3;
		assert_true(refusals_look(&refusals, &counters, line));
		assert_string_equal(line, cases[i].says);
		assert_false(refusals_look(&refusals, &counters, line));
	}
}

/* The longest line that there can be is whole. */
static void all_of_them_in_one_line(void **state)
{
	struct nat_counters counters = {.drops = {0}};
	struct refusals refusals;
	char line[REFUSALS_LINE];

	refusals_init(&refusals, &counters);
	for (int i = 0; i < NAT_DROP_COUNT; i++)
		counters.drops[i] = UINT64_MAX;
	assert_true(refusals_look(&refusals, &counters, line));
	assert_string_equal(line,
		NEW "18446744073709551615: the table is full (--sessions), "
		    "18446744073709551615: a guest has its share (--sessions-per-guest), "
		    "18446744073709551615: a guest opens too many a second "
		    "(--new-sessions-per-guest), "
		    "18446744073709551615: no outside port is free");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_said_when_nothing_happened),
		cmocka_unit_test(each_refusal_is_said_once),
		cmocka_unit_test(all_of_them_in_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
