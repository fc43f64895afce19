/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nat/mapping.h"

#define CAPACITY 1000

struct memory {
	struct mapping records[CAPACITY];
	uint32_t high;
};

static void init(struct mapping_table *table, struct memory *memory)
{
	memset(memory, 0xff, sizeof(*memory));
	memory->high = 0;
	assert_int_equal(
		mapping_table_init(table, memory->records, &memory->high, CAPACITY, 42), 0);
}

static void found_by_both_keys(void **state)
{
	struct memory *memory = malloc(sizeof(*memory));
	struct mapping_table table;
	uint32_t mappings[CAPACITY], unused = 5;

	init(&table, memory);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < CAPACITY; i++) {
			enum port_space space = (enum port_space)(i % PORT_SPACE_COUNT);

			assert_int_equal(mapping_insert(&table, space, i / 8, (uint16_t)(i % 8),
						 htons((uint16_t)(i + 1)), 0, &mappings[i]),
				0);
		}
		assert_int_equal(
			mapping_insert(&table, PORT_SPACE_TCP, 1, 2, 3, 0, &unused), -ENOSPC);
		assert_int_equal(unused, 5);
		assert_int_equal(table.live, CAPACITY);
		for (uint32_t n = 0; n < CAPACITY; n++) {
			uint32_t i = n * 333 % CAPACITY;
			enum port_space space = (enum port_space)(i % PORT_SPACE_COUNT);
			uint16_t outside_be = htons((uint16_t)(i + 1));

			assert_int_equal(
				mapping_find_inside(&table, space, i / 8, (uint16_t)(i % 8)),
				mappings[i]);
			assert_int_equal(
				mapping_find_outside(&table, space, outside_be), mappings[i]);
			/* Other spaces do not have it. */
			assert_int_equal(mapping_find_outside(
						 &table, (enum port_space)(space ^ 1), outside_be),
				MAPPING_NONE);
			mapping_remove(&table, mappings[i]);
			assert_int_equal(
				mapping_find_inside(&table, space, i / 8, (uint16_t)(i % 8)),
				MAPPING_NONE);
			assert_int_equal(
				mapping_find_outside(&table, space, outside_be), MAPPING_NONE);
			assert_int_equal(memory->records[mappings[i]].commit, 0);
		}
		assert_int_equal(table.live, 0);
	}
	mapping_table_fini(&table);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_by_both_keys),
	};

	return cmocka_run_group_tests_name("mapping", tests, NULL, NULL);
}
