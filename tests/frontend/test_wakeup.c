/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * No wake-up is lost, though the worker goes to sleep and the guest waits at every possible moment.
 *
 * One frame at a time goes from guest to guest. Two moments are dangerous, each some nanoseconds
 * wide: when the worker asks for kicks because nothing came, and something comes; and when the
 * guest asks for an interrupt, and the frame comes. The test homes in on both: a kick that was
 * asked for says that the frame came after the worker had armed, so the next one comes a little
 * earlier; a frame that is there already says that the guest looked too late. Around the moments
 * found so, times are random.
 *
 * Whoever misses a kick or an interrupt waits for ever: the deadline (see deadline.h) is there to
 * say so, and measures nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/frontend/fixture.h"

/* Two frames each; 100,000 in both tests. */
#define EXCHANGES 25000
/* Where the search begins: the worker sleeps after about 50 us. */
#define SLEEP_NS 50000
/* How far it moves after each frame, and how far times vary around it. */
#define STEP_NS 20
#define JITTER_NS 200
/* Once in so many frames the time is any up to twice the worker's. */
#define ANY_TIME 16

/* A generator of one's own (Marsaglia's xorshift32): the same times in every run. */
static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void spin_until(uint64_t end)
{
	while (deadline_now_ns() < end)
		;
}

/* A length of time that is being searched for. */
struct search {
	uint64_t ns;
};

static uint64_t search_next(const struct search *search, uint32_t *seed)
{
	return search->ns + next_random(seed) % JITTER_NS;
}

static void search_learn(struct search *search, bool too_late)
{
	if (!too_late)
		search->ns += STEP_NS;
	else if (search->ns >= STEP_NS)
		search->ns -= STEP_NS;
}

/*
 * One frame whose receiver does not sleep, so that afterwards it is known to a microsecond when the
 * worker last had something to do. Returns that time.
 */
static uint64_t touch(struct fixture *fixture)
{
	static struct driver_frame frame;
	static struct driver_frame got;
	uint64_t deadline = deadline_in(DEADLINE_STEP_MS);
	int error;

	fixture_number(fixture, &frame, 0, fixture_end(1, 0).mac, 60);
	fixture_send(fixture, 0, &frame);
	while ((error = driver_poll(&fixture->ports[1].driver, &got)) == -EAGAIN &&
		deadline_now_ns() < deadline)
		;
	if (error)
		fail_msg("the kick was not heard");
	assert_memory_equal(got.bytes, frame.bytes, frame.length);
	return deadline_now_ns();
}

static void hammer(struct fixture *fixture, const struct frontend_options *options)
{
	uint32_t seed = 0x2545f491;
	struct search sleep = {SLEEP_NS};
	struct search arrival = {0};
	static struct driver_frame frame;

	fixture_start(fixture, 2, NULL, NULL);
	fixture_plug(fixture, 0, options);
	fixture_plug(fixture, 1, options);
	fixture_introduce(fixture);
	const struct virtqueue *tx = &fixture->ports[0].driver.queues[DRIVER_TX];
	const struct virtqueue *rx = &fixture->ports[1].driver.queues[DRIVER_RX];
	for (int i = 0; i < EXCHANGES; i++) {
		bool any = next_random(&seed) % ANY_TIME == 0;
		uint64_t touched = touch(fixture);
		fixture_number(fixture, &frame, 0, fixture_end(1, 0).mac, 60);
		spin_until(touched + (any ? next_random(&seed) % (2 * SLEEP_NS)
					  : search_next(&sleep, &seed)));
		uint64_t kicks = tx->kicks;
		fixture_send(fixture, 0, &frame);
		uint64_t sent = deadline_now_ns();
		if (!any)
			search_learn(&sleep, tx->kicks != kicks);
		spin_until(sent + search_next(&arrival, &seed));
		search_learn(&arrival, virtqueue_has_used(rx));
		fixture_expect(fixture, 1, &frame);
	}
	/* Both did sleep, or this was no test. */
	assert_true(fixture_counter(fixture, "worker.sleeps") > EXCHANGES / 100);
	assert_true(rx->interrupts > EXCHANGES / 100);
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
