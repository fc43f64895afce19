/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * No wake-up is lost, though the worker goes to sleep and the guest waits at every possible moment.
 *
 * One frame at a time goes from guest to guest, with gaps of random length around the time after
 * which an idle worker arms its notifications and sleeps. Whoever misses a kick or an interrupt
 * waits for ever: the deadline (see deadline.h) is there to say so, and measures nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#define EXCHANGES 50000
/* The worker sleeps after about 50 us: gaps up to twice that, most near it. */
#define GAP_MAX_NS 110000

/* A generator of one's own (Marsaglia's xorshift32): the same gaps in every run. */
static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void spin(uint64_t ns)
{
	uint64_t end = deadline_now_ns() + ns;
	while (deadline_now_ns() < end)
		;
}

static void hammer(struct fixture *fixture, const struct frontend_options *options)
{
	uint32_t seed = 0x2545f491;

	fixture_start(fixture, 2, NULL, NULL);
	fixture_plug(fixture, 0, options);
	fixture_plug(fixture, 1, options);
	fixture_introduce(fixture);
	for (int i = 0; i < EXCHANGES; i++) {
		fixture_pass(fixture, i & 1, !(i & 1), 60);
		spin(next_random(&seed) % GAP_MAX_NS);
	}
	/* It did sleep, or this was no test. */
	assert_true(fixture_counter(fixture, "worker.sleeps") > EXCHANGES / 100);
}

static void with_event_idx(void **state)
{
	struct frontend_options options = fixture_options();
	hammer(*state, &options);
}

static void with_flags(void **state)
{
	struct frontend_options options = fixture_options();
	options.features &= ~FRONTEND_BIT(VIRTIO_RING_F_EVENT_IDX);
	hammer(*state, &options);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(with_event_idx),
	FIXTURE_TEST(with_flags),
};

FIXTURE_MAIN(tests)
