/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest bound by mac= and ip= speaks with these addresses only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#include <string.h>

static struct driver_frame frame;

/* Guest 0 is bound, guests 1 and 2 are not. */
static void plug(struct fixture *fixture)
{
	static const char *const suffixes[] = {",mac=52:54:00:12:34:56,ip=172.16.0.2", NULL, NULL};
	struct frontend_options options = fixture_options();

	fixture_start(fixture, 3, suffixes, NULL);
	for (unsigned int i = 0; i < 3; i++)
		fixture_plug(fixture, i, &options);
	fixture_introduce(fixture);
}

/* `frame` goes to nobody: what follows it is what arrives next. */
static void expect_dropped(struct fixture *fixture)
{
	fixture_send(fixture, 0, &frame);
	fixture_pass(fixture, 0, 1, 60);
	fixture_pass(fixture, 0, 2, 60);
}

static void own_addresses_pass(void **state)
{
	struct fixture *fixture = *state;
	struct frames_end from = fixture_end(0, 1000);
	struct frames_end to = fixture_end(1, 2000);

	plug(fixture);
	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_udp(frame.bytes, &from, &to, "hello", 5);
	fixture_send(fixture, 0, &frame);
	fixture_expect(fixture, 1, &frame);
	frame.length = frames_arp(frame.bytes, FRAMES_ARP_REQUEST, &from, &to);
	fixture_send(fixture, 0, &frame);
	fixture_expect(fixture, 1, &frame);
	fixture_expect(fixture, 2, &frame);
	frame.length = frames_arp(frame.bytes, FRAMES_ARP_REPLY, &from, &to);
	fixture_send(fixture, 0, &frame);
	fixture_expect(fixture, 1, &frame);
	/* An ARP probe (RFC 5227) and a DHCP client speak before they have an address. */
	from.ip = 0;
	frame.length = frames_arp(frame.bytes, FRAMES_ARP_REQUEST, &from, &to);
	fixture_send(fixture, 0, &frame);
	fixture_expect(fixture, 1, &frame);
	fixture_expect(fixture, 2, &frame);
}

static void anothers_mac_is_dropped(void **state)
{
	struct fixture *fixture = *state;

	plug(fixture);
	/* As guest 1, and as nobody that was ever seen. */
	fixture_number(fixture, &frame, 1, fixture_end(2, 0).mac, 60);
	expect_dropped(fixture);
	fixture_number(fixture, &frame, 3, frames_broadcast, 60);
	expect_dropped(fixture);
	assert_int_equal(fixture_counter(fixture, "port.0.drop.spoofed_mac"), 2);
	/* And guest 1's address was not learnt at the wrong port. */
	fixture_pass(fixture, 2, 1, 60);
}

static void anothers_ip_is_dropped(void **state)
{
	struct fixture *fixture = *state;
	struct frames_end from = fixture_end(0, 1000);
	struct frames_end to = fixture_end(1, 2000);

	plug(fixture);
	from.ip = FIXTURE_FIRST_IP + 2;
	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_udp(frame.bytes, &from, &to, "hello", 5);
	expect_dropped(fixture);
	from.ip = FIXTURE_GATEWAY_IP;
	frame.length = frames_tcp(frame.bytes, &from, &to, 1, FRAMES_TCP_ACK, "hello", 5);
	expect_dropped(fixture);
	assert_int_equal(fixture_counter(fixture, "port.0.drop.spoofed_ip"), 2);
}

static void arp_for_anothers_address_is_dropped(void **state)
{
	struct fixture *fixture = *state;
	struct frames_end from = fixture_end(0, 0);
	struct frames_end to = fixture_end(1, 0);

	plug(fixture);
	memset(&frame.vnet, 0, sizeof(frame.vnet));
	from.ip = FIXTURE_FIRST_IP + 2;
	frame.length = frames_arp(frame.bytes, FRAMES_ARP_REPLY, &from, &to);
	expect_dropped(fixture);
	from.ip = FIXTURE_GATEWAY_IP;
	frame.length = frames_arp(frame.bytes, FRAMES_ARP_REQUEST, &from, &to);
	expect_dropped(fixture);
	/* Its own MAC outside, another's inside. */
	from = fixture_end(2, 0);
	from.ip = FIXTURE_FIRST_IP;
	frame.length = frames_arp(frame.bytes, FRAMES_ARP_REPLY, &from, &to);
	memcpy(frame.bytes + 6, fixture_end(0, 0).mac, 6);
	expect_dropped(fixture);
}

static void unbound_guest_cannot_take_a_bound_address(void **state)
{
	struct fixture *fixture = *state;

	plug(fixture);
	/* Guest 2 says it were guest 0; guest 0 goes on getting its frames. */
	fixture_number(fixture, &frame, 0, fixture_end(1, 0).mac, 60);
	fixture_send(fixture, 2, &frame);
	fixture_fence(fixture, 2, 0);
	while (driver_poll(&fixture->ports[1].driver, &frame) == 0)
		;
	fixture_pass(fixture, 1, 0, 60);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(own_addresses_pass),
	FIXTURE_TEST(anothers_mac_is_dropped),
	FIXTURE_TEST(anothers_ip_is_dropped),
	FIXTURE_TEST(arp_for_anothers_address_is_dropped),
	FIXTURE_TEST(unbound_guest_cannot_take_a_bound_address),
};

FIXTURE_MAIN(tests)
