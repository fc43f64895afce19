/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/pattern.h"

#include "tests/unit/probe/datagram.h"

static void test_the_stream_is_what_the_servers_send(void **state)
{
	uint8_t bytes[PATTERN_PIECE];

	pattern_fill(250, bytes, 3);
	assert_memory_equal(bytes, ((const uint8_t[]){250, 0, 1}), 3);
	pattern_fill(1000000, bytes, PATTERN_PIECE);
	for (uint32_t i = 0; i < PATTERN_PIECE; i++)
		assert_int_equal(bytes[i], (1000000 + i) % 251);
	assert_true(pattern_matches(1000000, bytes, PATTERN_PIECE));
}

static void test_what_was_changed_does_not_match(void **state)
{
	uint8_t bytes[1460];

	pattern_fill(0, bytes, sizeof(bytes));
	for (uint32_t offset = 1; offset < 251; offset++)
		assert_false(pattern_matches(offset, bytes, sizeof(bytes)));
	/* The next segment in the place of this one. */
	assert_false(pattern_matches(sizeof(bytes), bytes, sizeof(bytes)));
	bytes[1459]++;
	assert_false(pattern_matches(0, bytes, sizeof(bytes)));
	assert_true(pattern_matches(0, bytes, sizeof(bytes) - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_stream_is_what_the_servers_send),
		cmocka_unit_test(test_what_was_changed_does_not_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
