/* SPDX-License-Identifier: BSD-3-Clause */
/* Guests among themselves: learning, flooding, and who does not get a frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/deadline.h"
#include "tests/frontend/fixture.h"

static struct driver_frame frame;
static struct driver_frame marker;

static void plug_all(struct fixture *fixture, unsigned int count)
{
	struct frontend_options options = fixture_options();
	fixture_start(fixture, count, NULL, NULL);
	for (unsigned int i = 0; i < count; i++)
		fixture_plug(fixture, i, &options);
}

static void two_guests_exchange_frames(void **state)
{
	struct fixture *fixture = *state;
	static const uint32_t lengths[] = {
		18, 59, 60, 64, 127, 128, 129, 255, 256, 257, 1513, 1514};

	plug_all(fixture, 2);
	fixture_introduce(fixture);
	for (unsigned int i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		fixture_pass(fixture, 0, 1, lengths[i]);
		fixture_pass(fixture, 1, 0, lengths[i]);
	}
}

static void broadcast_reaches_all_but_the_sender(void **state)
{
	struct fixture *fixture = *state;

	plug_all(fixture, 3);
	for (unsigned int from = 0; from < 3; from++) {
		fixture_number(fixture, &frame, from, frames_broadcast, 100);
		fixture_send(fixture, from, &frame);
		for (unsigned int to = 0; to < 3; to++)
			if (to != from)
				fixture_expect(fixture, to, &frame);
	}
	/* A guest that had heard itself would find that in front of this. */
	fixture_pass(fixture, 1, 0, 60);
	fixture_pass(fixture, 2, 1, 60);
	fixture_pass(fixture, 0, 2, 60);
}

static void unknown_unicast_is_flooded_and_known_unicast_is_not(void **state)
{
	struct fixture *fixture = *state;

	plug_all(fixture, 3);
	/* Nobody has said anything: guest 1's address is unknown. */
	fixture_number(fixture, &frame, 0, fixture_end(1, 0).mac, 60);
	fixture_send(fixture, 0, &frame);
	fixture_expect(fixture, 1, &frame);
	fixture_expect(fixture, 2, &frame);
	/* Guest 1 answers, to an address that is known by now, and so becomes known itself. */
	fixture_pass(fixture, 1, 0, 60);
	fixture_pass(fixture, 0, 1, 60);
	/* Guest 2 saw nothing of both: the next that it gets is this. */
	fixture_number(fixture, &marker, 0, frames_broadcast, 60);
	fixture_send(fixture, 0, &marker);
	fixture_expect(fixture, 2, &marker);
	fixture_expect(fixture, 1, &marker);
}

static void guest_that_moves_to_another_port_is_found_there(void **state)
{
	struct fixture *fixture = *state;

	plug_all(fixture, 3);
	fixture_introduce(fixture);
	/* Guest 1's address speaks from port 2 now. */
	fixture_number(fixture, &frame, 1, frames_broadcast, 60);
	fixture_send(fixture, 2, &frame);
	fixture_expect(fixture, 0, &frame);
	fixture_expect(fixture, 1, &frame);
	fixture_number(fixture, &frame, 0, fixture_end(1, 0).mac, 60);
	fixture_send(fixture, 0, &frame);
	fixture_expect(fixture, 2, &frame);
	fixture_number(fixture, &marker, 0, frames_broadcast, 60);
	fixture_send(fixture, 0, &marker);
	fixture_expect(fixture, 1, &marker);
}

static void frame_to_the_senders_own_port_is_dropped(void **state)
{
	struct fixture *fixture = *state;

	plug_all(fixture, 2);
	fixture_introduce(fixture);
	fixture_number(fixture, &frame, 0, fixture_end(0, 0).mac, 60);
	fixture_send(fixture, 0, &frame);
	fixture_pass(fixture, 0, 1, 60);
	fixture_pass(fixture, 1, 0, 60);
}

static void bursts_keep_their_order(void **state)
{
	struct fixture *fixture = *state;
	struct driver_frame *burst = calloc(200, sizeof(*burst));

	assert_non_null(burst);
	plug_all(fixture, 2);
	fixture_introduce(fixture);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 200; i++) {
			fixture_number(fixture, &burst[i], 0, fixture_end(1, 0).mac,
				60 + (uint32_t)(round * 200 + i) % 1400);
			/* 64 slots: some of these wait for the back end, with the rest unsent. */
			assert_int_equal(driver_queue(&fixture->ports[0].driver, &burst[i],
						 deadline_in(DEADLINE_STEP_MS)),
				0);
		}
		driver_publish(&fixture->ports[0].driver);
		for (int i = 0; i < 200; i++)
			fixture_expect(fixture, 1, &burst[i]);
	}
	free(burst);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(two_guests_exchange_frames),
	FIXTURE_TEST(broadcast_reaches_all_but_the_sender),
	FIXTURE_TEST(unknown_unicast_is_flooded_and_known_unicast_is_not),
	FIXTURE_TEST(guest_that_moves_to_another_port_is_found_there),
	FIXTURE_TEST(frame_to_the_senders_own_port_is_dropped),
	FIXTURE_TEST(bursts_keep_their_order),
};

FIXTURE_MAIN(tests)
