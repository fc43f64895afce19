/* SPDX-License-Identifier: BSD-3-Clause */
/* The table at the top of forward_guest.c, line by line. */
#include "tests/unit/frame.h"

#include <arpa/inet.h>

#include "backend/drop.h"
#include "tests/unit/backend/world.h"

#define REPLY_AT (ETHERNET_HEADER_LENGTH + 6)

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

static int setup_none(void **state)
{
	*state = world_new(WORLD_NONE, NULL);
	world_introduce(*state);
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

/* ---- who may speak */

static void lies_are_dropped(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_udp(
		WORLD_GUEST_MAC(1), WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0), WORLD_GUEST_IP(1), 1, 2);
	frame.bytes[14] = 0x46; /* a header length that leaves no room */
	frame.bytes[16] = 0xff; /* a total length beyond the frame */
	world_in(world, 0, &frame);
	world_expect(world, 0, 0, 0, 0);
	assert_int_equal(world_drops(world, 0, DROP_MALFORMED), 1);

	frame = world_udp(
		WORLD_GUEST_MAC(1), WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0), WORLD_GUEST_IP(1), 1, 2);
	frame.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4; /* UDP, and no checksum */
	world_in(world, 0, &frame);
	world_expect(world, 0, 0, 0, 0);
	assert_int_equal(world_drops(world, 0, DROP_VNET_HEADER), 1);
}

static void nobody_speaks_as_gateway_or_nat(void **state)
{
	struct world *world = *state;
	const uint64_t macs[] = {WORLD_GATEWAY_MAC, WORLD_NAT_MAC, WORLD_BROADCAST, 0};
	for (size_t i = 0; i < 4; i++) {
		struct world_frame frame = world_udp(
			WORLD_GUEST_MAC(1), macs[i], WORLD_GUEST_IP(0), WORLD_GUEST_IP(1), 1, 2);
		world_in(world, 0, &frame);
		world_expect(world, 0, 0, 0, 0);
		assert_int_equal(world_drops(world, 0, DROP_SPOOFED_MAC), i + 1);
	}
	const uint32_t ips[] = {WORLD_GATEWAY_IP, WORLD_OUTSIDE_IP};
	for (size_t i = 0; i < 2; i++) {
		struct world_frame frame = world_udp(
			WORLD_GUEST_MAC(1), WORLD_GUEST_MAC(0), ips[i], WORLD_GUEST_IP(1), 1, 2);
		world_in(world, 0, &frame);
		frame = world_arp(WORLD_BROADCAST, WORLD_GUEST_MAC(0), 2, ips[i], ips[i]);
		world_in(world, 0, &frame);
		world_expect(world, 0, 0, 0, 0);
		assert_int_equal(world_drops(world, 0, DROP_SPOOFED_IP), 2 * (i + 1));
	}
}

/* Tags are looked behind once; what two of them hide is not let through. */
static void tags_hide_no_spoofing(void **state)
{
	struct world *world = *state;
	struct world_frame plain = world_udp(
		WORLD_GUEST_MAC(1), WORLD_GUEST_MAC(0), WORLD_GATEWAY_IP, WORLD_GUEST_IP(1), 1, 2);
	struct world_frame one = world_tagged(&plain, 0x8100, 0);
	struct world_frame two = world_tagged(&one, 0x8100, 0);
	struct world_frame provider = world_tagged(&plain, 0x88a8, 0);
	world_in(world, 0, &one);
	assert_int_equal(world_drops(world, 0, DROP_SPOOFED_IP), 1);
	world_in(world, 0, &two);
	world_in(world, 0, &provider);
	assert_int_equal(world_drops(world, 0, DROP_MALFORMED), 2);
	world_expect(world, 0, 0, 0, 0);

	plain = world_udp(
		WORLD_GUEST_MAC(1), WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0), WORLD_GUEST_IP(1), 1, 2);
	one = world_tagged(&plain, 0x8100, 7);
	world_in(world, 0, &one);
	assert_memory_equal(world_sent(world, 1)->bytes, one.bytes, one.length);
	world_expect(world, 0, 1, 0, 0);
}

