/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include "nat/random.h"

/* The reference vectors of SipHash-2-4 (Aumasson and Bernstein, appendix A and vectors.h): key
 * 00..0f, message 00..07. */
static void siphash_vector(void **state)
{
	struct random r = {
		.key = {0x0706050403020100, 0x0f0e0d0c0b0a0908},
		.counter = 0x0706050403020100,
	};

	assert_true(random_next(&r) == 0x93f5f5799a932462);
	assert_true(r.counter == 0x0706050403020101);
}

static void keys_differ(void **state)
{
	struct random a, b;

	assert_int_equal(random_init(&a), 0);
	assert_int_equal(random_init(&b), 0);
	assert_true(random_next(&a) != random_next(&b));
	assert_true(random_next(&a) != random_next(&a));
}

static void below(void **state)
{
	struct random r;
	int seen[7] = {0};

	assert_int_equal(random_init(&r), 0);
	for (int i = 0; i < 7000; i++)
		seen[random_below(&r, 7)]++;
	for (int i = 0; i < 7; i++)
		assert_in_range(seen[i], 800, 1200);
	assert_int_equal(random_below(&r, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_vector),
		cmocka_unit_test(keys_differ),
		cmocka_unit_test(below),
	};

	return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
