/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backend/patience.h"

#define START_NS UINT64_C(1000000000)
#define BREATH_NS 1000

/* One window in which every `every`th breath moves a burst, and every `turn`th of them comes from
 * another port than the one before. Returns when it ends. */
static uint64_t pass_window(
	struct patience *patience, uint64_t now_ns, unsigned int every, unsigned int turn)
{
	unsigned int breaths = PATIENCE_WINDOW_NS / BREATH_NS, bursts = 0;
	uint16_t port = 0;

	for (unsigned int i = 0; i < breaths; i++) {
		bool moved = i % every == 0;
		if (moved) {
			port ^= ++bursts % turn == 0;
			patience_burst(patience, port);
		}
		patience_breath(patience, now_ns += BREATH_NS, moved);
	}
	return now_ns;
}

static void nobody_is_busy_at_first(void **state)
{
	struct patience patience;
	patience_begin(&patience, START_NS);
	assert_int_equal(patience.ns, PATIENCE_LIGHT_NS);
	/* Nor after work that fills less than a window. */
	patience_breath(&patience, START_NS + PATIENCE_WINDOW_NS - 1, true);
	assert_int_equal(patience.ns, PATIENCE_LIGHT_NS);
}

static void the_share_of_time_decides(void **state)
{
	struct patience patience;
	patience_begin(&patience, START_NS);
	uint64_t now_ns = pass_window(&patience, START_NS, PATIENCE_SHARE_ANSWERED, 1);
	assert_int_equal(patience.ns, PATIENCE_BUSY_NS);
	now_ns = pass_window(&patience, now_ns, PATIENCE_SHARE_ANSWERED + 1, 1);
	assert_int_equal(patience.ns, PATIENCE_LIGHT_NS);
	pass_window(&patience, now_ns, 1, 1);
	assert_int_equal(patience.ns, PATIENCE_BUSY_NS);
}

static void frames_that_go_one_way_bear_more(void **state)
{
	struct patience patience;
	patience_begin(&patience, START_NS);
	uint64_t now_ns =
		pass_window(&patience, START_NS, PATIENCE_SHARE_ONE_WAY + 1, 2 * PATIENCE_TURN);
	assert_int_equal(patience.ns, PATIENCE_LIGHT_NS);
	now_ns = pass_window(&patience, now_ns, PATIENCE_SHARE_ONE_WAY + 1, PATIENCE_TURN);
	assert_int_equal(patience.ns, PATIENCE_BUSY_NS);
	now_ns = pass_window(&patience, now_ns, PATIENCE_SHARE_ONE_WAY + 1, 2 * PATIENCE_TURN);
	assert_int_equal(patience.ns, PATIENCE_LIGHT_NS);
	pass_window(&patience, now_ns, PATIENCE_SHARE_ONE_WAY, 2 * PATIENCE_TURN);
	assert_int_equal(patience.ns, PATIENCE_BUSY_NS);
}

static void sleep_is_no_work(void **state)
{
	struct patience patience;
	patience_begin(&patience, START_NS);
	uint64_t now_ns = pass_window(&patience, START_NS, 1, 1);
	/* A breath, and nothing for a second: then the first one after it. */
	patience_breath(&patience, now_ns + BREATH_NS, true);
	patience_breath(&patience, now_ns + 2 * BREATH_NS, false);
	patience_breath(&patience, now_ns + 1000000000, false);
	assert_int_equal(patience.ns, PATIENCE_LIGHT_NS);
	assert_int_equal(patience.worked_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_busy_at_first),
		cmocka_unit_test(the_share_of_time_decides),
		cmocka_unit_test(frames_that_go_one_way_bear_more),
		cmocka_unit_test(sleep_is_no_work),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
