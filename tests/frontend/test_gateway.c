/* SPDX-License-Identifier: BSD-3-Clause */
/* The gateway that guests find where no host stands behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#include <string.h>

static struct driver_frame frame;
static struct driver_frame got;

static void plug(struct fixture *fixture, uint64_t features)
{
	struct frontend_options options = fixture_options();
	fixture_start(fixture, 2, fixture_full, NULL);
	fixture_plug(fixture, 1, &options);
	options.features = features;
	fixture_plug(fixture, 0, &options);
	fixture_introduce(fixture);
}

/* Asks for the gateway by ARP; the answer's hardware address is the gateway's. */
static struct frames_end resolve(struct fixture *fixture, const uint8_t asked_mac[6])
{
	struct frames_end self = fixture_end(0, 0);
	struct frames_end gateway = {.ip = FIXTURE_GATEWAY_IP};
	struct frames_view view;

	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_arp(frame.bytes, FRAMES_ARP_REQUEST, &self, &gateway);
	memcpy(frame.bytes + FRAMES_ETHERNET + 18, asked_mac, 6);
	fixture_send(fixture, 0, &frame);
	fixture_receive(fixture, 0, &got);
	assert_int_equal(frames_parse(got.bytes, got.length, &view), 0);
	assert_int_equal(view.type, FRAMES_TYPE_ARP);
	assert_int_equal(view.operation, FRAMES_ARP_REPLY);
	assert_memory_equal(view.target, self.mac, 6);
	assert_memory_equal(view.source, view.arp_source, 6);
	assert_memory_equal(view.arp_target, self.mac, 6);
	assert_int_equal(view.ip_source, FIXTURE_GATEWAY_IP);
	assert_int_equal(view.ip_target, self.ip);
	assert_int_equal(view.arp_source[0] & 1, 0);
	memcpy(gateway.mac, view.arp_source, 6);
	return gateway;
}

static void gateway_answers_arp(void **state)
{
	struct fixture *fixture = *state;

	plug(fixture, 0);
	struct frames_end first = resolve(fixture, frames_zero);
	/* RedoxOS fills the unknown address with ones. */
	struct frames_end second = resolve(fixture, frames_broadcast);
	assert_memory_equal(first.mac, second.mac, 6);
}

static void arp_for_another_guest_goes_to_that_guest(void **state)
{
	struct fixture *fixture = *state;
	struct frames_end self = fixture_end(0, 0);
	struct frames_end other = fixture_end(1, 0);

	plug(fixture, 0);
	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_arp(frame.bytes, FRAMES_ARP_REQUEST, &self, &other);
	fixture_send(fixture, 0, &frame);
	fixture_expect(fixture, 1, &frame);
	frame.length = frames_arp(frame.bytes, FRAMES_ARP_REPLY, &other, &self);
	fixture_send(fixture, 1, &frame);
	fixture_expect(fixture, 0, &frame);
}

static void ping_gateway(struct fixture *fixture)
{
	static const uint32_t sizes[] = {0, 1, 8, 56, 57, 100, 101, 300, 1000, 1472};
	uint8_t data[1472];
	struct frames_end gateway = resolve(fixture, frames_zero);
	struct frames_view view;

	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 3 + 1);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct frames_end self = fixture_end(0, 0xabcd);
		gateway.port = (uint16_t)i;
		memset(&frame.vnet, 0, sizeof(frame.vnet));
		frame.length = frames_icmp_echo(
			frame.bytes, &self, &gateway, FRAMES_ICMP_ECHO, data, sizes[i]);
		fixture_send(fixture, 0, &frame);
		fixture_receive(fixture, 0, &got);
		assert_int_equal(got.length, frame.length);
		assert_int_equal(frames_parse(got.bytes, got.length, &view), 0);
		assert_memory_equal(view.target, self.mac, 6);
		assert_memory_equal(view.source, gateway.mac, 6);
		assert_int_equal(view.ip_source, FIXTURE_GATEWAY_IP);
		assert_int_equal(view.ip_target, self.ip);
		assert_int_equal(view.icmp_type, FRAMES_ICMP_ECHO_REPLY);
		assert_int_equal(view.icmp_code, 0);
		assert_int_equal(view.port_source, 0xabcd);
		assert_int_equal(view.port_target, i);
		assert_int_equal(view.payload_length, sizes[i]);
		assert_memory_equal(view.payload, data, sizes[i]);
		assert_true(view.checksum_ip);
		assert_true(view.checksum_l4);
		assert_true(view.ttl > 0);
	}
}

