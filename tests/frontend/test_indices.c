/* SPDX-License-Identifier: BSD-3-Clause */
/* Ring sizes, indices that wrap, and where a ring begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

/* More than a free running 16-bit index can count. */
#define PAST_THE_WRAP 70000

static void plug_pair(struct fixture *fixture, const struct frontend_options *options)
{
	fixture_start(fixture, 2, NULL, NULL);
	fixture_plug(fixture, 0, options);
	fixture_plug(fixture, 1, options);
	fixture_introduce(fixture);
}

static void indices_wrap(struct fixture *fixture, const struct frontend_options *options)
{
	plug_pair(fixture, options);
	fixture_stream(fixture, 0, 1, PAST_THE_WRAP);
	fixture_stream(fixture, 1, 0, 1000);
}

static void indices_wrap_with_event_idx(void **state)
{
	struct frontend_options options = fixture_options();
	indices_wrap(*state, &options);
}

static void indices_wrap_with_flags(void **state)
{
	struct frontend_options options = fixture_options();
	options.features &= ~FRONTEND_BIT(VIRTIO_RING_F_EVENT_IDX);
	indices_wrap(*state, &options);
}

static void indices_wrap_in_the_largest_ring(void **state)
{
	struct frontend_options options = fixture_options();
	options.queue_size = 32768;
	indices_wrap(*state, &options);
}

static void ring_of_every_size_works(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	fixture_start(fixture, 2, NULL, NULL);
	fixture_plug(fixture, 1, &options);
	for (uint32_t size = 1; size <= 32768; size *= 2) {
		print_message("size %u\n", size);
		options.queue_size = (uint16_t)size;
		for (int event_idx = 0; event_idx < 2; event_idx++) {
			options.features = fixture_options().features;
			if (!event_idx)
				options.features &= ~FRONTEND_BIT(VIRTIO_RING_F_EVENT_IDX);
			options.tx_layout.header_apart = size >= 2 && event_idx;
			options.rx_layout.header_apart = size >= 2 && event_idx;
			fixture_plug(fixture, 0, &options);
			fixture_introduce(fixture);
			fixture_stream(fixture, 0, 1, 600);
			fixture_stream(fixture, 1, 0, 600);
			fixture_unplug(fixture, 0);
		}
	}
}

/* The whole ring is posted and used up before the driver looks. */
static void ring_can_be_filled_to_the_last_entry(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	static struct driver_frame frame;

	options.queue_size = 64;
	fixture_start(fixture, 2, NULL, NULL);
	fixture_plug(fixture, 1, &options);
	fixture_plug(fixture, 0, &options);
	fixture_introduce(fixture);
	assert_int_equal(fixture->ports[1].driver.rx_slots, 64);
	uint32_t first = fixture->serial + 1;
	for (int i = 0; i < 64; i++) {
		fixture_number(fixture, &frame, 0, fixture_end(1, 0).mac, 60);
		fixture_send(fixture, 0, &frame);
	}
	fixture->serial = first - 1;
	for (int i = 0; i < 64; i++) {
		fixture_number(fixture, &frame, 0, fixture_end(1, 0).mac, 60);
		fixture_expect(fixture, 1, &frame);
	}
	fixture_pass(fixture, 0, 1, 60);
}

/* What the front end says of the base is never believed. */
static void used_index_wins_over_base(struct fixture *fixture, enum frontend_base base)
{
	struct frontend_options options = fixture_options();
	static struct driver_frame frames[10];
	struct frontend *sender = &fixture->ports[0];

	options.base = base;
	plug_pair(fixture, &options);
	fixture_stream(fixture, 0, 1, 1000);
	fixture_stream(fixture, 1, 0, 1000);
	for (int round = 0; round < 20; round++) {
		/* Disconnect at a time when the guest has sent everything, then let it send. */
		assert_int_equal(driver_drain(&sender->driver, deadline_in(DEADLINE_STEP_MS)), 0);
		frontend_disconnect(sender);
		for (int i = 0; i < 10; i++) {
			fixture_number(fixture, &frames[i], 0, fixture_end(1, 0).mac, 100);
			fixture_send(fixture, 0, &frames[i]);
		}
		/* Every one of them arrives, once, and the receive buffers are there still. */
		assert_int_equal(frontend_reconnect(sender, fixture->sockets[0]), 0);
		for (int i = 0; i < 10; i++)
			fixture_expect(fixture, 1, &frames[i]);
		fixture_pass(fixture, 1, 0, 60);
		fixture_pass(fixture, 0, 1, 60);
	}
}

static void base_from_avail_index(void **state)
{
	used_index_wins_over_base(*state, FRONTEND_BASE_AVAIL);
}

static void base_that_means_nothing(void **state)
{
	used_index_wins_over_base(*state, FRONTEND_BASE_STALE);
}

static void base_zero(void **state)
{
	/* Nothing was saved, since the disconnect comes without GET_VRING_BASE. */
	used_index_wins_over_base(*state, FRONTEND_BASE_SAVED);
}

/* Pause and resume: rings stop and go on where they were. */
static void ring_goes_on_after_a_pause(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	static struct driver_frame frame;
	struct frontend *port = &fixture->ports[0];

	options.base = FRONTEND_BASE_SAVED;
	plug_pair(fixture, &options);
	for (int round = 0; round < 20; round++) {
		fixture_stream(fixture, 0, 1, 37);
		fixture_stream(fixture, 1, 0, 41);
		assert_int_equal(frontend_reset(port), 0);
		for (int i = 0; i < DRIVER_QUEUES; i++)
			assert_int_equal(port->saved_base[i], port->driver.queues[i].used->idx);
		fixture_number(fixture, &frame, 0, fixture_end(1, 0).mac, 60);
		fixture_send(fixture, 0, &frame);
		assert_int_equal(frontend_resume(port), 0);
		fixture_expect(fixture, 1, &frame);
	}
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(indices_wrap_with_event_idx),
	FIXTURE_TEST(indices_wrap_with_flags),
	FIXTURE_TEST(indices_wrap_in_the_largest_ring),
	FIXTURE_TEST(ring_of_every_size_works),
	FIXTURE_TEST(ring_can_be_filled_to_the_last_entry),
	FIXTURE_TEST(base_from_avail_index),
	FIXTURE_TEST(base_that_means_nothing),
	FIXTURE_TEST(base_zero),
	FIXTURE_TEST(ring_goes_on_after_a_pause),
};

FIXTURE_MAIN(tests)
