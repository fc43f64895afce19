/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/frame.h"

#include "backend/guest_memory.h"

/* With room around them that is in neither. */
static struct {
	uint8_t before[0x1000];
	uint8_t first[0x1000];
	uint8_t between[0x1000];
	uint8_t second[0x2000];
	uint8_t behind[0x1000];
} bytes;
#define FIRST bytes.first
#define SECOND bytes.second

/* Two regions that follow each other in the guest and not here, and one at the end of everything.
 */
static const struct guest_memory memory = {
	.count = 3,
	.regions =
		{
			{0x1000, sizeof(FIRST), FIRST},
			{0x2000, sizeof(SECOND), SECOND},
			{UINT64_MAX - 0xff, 0x100, FIRST},
		},
};

struct look {
	uint64_t guest;
	uint64_t length;
	const uint8_t *host; /* NULL: not there */
	uint64_t available;
};

static const struct look looks[] = {
	{0x1000, 1, FIRST, 1},
	{0x1000, 0x1000, FIRST, 0x1000},
	{0x1000, 0x1001, FIRST, 0x1000}, /* up to the end of the region */
	{0x1fff, 0x10, FIRST + 0xfff, 1},
	{0x2000, 0x10, SECOND, 0x10},
	{0x3fff, 2, SECOND + 0x1fff, 1},
	{0x2000, UINT64_MAX, SECOND, 0x2000},
	{0x0, 1, NULL, 0},
	{0xfff, 2, NULL, 0}, /* begins outside */
	{0x4000, 1, NULL, 0},
	{UINT64_MAX, 1, FIRST + 0xff, 1},
	{UINT64_MAX, 0x1000, FIRST + 0xff, 1},
	{UINT64_MAX - 0x100, 1, NULL, 0},
};

static void at(void **state)
{
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		const struct look *look = &looks[i];
		uint64_t available = 0;
		const uint8_t *host =
			guest_memory_at(&memory, look->guest, look->length, &available);
		assert_ptr_equal(host, look->host);
		if (host)
			assert_int_equal(available, look->available);
	}
}

static void span(void **state)
{
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		const struct look *look = &looks[i];
		const uint8_t *host = guest_memory_span(&memory, look->guest, look->length);
		assert_ptr_equal(host, look->available == look->length ? look->host : NULL);
	}
}

static void contains(void **state)
{
	assert_true(guest_memory_contains(&memory, FIRST, 1));
	assert_true(guest_memory_contains(&memory, FIRST, sizeof(FIRST)));
	assert_false(guest_memory_contains(&memory, FIRST, sizeof(FIRST) + 1));
	assert_false(guest_memory_contains(&memory, (void *)((uintptr_t)FIRST - 1), 2));
	assert_true(guest_memory_contains(&memory, SECOND + sizeof(SECOND) - 8, 8));
	assert_false(guest_memory_contains(&memory, SECOND + sizeof(SECOND) - 8, 9));
	assert_false(guest_memory_contains(&memory, SECOND + sizeof(SECOND) - 8, SIZE_MAX));
	assert_false(guest_memory_contains(&memory, SECOND + sizeof(SECOND), 0));
	assert_false(guest_memory_contains(&memory, NULL, 1));
}

static void nothing_is_in_no_memory(void **state)
{
	const struct guest_memory none = {.count = 0};
	uint64_t available;
	assert_null(guest_memory_at(&none, 0, 1, &available));
	assert_null(guest_memory_span(&none, 0, 1));
	assert_false(guest_memory_contains(&none, FIRST, 1));
}

/* An empty region, and regions that overlap: the first that fits is the one. */
static void odd_tables(void **state)
{
	const struct guest_memory odd = {
		.count = 3,
		.regions =
			{
				{0x1000, 0, SECOND},
				{0x1000, 0x100, FIRST},
				{0x1000, 0x1000, SECOND},
			},
	};
	uint64_t available;
	assert_ptr_equal(guest_memory_at(&odd, 0x1000, 0x1000, &available), FIRST);
	assert_int_equal(available, 0x100);
	assert_ptr_equal(guest_memory_at(&odd, 0x1100, 8, &available), SECOND + 0x100);
}

static void address(void **state)
{
	uint64_t guest = 7;
	assert_true(guest_memory_address(&memory, FIRST, &guest));
	assert_int_equal(guest, memory.regions[0].guest);
	assert_true(guest_memory_address(&memory, SECOND + memory.regions[1].size - 1, &guest));
	assert_int_equal(guest, memory.regions[1].guest + memory.regions[1].size - 1);
	guest = 7;
	assert_false(guest_memory_address(&memory, bytes.between, &guest));
	assert_int_equal(guest, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at),
		cmocka_unit_test(span),
		cmocka_unit_test(contains),
		cmocka_unit_test(address),
		cmocka_unit_test(nothing_is_in_no_memory),
		cmocka_unit_test(odd_tables),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
