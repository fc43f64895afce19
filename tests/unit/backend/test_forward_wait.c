/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames of our own: those that waited for a MAC, the questions for it, and the NAT's. */
#include "tests/unit/frame.h"

#include "backend/drop.h"
#include "backend/forward.h"
#include "tests/unit/backend/world.h"

#define SECOND UINT64_C(1000000000)

static int setup(void **state)
{
	*state = world_new(WORLD_NAT, NULL);
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	assert_int_equal(world->worker->slots->free_count, SLOTS_COUNT);
	world_free(world);
	return 0;
}

/* Makes a session of guest 1, whose address is then forgotten, as after a restart; returns the
 * outside port. */
static uint16_t forgotten_session(struct world *world)
{
	struct world_frame frame = world_udp(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(1),
		WORLD_GUEST_IP(1), WORLD_REMOTE_IP, 4000, 53);
	world_in(world, 1, &frame);
	uint16_t mapped = world_load16(world_sent(world, PORT_UPLINK), 34);
	world_expect(world, 0, 0, 0, 1);
	neighbour_forget_port(world->worker->neighbour, 1);
	return mapped;
}

static struct world_frame inbound(uint16_t mapped)
{
	return world_udp(
		WORLD_NAT_MAC, WORLD_GATEWAY_MAC, WORLD_REMOTE_IP, WORLD_OUTSIDE_IP, 53, mapped);
}

static struct world_frame announcement(void)
{
	return world_arp(
		WORLD_BROADCAST, WORLD_GUEST_MAC(1), 2, WORLD_GUEST_IP(1), WORLD_GATEWAY_IP);
}

static void asks_and_sends_on(void **state)
{
	struct world *world = *state;
	struct world_frame frame = inbound(forgotten_session(world));
	assert_true(forward_has_state(world->worker));
	world_in(world, PORT_UPLINK, &frame);

	/* Every guest is asked, in the gateway's name. */
	const struct world_frame *question = world_sent(world, 2);
	assert_int_equal(world_destination_mac(question), WORLD_BROADCAST);
	assert_int_equal(world_source_mac(question), WORLD_GATEWAY_MAC);
	assert_int_equal(world_load16(question, 20), 1);
	assert_int_equal(world_load16(question, 28), WORLD_GATEWAY_IP >> 16);
	assert_int_equal(world_load16(question, 30), WORLD_GATEWAY_IP & 0xffff);
	assert_int_equal(world_load16(question, 40), WORLD_GUEST_IP(1) & 0xffff);
	world_expect(world, 1, 1, 1, 0);

	/* The answer is for the host, and the frame follows it out of our copy. */
	struct world_frame answer = announcement();
	world_in(world, 1, &answer);
	const struct world_frame *sent = world_sent(world, 1);
	assert_int_equal(world_destination_mac(sent), WORLD_GUEST_MAC(1));
	assert_int_equal(world_source_mac(sent), WORLD_GATEWAY_MAC);
	assert_int_equal(world_source_ip(sent), WORLD_REMOTE_IP);
	assert_int_equal(world_destination_ip(sent), WORLD_GUEST_IP(1));
	assert_memory_equal(sent->bytes + 42, frame.bytes + 42, frame.length - 42);
	world_expect(world, 0, 1, 0, 1);
}

static void asks_again_and_gives_up(void **state)
{
	struct world *world = *state;
	struct world_frame frame = inbound(forgotten_session(world));
	world_in(world, PORT_UPLINK, &frame);
	world_expect(world, 1, 1, 1, 0);
	for (int i = 1; i < NEIGHBOUR_ASKS_MAX; i++) {
		forward_tick(world->worker);
		world_expect(world, 0, 0, 0, 0); /* not yet */
		world->worker->now_ns += SECOND;
		forward_tick(world->worker);
		world_expect(world, 1, 1, 1, 0);
	}
	world->worker->now_ns += SECOND;
	forward_tick(world->worker);
	world_expect(world, 0, 0, 0, 0);
	assert_int_equal(neighbour_next_ns(world->worker->neighbour), UINT64_MAX);
	struct world_frame answer = announcement();
	world_in(world, 1, &answer);
	world_expect(world, 0, 0, 0, 1); /* the answer to the host, and nothing else */
}

static void room_to_wait_has_an_end(void **state)
{
	struct world *world = *state;
	struct world_frame frames[NEIGHBOUR_WAITING_ADDRESS_MAX + 2];
	uint16_t mapped = forgotten_session(world);
	for (uint16_t i = 0; i < NEIGHBOUR_WAITING_ADDRESS_MAX + 2; i++) {
		frames[i] = inbound(mapped);
		frames[i].bytes[100] = (uint8_t)i;
	}
	world_in_burst(world, PORT_UPLINK, frames, NEIGHBOUR_WAITING_ADDRESS_MAX + 2);
	assert_int_equal(world_drops(world, PORT_UPLINK, DROP_NEIGHBOUR_WAIT_FULL), 2);
	world_expect(world, 1, 1, 1, 0);
	struct world_frame answer = announcement();
	world_in(world, 1, &answer);
	for (uint16_t i = 0; i < NEIGHBOUR_WAITING_ADDRESS_MAX; i++)
		assert_int_equal(world->guests[1].sent[i].bytes[100], i);
	world_expect(world, 0, NEIGHBOUR_WAITING_ADDRESS_MAX, 0, 1);
}