static void bound_ports_keep_to_their_addresses(void **state)
{
	struct world *world = *state;
	const uint8_t mac[] = {0x52, 0x54, 0, 0, 0, 0x10};
	assert_int_equal(worker_bind_port(world->worker, 0, mac, htonl(WORLD_GUEST_IP(0))), 0);

	/* It may not speak as somebody else, and nobody else as it. */
	struct world_frame frame = world_udp(
		WORLD_GUEST_MAC(1), WORLD_STRANGER_MAC, WORLD_GUEST_IP(0), WORLD_GUEST_IP(1), 1, 2);
	world_in(world, 0, &frame);
	assert_int_equal(world_drops(world, 0, DROP_SPOOFED_MAC), 1);
	frame = world_udp(
		WORLD_GUEST_MAC(1), WORLD_GUEST_MAC(0), WORLD_GUEST_IP(2), WORLD_GUEST_IP(1), 1, 2);
	world_in(world, 0, &frame);
	assert_int_equal(world_drops(world, 0, DROP_SPOOFED_IP), 1);
	frame = world_udp(
		WORLD_GUEST_MAC(1), WORLD_GUEST_MAC(0), WORLD_GUEST_IP(2), WORLD_GUEST_IP(1), 1, 2);
	world_in(world, 2, &frame);
	assert_int_equal(world_drops(world, 2, DROP_SPOOFED_MAC), 1);
	frame = world_udp(
		WORLD_GUEST_MAC(1), WORLD_GUEST_MAC(2), WORLD_GUEST_IP(0), WORLD_GUEST_IP(1), 1, 2);
	world_in(world, 2, &frame);
	assert_int_equal(world_drops(world, 2, DROP_SPOOFED_IP), 1);
	world_expect(world, 0, 0, 0, 0);

	/* A group frame with its MAC was not learnt: it is still found at port 0. */
	frame = world_udp(
		WORLD_GUEST_MAC(0), WORLD_GUEST_MAC(2), WORLD_GUEST_IP(2), WORLD_GUEST_IP(0), 1, 2);
	world_in(world, 2, &frame);
	world_expect(world, 1, 0, 0, 0);
}

/* ---- group frames */

static void arp_for_the_gateway_is_the_hosts(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_arp(
		WORLD_BROADCAST, WORLD_GUEST_MAC(0), 1, WORLD_GUEST_IP(0), WORLD_GATEWAY_IP);
	world_in(world, 0, &frame);
	assert_memory_equal(world_sent(world, PORT_UPLINK)->bytes, frame.bytes, frame.length);
	world_expect(world, 0, 0, 0, 1);
}

static void check_arp_reply(struct world *world, uint64_t mac, uint32_t ip)
{
	const struct world_frame *reply = world_sent(world, 0);
	assert_int_equal(world_destination_mac(reply), WORLD_GUEST_MAC(0));
	assert_int_equal(world_source_mac(reply), mac);
	assert_int_equal(world_load16(reply, REPLY_AT), 2);
	assert_int_equal(world_load16(reply, ETHERNET_HEADER_LENGTH + 14), ip >> 16);
	assert_int_equal(world_load16(reply, ETHERNET_HEADER_LENGTH + 16), ip & 0xffff);
	world_expect(world, 1, 0, 0, 0);
}

static void arp_for_the_outside_address_is_answered(void **state)
{
	struct world *world = *state;
	/* Broadcast, and also as a guest asks again whom it knows already (RFC 1122, 2.3.2.1). */
	const uint64_t to[] = {WORLD_BROADCAST, WORLD_NAT_MAC};
	for (size_t i = 0; i < 2; i++) {
		struct world_frame frame = world_arp(
			to[i], WORLD_GUEST_MAC(0), 1, WORLD_GUEST_IP(0), WORLD_OUTSIDE_IP);
		world_in(world, 0, &frame);
		check_arp_reply(world, WORLD_NAT_MAC, WORLD_OUTSIDE_IP);
	}
}

static void arp_for_the_outside_address_without_nat(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_arp(
		WORLD_BROADCAST, WORLD_GUEST_MAC(0), 1, WORLD_GUEST_IP(0), WORLD_OUTSIDE_IP);
	world_in(world, 0, &frame);
	world_expect(world, 0, 1, 1, 1);
}