static void gateway_answers_ping(void **state)
{
	plug(*state, 0);
	ping_gateway(*state);
}

static void gateway_answers_ping_of_a_guest_with_offloads(void **state)
{
	plug(*state, fixture_options().features);
	ping_gateway(*state);
}

static void another_address_at_the_gateway_is_unreachable(void **state)
{
	struct fixture *fixture = *state;

	plug(fixture, 0);
	struct frames_end gateway = resolve(fixture, frames_zero);
	struct frames_end self = fixture_end(0, 7);
	gateway.ip = 0x08080808;
	frame.length = frames_icmp_echo(frame.bytes, &self, &gateway, FRAMES_ICMP_ECHO, "x", 1);
	fixture_send(fixture, 0, &frame);
	fixture_pass(fixture, 0, 1, 60);
	fixture_pass(fixture, 1, 0, 60);
	assert_int_equal(fixture_counter(fixture, "port.0.drop.no_route"), 1);
}

static void malformed_requests_are_not_answered(void **state)
{
	struct fixture *fixture = *state;

	plug(fixture, 0);
	struct frames_end gateway = resolve(fixture, frames_zero);
	struct frames_end self = fixture_end(0, 7);
	/* Cut short at every length. */
	uint32_t whole =
		frames_icmp_echo(frame.bytes, &self, &gateway, FRAMES_ICMP_ECHO, "0123456789", 10);
	for (uint32_t length = FRAMES_ETHERNET; length < whole; length++) {
		frame.length = length;
		fixture_send(fixture, 0, &frame);
	}
	/* ARP likewise. */
	whole = frames_arp(frame.bytes, FRAMES_ARP_REQUEST, &self, &gateway);
	for (uint32_t length = FRAMES_ETHERNET; length < whole; length++) {
		frame.length = length;
		memcpy(frame.bytes, gateway.mac, 6);
		fixture_send(fixture, 0, &frame);
	}
	fixture_pass(fixture, 1, 0, 60);
	fixture_pass(fixture, 0, 1, 60);
}

/* An answer, if there is one, does not hide that the request was damaged. */
static void damaged_ping_is_not_made_whole(void **state)
{
	struct fixture *fixture = *state;
	struct frames_view view;

	plug(fixture, fixture_options().features);
	struct frames_end gateway = resolve(fixture, frames_zero);
	struct frames_end self = fixture_end(0, 7);
	frame.length =
		frames_icmp_echo(frame.bytes, &self, &gateway, FRAMES_ICMP_ECHO, "0123456789", 10);
	frame.bytes[frame.length - 1] ^= 1;
	fixture_send(fixture, 0, &frame);
	fixture_number(fixture, &frame, 1, fixture_end(0, 0).mac, 60);
	fixture_send(fixture, 1, &frame);
	fixture_receive(fixture, 0, &got);
	assert_int_equal(frames_parse(got.bytes, got.length, &view), 0);
	if (view.type == FRAMES_TYPE_IPV4)
		assert_false(view.checksum_l4);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(gateway_answers_arp),
	FIXTURE_TEST(arp_for_another_guest_goes_to_that_guest),
	FIXTURE_TEST(gateway_answers_ping),
	FIXTURE_TEST(gateway_answers_ping_of_a_guest_with_offloads),
	FIXTURE_TEST(another_address_at_the_gateway_is_unreachable),
	FIXTURE_TEST(malformed_requests_are_not_answered),
	FIXTURE_TEST(damaged_ping_is_not_made_whole),
};

FIXTURE_MAIN(tests)
