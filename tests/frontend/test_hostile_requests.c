/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that have no business here, and what they bring along. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void plug(struct fixture *fixture, unsigned int count)
{
	struct frontend_options options = fixture_options();
	fixture_start(fixture, count, NULL, NULL);
	for (unsigned int i = 0; i < count; i++)
		fixture_plug(fixture, i, &options);
	fixture_introduce(fixture);
}

static void requests_of_what_is_not_offered_are_refused(void **state)
{
	struct fixture *fixture = *state;
	/* IOTLB, configuration, crypto sessions, post-copy, inflight, memory slots, state. */
	static const uint32_t requests[] = {
		22, 24, 25, 26, 27, 28, 29, 30, 31, 32, 36, 37, 38, 41, 42, 43, 1000, UINT32_MAX};
	/* As GET_INFLIGHT_FD reads it: an area of two queues. */
	const struct client_inflight payload = {.queues = 2, .queue_size = 128};

	plug(fixture, 2);
	for (unsigned int i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		int error = client_set(
			&fixture->ports[0].client, requests[i], &payload, sizeof(payload), NULL, 0);
		if (error != -EREMOTEIO)
			fail_msg("request %u: %d", requests[i], error);
	}
	assert_int_equal(fixture_counter(fixture, "worker.requests_refused"),
		sizeof(requests) / sizeof(requests[0]));
	/* Who asks for nothing else is served as before. */
	fixture_stream(fixture, 0, 1, 100);
	fixture_stream(fixture, 1, 0, 100);
}

/* The queues that a VMM sets up and no driver uses take nothing from other guests. */
static void rings_beyond_the_device_take_no_memory(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	plug(fixture, 2);
	for (uint32_t index = 2; index < 256; index++)
		assert_int_equal(client_set_vring(&fixture->ports[0].client, CLIENT_SET_VRING_NUM,
					 index, 32768),
			0);
	fixture_unplug(fixture, 1);
	options.queue_size = 32768;
	options.rx_slots = options.tx_slots = 16;
	fixture_plug(fixture, 1, &options);
	fixture_introduce(fixture);
	fixture_stream(fixture, 0, 1, 100);
	fixture_stream(fixture, 1, 0, 100);
}

/* A message with as many descriptors as fit. */
static int send_with_fds(struct client *client, uint32_t request, uint32_t index)
{
	const struct client_vring_state payload = {.index = index};
	int fds[CLIENT_FDS_MAX];

	for (unsigned int i = 0; i < CLIENT_FDS_MAX; i++)
		fds[i] = client->fd;
	return client_set(client, request, &payload, sizeof(payload), fds, CLIENT_FDS_MAX);
}

static void descriptors_of_refused_messages_are_closed(void **state)
{
	struct fixture *fixture = *state;
	struct client *client = &fixture->ports[0].client;

	plug(fixture, 2);
	unsigned int before = fixture_count_fds(fixture);
	for (int round = 0; round < 8; round++) {
		assert_int_equal(send_with_fds(client, 31, 0), -EREMOTEIO);
		assert_int_equal(send_with_fds(client, CLIENT_SET_VRING_NUM, 0), -EREMOTEIO);
		assert_int_equal(send_with_fds(client, CLIENT_SET_VRING_KICK, 2), 0);
		assert_int_equal(send_with_fds(client, CLIENT_RESET_OWNER, 0), 0);
	}
	fixture_expect_fds(fixture, before);
}

static void descriptors_of_a_second_front_end_are_closed(void **state)
{
	struct fixture *fixture = *state;
	struct client second;

	plug(fixture, 2);
	unsigned int before = fixture_count_fds(fixture);
	for (int round = 0; round < 8; round++) {
		assert_int_equal(client_connect(&second, fixture->sockets[0]), 0);
		second.reply_ack = true;
		assert_int_equal(send_with_fds(&second, CLIENT_SET_MEM_TABLE, 0), -EREMOTEIO);
		assert_int_equal(send_with_fds(&second, CLIENT_SET_VRING_CALL, 0), -EREMOTEIO);
		client_disconnect(&second);
	}
	/* The library has seen that they are gone when it serves the next one. */
	fixture_unplug(fixture, 1);
	struct frontend_options options = fixture_options();
	fixture_plug(fixture, 1, &options);
	fixture_introduce(fixture);
	fixture_stream(fixture, 0, 1, 100);
	fixture_expect_fds(fixture, before);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(requests_of_what_is_not_offered_are_refused),
	FIXTURE_TEST(rings_beyond_the_device_take_no_memory),
	FIXTURE_TEST(descriptors_of_refused_messages_are_closed),
	FIXTURE_TEST(descriptors_of_a_second_front_end_are_closed),
};

FIXTURE_MAIN(tests)
