/* SPDX-License-Identifier: BSD-3-Clause */
/* Front ends that come and go, and memory that changes, under traffic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#define ROUNDS 200

static struct driver_frame frame;

static void plug(struct fixture *fixture, unsigned int count)
{
	struct frontend_options options = fixture_options();
	fixture_start(fixture, count, NULL, NULL);
	for (unsigned int i = 0; i < count; i++)
		fixture_plug(fixture, i, &options);
	fixture_introduce(fixture);
}

/* Sends `count` frames and waits for nothing. */
static void pour(struct fixture *fixture, unsigned int from, unsigned int to, int count)
{
	for (int i = 0; i < count; i++) {
		fixture_number(fixture, &frame, from, fixture_end(to, 0).mac, 1000);
		fixture_send(fixture, from, &frame);
	}
}

/* Takes what lies in a guest's receive queue; its rules must have been kept. */
static unsigned int empty(struct fixture *fixture, unsigned int port)
{
	unsigned int count = 0;
	int error;
	while ((error = driver_poll(&fixture->ports[port].driver, &frame)) == 0)
		count++;
	assert_int_equal(error, -EAGAIN);
	return count;
}

static void guest_that_goes_in_the_middle_of_traffic(void **state)
{
	struct fixture *fixture = *state;

	plug(fixture, 4);
	unsigned int fds = fixture_count_fds(fixture);
	for (int i = 0; i < ROUNDS; i++) {
		/* Frames are under way both ways when guest 0 goes. */
		pour(fixture, 0, 3, 20);
		pour(fixture, 3, 0, 20);
		frontend_disconnect(&fixture->ports[0]);
		/* Its neighbours do not notice. */
		fixture_pass(fixture, 1, 2, 1514);
		fixture_pass(fixture, 2, 1, 1514);
		assert_int_equal(frontend_reconnect(&fixture->ports[0], fixture->sockets[0]), 0);
		empty(fixture, 3);
		empty(fixture, 0);
	}
	fixture_fence(fixture, 1, 2);
	/* Whatever was in its ring has been sent by now; none of it is lost or sent twice. */
	assert_int_equal(driver_drain(&fixture->ports[0].driver, deadline_in(DEADLINE_STEP_MS)), 0);
	fixture_fence(fixture, 1, 2);
	empty(fixture, 3);
	empty(fixture, 0);
	fixture_pass(fixture, 0, 3, 60);
	fixture_pass(fixture, 3, 0, 60);
	fixture_expect_fds(fixture, fds);
}

/* Cloud Hypervisor exits, and is started again with another memory. */
static void machine_that_is_started_again(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	plug(fixture, 3);
	unsigned int fds = fixture_count_fds(fixture);
	for (int i = 0; i < ROUNDS; i++) {
		pour(fixture, 1, 0, 20);
		fixture_unplug(fixture, 0);
		fixture_pass(fixture, 1, 2, 60);
		options.ram.regions = 1 + (unsigned int)i % 3;
		options.queue_size = i & 1 ? 1024 : 256;
		fixture_plug(fixture, 0, &options);
		fixture_pass(fixture, 0, 1, 60);
		empty(fixture, 0);
		fixture_pass(fixture, 1, 0, 60);
	}
	/* As many regions as at first, since each has its descriptor. */
	options.ram.regions = 1;
	fixture_unplug(fixture, 0);
	fixture_plug(fixture, 0, &options);
	fixture_expect_fds(fixture, fds);
}

/* Every frame arrives, once and in order, though the sender's memory is announced anew. */
static void memory_table_of_the_sender_anew_under_traffic(void **state)
{
	struct fixture *fixture = *state;
	static struct driver_frame frames[20];

	plug(fixture, 2);
	for (int i = 0; i < ROUNDS; i++) {
		unsigned int from = (unsigned int)i & 1;
		for (int j = 0; j < 20; j++) {
			fixture_number(fixture, &frames[j], from, fixture_end(!from, 0).mac, 1000);
			fixture_send(fixture, from, &frames[j]);
		}
		assert_int_equal(frontend_set_mem_table(&fixture->ports[from]), 0);
		for (int j = 0; j < 20; j++)
			fixture_expect(fixture, !from, &frames[j]);
	}
}

/* Frames to a port whose memory is being changed may be lost, but no rule is broken. */
static void memory_table_of_the_receiver_anew_under_traffic(void **state)
{
	struct fixture *fixture = *state;

	plug(fixture, 2);
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t last = fixture->serial;
		pour(fixture, 0, 1, 20);
		assert_int_equal(frontend_set_mem_table(&fixture->ports[1]), 0);
		assert_int_equal(
			driver_drain(&fixture->ports[0].driver, deadline_in(DEADLINE_STEP_MS)), 0);
		/* So many have arrived as arrive at all: in order, none twice. */
		fixture_number(fixture, &frame, 0, fixture_end(1, 0).mac, 60);
		fixture_send(fixture, 0, &frame);
		for (uint32_t number = 0; number != fixture->serial; last = number) {
			fixture_receive(fixture, 1, &frame);
			memcpy(&number, frame.bytes + FRAMES_ETHERNET, sizeof(number));
			assert_in_range(number, last + 1, fixture->serial);
		}
		fixture_pass(fixture, 1, 0, 60);
	}
}

