/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is told when: EVENT_IDX, NO_INTERRUPT, kicks, polled guests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#include <errno.h>
#include <sched.h>

#define FRAMES 2000

static struct driver_frame frame;
static struct driver_frame got;

static void plug_pair(struct fixture *fixture, const struct frontend_options *options)
{
	struct frontend_options ordinary = fixture_options();
	fixture_start(fixture, 2, fixture_full, NULL);
	fixture_plug(fixture, 0, options);
	fixture_plug(fixture, 1, &ordinary);
	fixture_introduce(fixture);
}

static void conversation(struct fixture *fixture)
{
	for (int i = 0; i < FRAMES / 10; i++) {
		fixture_pass(fixture, 0, 1, 60);
		fixture_pass(fixture, 1, 0, 60);
	}
	fixture_stream(fixture, 0, 1, FRAMES);
	fixture_stream(fixture, 1, 0, FRAMES);
}

/* Receives without ever asking for an interrupt. */
static void receive_silently(struct fixture *fixture, unsigned int to)
{
	uint64_t deadline = deadline_in(DEADLINE_STEP_MS);
	int error;
	while ((error = driver_poll(&fixture->ports[to].driver, &got)) == -EAGAIN &&
		deadline_now_ns() < deadline)
		sched_yield();
	assert_int_equal(error, 0);
}

static void no_interrupt_where_none_is_wanted(struct fixture *fixture, uint64_t features)
{
	struct frontend_options options = fixture_options();
	struct driver *driver = &fixture->ports[0].driver;

	options.features = features;
	plug_pair(fixture, &options);
	virtqueue_drain(&driver->queues[DRIVER_RX]);
	virtqueue_drain(&driver->queues[DRIVER_TX]);
	for (int i = 0; i < FRAMES; i++) {
		fixture_number(fixture, &frame, 1, fixture_end(0, 0).mac, 60);
		fixture_send(fixture, 1, &frame);
		receive_silently(fixture, 0);
		fixture_number(fixture, &frame, 0, fixture_end(1, 0).mac, 60);
		fixture_send(fixture, 0, &frame);
		fixture_expect(fixture, 1, &frame);
		/* So that a full transmit ring never makes the driver wait. */
		while (!virtqueue_has_used(&driver->queues[DRIVER_TX]))
			sched_yield();
	}
	assert_int_equal(virtqueue_drain(&driver->queues[DRIVER_RX]), 0);
	assert_int_equal(virtqueue_drain(&driver->queues[DRIVER_TX]), 0);
}

static void no_interrupt_flag_is_honoured(void **state)
{
	no_interrupt_where_none_is_wanted(*state, 0);
}

static void used_event_is_honoured(void **state)
{
	no_interrupt_where_none_is_wanted(*state, FRONTEND_BIT(VIRTIO_RING_F_EVENT_IDX));
}

static void guest_that_waits_is_interrupted(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	options.features = 0;
	plug_pair(fixture, &options);
	conversation(fixture);
	struct virtqueue *rx = &fixture->ports[0].driver.queues[DRIVER_RX];
	virtqueue_drain(rx);
	assert_true(rx->interrupts > 0);
}

static void guest_that_always_wants_interrupts_gets_them(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	struct driver *driver = &fixture->ports[0].driver;

	/* RedoxOS' transmit: one frame, a kick, and nothing until the interrupt came. */
	options.features = 0;
	options.interrupt = VIRTQUEUE_INTERRUPT_ALWAYS;
	options.kick = VIRTQUEUE_KICK_ALWAYS;
	options.tx_layout.header_apart = true;
	options.post_singly = true;
	plug_pair(fixture, &options);
	assert_int_equal(driver_drain(driver, deadline_in(DEADLINE_STEP_MS)), 0);
	struct virtqueue *tx = &driver->queues[DRIVER_TX];
	for (int i = 0; i < FRAMES; i++) {
		uint16_t before = tx->used->idx;
		virtqueue_drain(tx);
		fixture_pass(fixture, 0, 1, 60);
		assert_int_equal(driver_drain(driver, deadline_in(DEADLINE_STEP_MS)), 0);
		assert_int_equal((uint16_t)(tx->used->idx - before), 1);
	}
	conversation(fixture);
}

static void polled_guest_works(struct fixture *fixture, uint64_t features)
{
	struct frontend_options options = fixture_options();

	options.features = features;
	options.polled = true;
	options.rx_layout.header_apart = options.tx_layout.header_apart = true;
	plug_pair(fixture, &options);
	conversation(fixture);
	assert_int_equal(frontend_reset(&fixture->ports[0]), 0);
	assert_int_equal(frontend_activate(&fixture->ports[0]), 0);
	fixture_introduce(fixture);
	conversation(fixture);
}

static void polled_guest_without_event_idx(void **state)
{
	polled_guest_works(*state, 0);
}

static void polled_guest_with_event_idx(void **state)
{
	polled_guest_works(*state, FRONTEND_BIT(VIRTIO_RING_F_EVENT_IDX));
}

static void two_polled_guests(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	options.polled = true;
	fixture_start(fixture, 2, fixture_full, NULL);
	fixture_plug(fixture, 0, &options);
	fixture_plug(fixture, 1, &options);
	fixture_introduce(fixture);
	conversation(fixture);
}

static void guest_that_kicks_without_work_does_no_harm(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	plug_pair(fixture, &options);
	for (int i = 0; i < FRAMES; i++) {
		virtqueue_kick(&fixture->ports[0].driver.queues[DRIVER_TX]);
		virtqueue_kick(&fixture->ports[0].driver.queues[DRIVER_RX]);
		if (i % 20 == 0)
			fixture_pass(fixture, i % 40 ? 0 : 1, i % 40 ? 1 : 0, 60);
	}
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(no_interrupt_flag_is_honoured),
	FIXTURE_TEST(used_event_is_honoured),
	FIXTURE_TEST(guest_that_waits_is_interrupted),
	FIXTURE_TEST(guest_that_always_wants_interrupts_gets_them),
	FIXTURE_TEST(polled_guest_without_event_idx),
	FIXTURE_TEST(polled_guest_with_event_idx),
	FIXTURE_TEST(two_polled_guests),
	FIXTURE_TEST(guest_that_kicks_without_work_does_no_harm),
};

FIXTURE_MAIN(tests)