static void other_group_frames_go_to_all_but_the_sender(void **state)
{
	struct world *world = *state;
	const struct world_frame frames[] = {
		world_arp(WORLD_BROADCAST, WORLD_GUEST_MAC(0), 1, WORLD_GUEST_IP(0),
			WORLD_GUEST_IP(1)),
		world_udp(WORLD_BROADCAST, WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0), 0xac1000ff, 1, 2),
		world_udp(UINT64_C(0x01005e0000fb), WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0),
			0xe00000fb, 5353, 5353),
		world_other(UINT64_C(0x333300000001), WORLD_GUEST_MAC(0), 0x86dd),
		world_other(UINT64_C(0x0180c2000000), WORLD_GUEST_MAC(0), 0x88cc),
	};
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		world_in(world, 0, &frames[i]);
		assert_memory_equal(world_sent(world, 2)->bytes, frames[i].bytes, frames[i].length);
		world_expect(world, 0, 1, 1, 1);
	}
}

/* ---- to the gateway */

static void lan_behind_the_gateway_is_the_hosts(void **state)
{
	struct world *world = *state;
	const struct world_frame frames[] = {
		world_udp(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0),
			WORLD_GATEWAY_IP, 1, 53),
		world_udp(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0),
			WORLD_GUEST_IP(1), 1, 2),
		world_other(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(0), 0x86dd),
		world_arp(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(0), 1, WORLD_GUEST_IP(0),
			WORLD_GATEWAY_IP),
	};
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		world_in(world, 0, &frames[i]);
		assert_memory_equal(
			world_sent(world, PORT_UPLINK)->bytes, frames[i].bytes, frames[i].length);
		world_expect(world, 0, 0, 0, 1);
	}
	assert_int_equal(world->stats.nat.sessions_created, 0);
}

static void world_goes_through_the_nat(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_udp(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(0),
		WORLD_GUEST_IP(0), WORLD_REMOTE_IP, 4000, 53);
	world_in(world, 0, &frame);
	const struct world_frame *sent = world_sent(world, PORT_UPLINK);
	assert_int_equal(world_destination_mac(sent), WORLD_GATEWAY_MAC);
	assert_int_equal(world_source_mac(sent), WORLD_NAT_MAC);
	assert_int_equal(world_source_ip(sent), WORLD_OUTSIDE_IP);
	assert_int_equal(world_destination_ip(sent), WORLD_REMOTE_IP);
	assert_memory_equal(sent->bytes + 42, frame.bytes + 42, frame.length - 42);
	assert_int_equal(frame_sum(0, sent->bytes + ETHERNET_HEADER_LENGTH, 20), 0xffff);
	world_expect(world, 0, 0, 0, 1);
	assert_int_equal(world->stats.nat.sessions_created, 1);
}

static void nat_refusals_are_the_guests(void **state)
{
	struct world *world = *state;
	/* To the outside address, where nobody has a mapping. */
	struct world_frame frame = world_udp(
		WORLD_NAT_MAC, WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0), WORLD_OUTSIDE_IP, 4000, 5000);
	uint64_t before = 0, after = 0;
	for (unsigned int i = DROP_NAT; i < DROP_COUNT; i++)
		before += world_drops(world, 0, i);
	world_in(world, 0, &frame);
	for (unsigned int i = DROP_NAT; i < DROP_COUNT; i++)
		after += world_drops(world, 0, i);
	assert_int_equal(after - before, 1);
	world_expect(world, 0, 0, 0, 0);
}

static void hairpin_comes_back_inside(void **state)
{
	struct world *world = *state;
	/* Guest 1 has a mapping; its outside port is in what it sent. */
	struct world_frame frame = world_udp(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(1),
		WORLD_GUEST_IP(1), WORLD_REMOTE_IP, 4000, 53);
	world_in(world, 1, &frame);
	uint16_t mapped = world_load16(world_sent(world, PORT_UPLINK), 34);
	world_expect(world, 0, 0, 0, 1);
	/* Guest 1 lets the outside address in, from which guest 0 will seem to come. */
	frame = world_udp(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(1), WORLD_GUEST_IP(1),
		WORLD_OUTSIDE_IP, 4000, 9);
	world_in(world, 1, &frame);
	frame = world_udp(WORLD_NAT_MAC, WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0), WORLD_OUTSIDE_IP,
		5000, mapped);
	world_in(world, 0, &frame);
	const struct world_frame *sent = world_sent(world, 1);
	assert_int_equal(world_destination_mac(sent), WORLD_GUEST_MAC(1));
	assert_int_equal(world_source_mac(sent), WORLD_GATEWAY_MAC);
	assert_int_equal(world_source_ip(sent), WORLD_OUTSIDE_IP);
	assert_int_equal(world_destination_ip(sent), WORLD_GUEST_IP(1));
	world_expect(world, 0, 1, 0, 0);
}