static void memory_is_plugged_in(void **state)
{
	struct fixture *fixture = *state;

	plug(fixture, 2);
	struct frontend *port = &fixture->ports[0];
	for (unsigned int i = 1; i < GUEST_RAM_REGIONS_MAX; i++) {
		assert_int_equal(guest_ram_grow(&port->ram, 1 << 21), 0);
		assert_int_equal(frontend_set_mem_table(port), 0);
		/* The driver uses the new memory at once. */
		assert_int_equal(driver_drain(&port->driver, deadline_in(DEADLINE_STEP_MS)), 0);
		port->ram.turn = i;
		for (uint16_t slot = 0; slot < 8; slot++) {
			uint64_t at = guest_ram_alloc(&port->ram, 70000, 64);
			assert_true(at >= port->ram.regions[i].guest || slot > 0);
			port->driver.tx_buffers[slot] = at;
		}
		fixture_stream(fixture, 0, 1, 200);
		fixture_stream(fixture, 1, 0, 200);
	}
}

static void ring_is_stopped_and_started_under_traffic(void **state)
{
	struct fixture *fixture = *state;
	static struct driver_frame frames[20];

	plug(fixture, 2);
	struct client *client = &fixture->ports[0].client;
	for (int i = 0; i < ROUNDS; i++) {
		for (int j = 0; j < 20; j++) {
			fixture_number(fixture, &frames[j], 0, fixture_end(1, 0).mac, 1000);
			fixture_send(fixture, 0, &frames[j]);
		}
		assert_int_equal(
			client_set_vring(client, CLIENT_SET_VRING_ENABLE, DRIVER_TX, 0), 0);
		assert_int_equal(
			client_set_vring(client, CLIENT_SET_VRING_ENABLE, DRIVER_TX, 1), 0);
		for (int j = 0; j < 20; j++)
			fixture_expect(fixture, 1, &frames[j]);
		fixture_pass(fixture, 1, 0, 60);
	}
}

/* A disabled ring is left alone (vhost-user: "Ring states"). */
static void disabled_ring_is_left_alone(void **state)
{
	struct fixture *fixture = *state;

	plug(fixture, 3);
	struct client *client = &fixture->ports[0].client;
	struct virtqueue *tx = &fixture->ports[0].driver.queues[DRIVER_TX];
	assert_int_equal(driver_drain(&fixture->ports[0].driver, deadline_in(DEADLINE_STEP_MS)), 0);
	assert_int_equal(client_set_vring(client, CLIENT_SET_VRING_ENABLE, DRIVER_TX, 0), 0);
	uint16_t before = tx->used->idx;
	fixture_number(fixture, &frame, 0, fixture_end(1, 0).mac, 60);
	fixture_send(fixture, 0, &frame);
	fixture_fence(fixture, 1, 2);
	assert_int_equal(tx->used->idx, before);
	assert_int_equal(client_set_vring(client, CLIENT_SET_VRING_ENABLE, DRIVER_TX, 1), 0);
	fixture_expect(fixture, 1, &frame);
}

static void second_connection_leaves_the_first_alone(void **state)
{
	struct fixture *fixture = *state;
	struct client second;

	plug(fixture, 2);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(client_connect(&second, fixture->sockets[0]), 0);
		/* Turned away, before or after what it says. */
		client_send(&second, CLIENT_SET_OWNER, CLIENT_FLAG_VERSION, NULL, 0, NULL, 0);
		assert_int_equal(client_wait_hangup(&second), 0);
		client_disconnect(&second);
		fixture_pass(fixture, 0, 1, 60);
		fixture_pass(fixture, 1, 0, 60);
	}
	/* The one that is there can still be heard, and can still leave. */
	assert_int_equal(frontend_set_mem_table(&fixture->ports[0]), 0);
	fixture_pass(fixture, 0, 1, 60);
	assert_int_equal(frontend_reconnect(&fixture->ports[0], fixture->sockets[0]), 0);
	fixture_pass(fixture, 0, 1, 60);
}

/* More connections than the library has numbers for, at one socket, and silent. */
static void crowd_at_one_socket_keeps_nobody_else_out(void **state)
{
	static struct client crowd[1500];
	const size_t count = sizeof(crowd) / sizeof(crowd[0]);
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 2 * count)
		skip();
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);

	plug(fixture, 2);
	fixture_unplug(fixture, 1);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(client_connect(&crowd[i], fixture->sockets[0]), 0);
	fixture_plug(fixture, 1, &options);
	fixture_introduce(fixture);
	fixture_pass(fixture, 0, 1, 60);
	fixture_pass(fixture, 1, 0, 60);
	for (size_t i = 0; i < count; i++)
		client_disconnect(&crowd[i]);
	/* When they are gone, a front end finds its socket again. That the library has seen them go
	 * shows when it has served somebody else since. */
	fixture_unplug(fixture, 1);
	fixture_plug(fixture, 1, &options);
	assert_int_equal(frontend_reconnect(&fixture->ports[0], fixture->sockets[0]), 0);
	fixture_pass(fixture, 0, 1, 60);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(guest_that_goes_in_the_middle_of_traffic),
	FIXTURE_TEST(machine_that_is_started_again),
	FIXTURE_TEST(memory_table_of_the_sender_anew_under_traffic),
	FIXTURE_TEST(memory_table_of_the_receiver_anew_under_traffic),
	FIXTURE_TEST(memory_is_plugged_in),
	FIXTURE_TEST(ring_is_stopped_and_started_under_traffic),
	FIXTURE_TEST(disabled_ring_is_left_alone),
	FIXTURE_TEST(second_connection_leaves_the_first_alone),
	FIXTURE_TEST(crowd_at_one_socket_keeps_nobody_else_out),
};

FIXTURE_MAIN(tests)
