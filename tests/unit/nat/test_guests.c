/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include <errno.h>

#include "nat/guests.h"

static void no_limits(void **state)
{
	struct guests guests;

	assert_int_equal(guests_init(&guests, 24, 0, 0), 0);
	guests_of(&guests, ip(GUEST))->sessions = 1 << 20;
	assert_int_equal(guests_admit(&guests, ip(GUEST), 0), 0);
	guests_fini(&guests);
}

static void sessions(void **state)
{
	struct guests guests;

	assert_int_equal(guests_init(&guests, 16, 3, 0), 0);
	guests_of(&guests, ip(GUEST))->sessions = 2;
	assert_int_equal(guests_admit(&guests, ip(GUEST), 0), 0);
	guests_of(&guests, ip(GUEST))->sessions = 3;
	assert_int_equal(guests_admit(&guests, ip(GUEST), 0), -EDQUOT);
	assert_int_equal(guests_admit(&guests, ip(GUEST2), 0), 0);
	assert_int_equal(guests_admit(&guests, ip("172.16.255.2"), 0), 0);
	guests_fini(&guests);
}

static int admitted(struct guests *guests, const char *guest, uint64_t now_ns)
{
	int n = 0;

	while (guests_admit(guests, ip(guest), now_ns) == 0)
		n++;
	assert_int_equal(guests_admit(guests, ip(guest), now_ns), -EBUSY);
	return n;
}

/* A burst of a second's worth, then the rate. */
static void rate(void **state)
{
	struct guests guests;
	uint64_t now_ns = 5000 * SECOND;
	int n = 0;

	assert_int_equal(guests_init(&guests, 24, 0, 50), 0);
	assert_int_equal(admitted(&guests, GUEST, now_ns), 50);
	assert_int_equal(admitted(&guests, GUEST2, now_ns), 50);
	assert_int_equal(admitted(&guests, GUEST, now_ns + SECOND / 10), 5);
	for (int i = 2; i <= 100; i++)
		n += admitted(&guests, GUEST, now_ns + (uint64_t)i * SECOND / 10);
	assert_int_equal(n, 99 * 5);
	assert_int_equal(admitted(&guests, GUEST, now_ns + 1000 * SECOND), 50);
	guests_fini(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_limits),
		cmocka_unit_test(sessions),
		cmocka_unit_test(rate),
	};

	return cmocka_run_group_tests_name("guests", tests, NULL, NULL);
}
