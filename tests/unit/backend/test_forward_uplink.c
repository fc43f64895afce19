/* SPDX-License-Identifier: BSD-3-Clause */
/* The table at the top of forward_uplink.c, line by line. */
#include "tests/unit/frame.h"

#include "backend/drop.h"
#include "tests/unit/backend/world.h"

static int setup_nat(void **state)
{
	*state = world_new(WORLD_NAT, NULL);
	world_introduce(*state);
	return 0;
}

static int setup_kernel(void **state)
{
	*state = world_new(WORLD_KERNEL, NULL);
	world_introduce(*state);
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	/* Whatever came, every slot is free again. */
	assert_int_equal(world->worker->slots->free_count, SLOTS_COUNT);
	world_free(world);
	return 0;
}

/* What the host sends to somebody who answered: from the remote, to the outside address. */
static struct world_frame inbound(uint16_t source_port, uint16_t destination_port)
{
	return world_udp(WORLD_NAT_MAC, WORLD_GATEWAY_MAC, WORLD_REMOTE_IP, WORLD_OUTSIDE_IP,
		source_port, destination_port);
}

/* Opens a session of guest 1 and returns its outside port. */
static uint16_t open_session(struct world *world)
{
	struct world_frame frame = world_udp(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(1),
		WORLD_GUEST_IP(1), WORLD_REMOTE_IP, 4000, 53);
	world_in(world, 1, &frame);
	uint16_t port = world_load16(world_sent(world, PORT_UPLINK), 34);
	world_expect(world, 0, 0, 0, 1);
	return port;
}

static void answers_find_their_guest(void **state)
{
	struct world *world = *state;
	struct world_frame frame = inbound(53, open_session(world));
	world_in(world, PORT_UPLINK, &frame);
	const struct world_frame *sent = world_sent(world, 1);
	assert_int_equal(world_destination_mac(sent), WORLD_GUEST_MAC(1));
	assert_int_equal(world_source_mac(sent), WORLD_GATEWAY_MAC);
	assert_int_equal(world_source_ip(sent), WORLD_REMOTE_IP);
	assert_int_equal(world_destination_ip(sent), WORLD_GUEST_IP(1));
	assert_int_equal(world_load16(sent, 36), 4000);
	world_expect(world, 0, 1, 0, 0);
}

static void uninvited_are_dropped(void **state)
{
	struct world *world = *state;
	struct world_frame frame = inbound(53, 9999);
	world_in(world, PORT_UPLINK, &frame);
	world_expect(world, 0, 0, 0, 0);
	assert_int_equal(world_drops(world, PORT_UPLINK, DROP_NAT + NAT_DROP_NO_MAPPING), 1);
}

static void nats_mac_is_for_its_address_only(void **state)
{
	struct world *world = *state;
	const struct world_frame frames[] = {
		world_udp(WORLD_NAT_MAC, WORLD_GATEWAY_MAC, WORLD_GATEWAY_IP, WORLD_GUEST_IP(1), 1,
			2),
		world_other(WORLD_NAT_MAC, WORLD_GATEWAY_MAC, 0x86dd),
		world_arp(WORLD_NAT_MAC, WORLD_GATEWAY_MAC, 1, WORLD_GATEWAY_IP, WORLD_GUEST_IP(1)),
		world_arp(WORLD_NAT_MAC, WORLD_GATEWAY_MAC, 2, WORLD_GATEWAY_IP, WORLD_OUTSIDE_IP),
	};
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		world_in(world, PORT_UPLINK, &frames[i]);
		world_expect(world, 0, 0, 0, 0);
		assert_int_equal(world_drops(world, PORT_UPLINK, DROP_NO_ROUTE), i + 1);
	}
}

static void arp_for_the_outside_address_is_answered(void **state)
{
	struct world *world = *state;
	const uint64_t to[] = {WORLD_BROADCAST, WORLD_NAT_MAC};
	for (size_t i = 0; i < 2; i++) {
		struct world_frame frame =
			world_arp(to[i], WORLD_GATEWAY_MAC, 1, WORLD_GATEWAY_IP, WORLD_OUTSIDE_IP);
		world_in(world, PORT_UPLINK, &frame);
		const struct world_frame *reply = world_sent(world, PORT_UPLINK);
		assert_int_equal(world_destination_mac(reply), WORLD_GATEWAY_MAC);
		assert_int_equal(world_source_mac(reply), WORLD_NAT_MAC);
		assert_int_equal(world_load16(reply, 20), 2);
		world_expect(world, 0, 0, 0, 1);
	}
}

/* Nobody answers for an address of a NAT that is not there. */
static void arp_without_nat_is_flooded(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_arp(
		WORLD_BROADCAST, WORLD_GATEWAY_MAC, 1, WORLD_GATEWAY_IP, WORLD_OUTSIDE_IP);
	world_in(world, PORT_UPLINK, &frame);
	world_expect(world, 1, 1, 1, 0);
}