static void hosts_nat_gets_everything_as_it_is(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_udp(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(0),
		WORLD_GUEST_IP(0), WORLD_REMOTE_IP, 4000, 53);
	world_in(world, 0, &frame);
	assert_memory_equal(world_sent(world, PORT_UPLINK)->bytes, frame.bytes, frame.length);
	world_expect(world, 0, 0, 0, 1);
}

/* ---- among guests */

static void known_unicast_goes_to_one(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_udp(
		WORLD_GUEST_MAC(2), WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0), WORLD_GUEST_IP(2), 1, 2);
	world_in(world, 0, &frame);
	assert_memory_equal(world_sent(world, 2)->bytes, frame.bytes, frame.length);
	world_expect(world, 0, 0, 1, 0);
}

static void own_port_is_no_destination(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_udp(
		WORLD_GUEST_MAC(0), WORLD_STRANGER_MAC, WORLD_GUEST_IP(0), WORLD_GUEST_IP(0), 1, 2);
	world_in(world, 0, &frame);
	world_expect(world, 0, 0, 0, 0);
	assert_int_equal(world_drops(world, 0, DROP_SAME_PORT), 1);
}

static void unknown_unicast_is_flooded(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_udp(
		WORLD_STRANGER_MAC, WORLD_GUEST_MAC(1), WORLD_GUEST_IP(1), WORLD_GUEST_IP(2), 1, 2);
	world_in(world, 1, &frame);
	world_expect(world, 1, 0, 1, 0);
}

static void a_burst_keeps_its_order(void **state)
{
	struct world *world = *state;
	struct world_frame frames[PORT_BURST];
	for (uint16_t i = 0; i < PORT_BURST; i++)
		frames[i] = world_udp(i % 3 ? WORLD_GUEST_MAC(1) : WORLD_BROADCAST,
			WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0), WORLD_GUEST_IP(1), i, 2);
	unsigned int flushes = world->guests[1].flushes;
	world_in_burst(world, 0, frames, PORT_BURST);
	assert_int_equal(world->guests[1].flushes, flushes + PORT_BURST / WORLD_BURST);
	for (uint16_t i = 0; i < PORT_BURST; i++)
		assert_int_equal(world_load16(&world->guests[1].sent[i], 34), i);
	world_expect(world, 0, PORT_BURST, (PORT_BURST + 2) / 3, (PORT_BURST + 2) / 3);
}

static void full_ports_drop(void **state)
{
	struct world *world = *state;
	struct world_frame frames[10];
	for (uint16_t i = 0; i < 10; i++)
		frames[i] = world_udp(WORLD_GUEST_MAC(1), WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0),
			WORLD_GUEST_IP(1), i, 2);
	world->guests[1].room = 4;
	world_in_burst(world, 0, frames, 10);
	world_expect(world, 0, 4, 0, 0);
	assert_int_equal(world_drops(world, 1, DROP_PORT_FULL), 6);
	assert_int_equal(world->worker->held_count, 0);
	/* Nothing was kept for later. */
	world->guests[1].room = WORLD_UNLIMITED;
	world_in(world, 0, &frames[9]);
	world_expect(world, 0, 1, 0, 0);
}

/* ---- no uplink: chnet is the router */