/* More frames than are taken at a time. */
static void all_that_waited_comes_at_once(void **state)
{
	struct world *world = *state;
	enum {
		HOSTS = NEIGHBOUR_QUESTIONS_MAX / 2
	};
	/* As many addresses behind guest 1, with a session each. */
	for (uint32_t i = 0; i < HOSTS; i++) {
		struct world_frame frame = world_udp(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(1),
			WORLD_GUEST_IP(50 + i), WORLD_REMOTE_IP, 4000, 53);
		world_in(world, 1, &frame);
	}
	neighbour_forget_port(world->worker->neighbour, 1);
	for (uint32_t i = 0; i < HOSTS; i++) {
		struct world_frame frame = inbound(world_load16(&world->uplink.sent[i], 34));
		world_in(world, PORT_UPLINK, &frame);
		world_in(world, PORT_UPLINK, &frame);
	}
	world_expect(world, HOSTS, HOSTS, HOSTS, HOSTS);
	struct world_frame answers[HOSTS];
	for (uint32_t i = 0; i < HOSTS; i++)
		answers[i] = world_arp(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(1), 2,
			WORLD_GUEST_IP(50 + i), WORLD_GATEWAY_IP);
	world_in_burst(world, 1, answers, HOSTS);
	world_expect(world, 0, 2 * HOSTS, 0, HOSTS);
}

/*
 * A frame that waited came in a slot of the uplink's, but lies in a copy now. When its guest has no
 * room it is dropped: were it held, some other frame's slot would be held instead, and freed twice.
 */
static void frames_that_waited_are_not_held(void **state)
{
	struct world *world = *state;
	struct world_frame frame = inbound(forgotten_session(world));
	world_in(world, PORT_UPLINK, &frame);
	world_expect(world, 1, 1, 1, 0);
	world->guests[1].room = 0;
	struct world_frame answer = announcement();
	world_in(world, 1, &answer);
	assert_int_equal(world->worker->held_count, 0);
	assert_int_equal(world->worker->ports[1].outbox.count, 0);
	assert_int_equal(world_drops(world, 1, DROP_PORT_FULL), 1);
	world_expect(world, 0, 0, 0, 1);
}

/* A question finds no room at a guest for which frames are held: it does not wait behind them. */
static void questions_are_not_held(void **state)
{
	struct world *world = *state;
	uint16_t mapped = forgotten_session(world);
	world->guests[2].room = 0;
	struct world_frame frame = world_udp(
		WORLD_BROADCAST, WORLD_GATEWAY_MAC, WORLD_GATEWAY_IP, WORLD_GUEST_IP(2), 22, 5000);
	world_in(world, PORT_UPLINK, &frame);
	world_expect(world, 1, 1, 0, 0);
	assert_int_equal(world->worker->held_count, 1);

	frame = inbound(mapped);
	world_in(world, PORT_UPLINK, &frame);
	world_expect(world, 1, 1, 0, 0);
	assert_int_equal(world->worker->ports[2].outbox.held, 1);
	assert_int_equal(world->worker->ports[2].outbox.count, 1);
	assert_int_equal(world_drops(world, 2, DROP_PORT_FULL), 1);

	/* The next frame for guest 2 takes what was held with it. */
	world->guests[2].room = WORLD_UNLIMITED;
	frame = world_udp(WORLD_BROADCAST, WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0), 0xac1000ff, 1, 2);
	world_in(world, 0, &frame);
	assert_int_equal(world->worker->held_count, 0);
	world_expect(world, 0, 1, 2, 1);
}

static void state_is_what_can_expire(void **state)
{
	struct world *world = *state;
	assert_false(forward_has_state(world->worker));
	uint16_t mapped = forgotten_session(world);
	assert_true(forward_has_state(world->worker)); /* a session */
	/* UDP: 300 s */
	for (int i = 0; i < 400; i++) {
		world->worker->now_ns += SECOND;
		forward_tick(world->worker);
	}
	assert_false(forward_has_state(world->worker));
	struct world_frame frame = inbound(mapped);
	world_in(world, PORT_UPLINK, &frame);
	world_expect(world, 0, 0, 0, 0);
}

int main(void)
{
#define WAIT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		WAIT_TEST(asks_and_sends_on),
		WAIT_TEST(asks_again_and_gives_up),
		WAIT_TEST(room_to_wait_has_an_end),
		WAIT_TEST(all_that_waited_comes_at_once),
		WAIT_TEST(frames_that_waited_are_not_held),
		WAIT_TEST(questions_are_not_held),
		WAIT_TEST(state_is_what_can_expire),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