static void group_frames_go_to_every_guest(void **state)
{
	struct world *world = *state;
	const struct world_frame frames[] = {
		world_arp(
			WORLD_BROADCAST, WORLD_GATEWAY_MAC, 1, WORLD_GATEWAY_IP, WORLD_GUEST_IP(1)),
		world_other(UINT64_C(0x333300000001), WORLD_GATEWAY_MAC, 0x86dd),
	};
	for (size_t i = 0; i < 2; i++) {
		world_in(world, PORT_UPLINK, &frames[i]);
		world_expect(world, 1, 1, 1, 0);
	}
}

static void known_unicast_goes_to_one(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_udp(WORLD_GUEST_MAC(2), WORLD_GATEWAY_MAC,
		WORLD_GATEWAY_IP, WORLD_GUEST_IP(2), 22, 5000);
	world_in(world, PORT_UPLINK, &frame);
	assert_memory_equal(world_sent(world, 2)->bytes, frame.bytes, frame.length);
	world_expect(world, 0, 0, 1, 0);
}

static void unknown_unicast_is_flooded(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_udp(WORLD_STRANGER_MAC, WORLD_GATEWAY_MAC,
		WORLD_GATEWAY_IP, WORLD_GUEST_IP(2), 22, 5000);
	world_in(world, PORT_UPLINK, &frame);
	world_expect(world, 1, 1, 1, 0);
}

/* What lives behind the uplink is not sent back there: behind a bridge that would be a loop. */
static void nothing_goes_back(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_udp(WORLD_GATEWAY_MAC, WORLD_STRANGER_MAC,
		WORLD_GATEWAY_IP, WORLD_GUEST_IP(2), 22, 5000);
	world_in(world, PORT_UPLINK, &frame);
	world_expect(world, 0, 0, 0, 0);
	assert_int_equal(world_drops(world, PORT_UPLINK, DROP_SAME_PORT), 1);
}

static void lies_of_the_virtio_header_are_dropped(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_udp(WORLD_GUEST_MAC(2), WORLD_GATEWAY_MAC,
		WORLD_GATEWAY_IP, WORLD_GUEST_IP(2), 22, 5000);
	frame.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	world_in(world, PORT_UPLINK, &frame);
	world_expect(world, 0, 0, 0, 0);
	assert_int_equal(world_drops(world, PORT_UPLINK, DROP_VNET_HEADER), 1);
}

/* The host's "checked already" reaches the port, which knows what its driver takes. */
static void validity_is_handed_on(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_udp(WORLD_GUEST_MAC(2), WORLD_GATEWAY_MAC,
		WORLD_GATEWAY_IP, WORLD_GUEST_IP(2), 22, 5000);
	frame.vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	world_in(world, PORT_UPLINK, &frame);
	assert_int_equal(world_sent(world, 2)->vnet.flags, VIRTIO_NET_HDR_F_DATA_VALID);
	world_expect(world, 0, 0, 1, 0);
}

static void burst_of_all_kinds_keeps_its_order(void **state)
{
	struct world *world = *state;
	uint16_t mapped = open_session(world);
	struct world_frame frames[32];
	for (uint16_t i = 0; i < 32; i++)
		frames[i] = i % 2 ? inbound(53, mapped)
				  : world_udp(WORLD_GUEST_MAC(1), WORLD_GATEWAY_MAC,
					    WORLD_GATEWAY_IP, WORLD_GUEST_IP(1), i, 2);
	for (uint16_t i = 0; i < 32; i++)
		frames[i].bytes[100] = (uint8_t)i;
	world_in_burst(world, PORT_UPLINK, frames, 32);
	/* Within each kind; what the NAT translates comes behind. */
	int last[2] = {-1, -1};
	for (uint16_t i = 0; i < 32; i++) {
		int at = world->guests[1].sent[i].bytes[100];
		assert_true(at > last[at % 2]);
		last[at % 2] = at;
	}
	world_expect(world, 0, 32, 0, 0);
}

int main(void)
{
#define NAT_TEST(name) cmocka_unit_test_setup_teardown(name, setup_nat, teardown)
#define KERNEL_TEST(name) cmocka_unit_test_setup_teardown(name, setup_kernel, teardown)
	const struct CMUnitTest tests[] = {
		NAT_TEST(answers_find_their_guest),
		NAT_TEST(uninvited_are_dropped),
		NAT_TEST(nats_mac_is_for_its_address_only),
		NAT_TEST(arp_for_the_outside_address_is_answered),
		KERNEL_TEST(arp_without_nat_is_flooded),
		NAT_TEST(group_frames_go_to_every_guest),
		NAT_TEST(known_unicast_goes_to_one),
		KERNEL_TEST(known_unicast_goes_to_one),
		NAT_TEST(unknown_unicast_is_flooded),
		NAT_TEST(nothing_goes_back),
		NAT_TEST(lies_of_the_virtio_header_are_dropped),
		NAT_TEST(validity_is_handed_on),
		NAT_TEST(burst_of_all_kinds_keeps_its_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