static void router_answers_arp_and_echo(void **state)
{
	struct world *world = *state;
	const uint64_t to[] = {WORLD_BROADCAST, WORLD_GATEWAY_MAC};
	for (size_t i = 0; i < 2; i++) {
		struct world_frame frame = world_arp(
			to[i], WORLD_GUEST_MAC(0), 1, WORLD_GUEST_IP(0), WORLD_GATEWAY_IP);
		world_in(world, 0, &frame);
		check_arp_reply(world, WORLD_GATEWAY_MAC, WORLD_GATEWAY_IP);
	}
	struct world_frame frame = world_echo(
		WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0), WORLD_GATEWAY_IP);
	world_in(world, 0, &frame);
	const struct world_frame *reply = world_sent(world, 0);
	assert_int_equal(world_destination_mac(reply), WORLD_GUEST_MAC(0));
	assert_int_equal(world_source_mac(reply), WORLD_GATEWAY_MAC);
	assert_int_equal(world_source_ip(reply), WORLD_GATEWAY_IP);
	assert_int_equal(reply->bytes[34], 0);
	world_expect(world, 1, 0, 0, 0);
}

static void router_has_no_way_out(void **state)
{
	struct world *world = *state;
	const struct world_frame frames[] = {
		world_udp(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0), WORLD_REMOTE_IP,
			1, 2),
		world_udp(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0),
			WORLD_GATEWAY_IP, 1, 2),
		world_other(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(0), 0x86dd),
	};
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		world_in(world, 0, &frames[i]);
		world_expect(world, 0, 0, 0, 0);
		assert_int_equal(world_drops(world, 0, DROP_NO_ROUTE), i + 1);
	}
}

/* The NAT's MAC is reserved although there is neither NAT nor uplink. */
static void mac_of_a_nat_that_is_not_there(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_udp(
		WORLD_NAT_MAC, WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0), WORLD_GUEST_IP(1), 1, 2);
	world_in(world, 0, &frame);
	world_expect(world, 0, 0, 0, 0);
	assert_int_equal(world_drops(world, 0, DROP_NO_ROUTE), 1);
}

static void router_floods_to_guests_only(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_other(WORLD_BROADCAST, WORLD_GUEST_MAC(0), 0x88b5);
	world_in(world, 0, &frame);
	world_expect(world, 0, 1, 1, 0);
	frame = world_other(WORLD_STRANGER_MAC, WORLD_GUEST_MAC(0), 0x88b5);
	world_in(world, 0, &frame);
	world_expect(world, 0, 1, 1, 0);
}

int main(void)
{
#define NAT_TEST(name) cmocka_unit_test_setup_teardown(name, setup_nat, teardown)
#define KERNEL_TEST(name) cmocka_unit_test_setup_teardown(name, setup_kernel, teardown)
#define NONE_TEST(name) cmocka_unit_test_setup_teardown(name, setup_none, teardown)
	const struct CMUnitTest tests[] = {
		NAT_TEST(lies_are_dropped),
		NAT_TEST(nobody_speaks_as_gateway_or_nat),
		NAT_TEST(tags_hide_no_spoofing),
		NAT_TEST(bound_ports_keep_to_their_addresses),
		NAT_TEST(arp_for_the_gateway_is_the_hosts),
		KERNEL_TEST(arp_for_the_gateway_is_the_hosts),
		NAT_TEST(arp_for_the_outside_address_is_answered),
		KERNEL_TEST(arp_for_the_outside_address_without_nat),
		NAT_TEST(other_group_frames_go_to_all_but_the_sender),
		NAT_TEST(lan_behind_the_gateway_is_the_hosts),
		KERNEL_TEST(lan_behind_the_gateway_is_the_hosts),
		NAT_TEST(world_goes_through_the_nat),
		NAT_TEST(nat_refusals_are_the_guests),
		NAT_TEST(hairpin_comes_back_inside),
		KERNEL_TEST(hosts_nat_gets_everything_as_it_is),
		NAT_TEST(known_unicast_goes_to_one),
		NONE_TEST(known_unicast_goes_to_one),
		NAT_TEST(own_port_is_no_destination),
		NAT_TEST(unknown_unicast_is_flooded),
		NAT_TEST(a_burst_keeps_its_order),
		NAT_TEST(full_ports_drop),
		NONE_TEST(router_answers_arp_and_echo),
		NONE_TEST(router_has_no_way_out),
		NONE_TEST(mac_of_a_nat_that_is_not_there),
		NONE_TEST(router_floods_to_guests_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
