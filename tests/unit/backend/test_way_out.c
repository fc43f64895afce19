/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backend/way_out.h"

static void test_round_trip(void **state)
{
	static const struct way_out cases[] = {
		{0, 0, false},
		{UINT32_MAX, 0, false},
		{0, UINT16_MAX, false},
		{0, 0, true},
		{0x0100a8c0, 1500, true},
		{UINT32_MAX, UINT16_MAX, true},
	};
	uint64_t word = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		way_out_write(&word, cases[i]);
		struct way_out way = way_out_unpack(way_out_read(&word));
		assert_int_equal(way.address_be, cases[i].address_be);
		assert_int_equal(way.mtu, cases[i].mtu);
		assert_int_equal(way.owns_ports, cases[i].owns_ports);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(way_out_pack(cases[j]), word);
	}
}

/* A page of zeros says that nothing is known. */
static void test_zero(void **state)
{
	struct way_out way = way_out_unpack(0);

	assert_int_equal(way.address_be, 0);
	assert_int_equal(way.mtu, 0);
	assert_false(way.owns_ports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
