/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/binding.h"

#include <arpa/inet.h>
#include <errno.h>

#include "backend/parse.h"
#include "tests/unit/frame.h"

/* Ports of the tests. */
enum {
	BOUND,
	MAC_ONLY,
	IP_ONLY,
	FREE
};

static struct binding binding;

/* Stations by number; addresses by last byte. */
static uint64_t mac(uint8_t number)
{
	return ethernet_load((uint8_t[]){0x52, 0x54, 0, 0x12, 0x34, number});
}

static uint32_t ip(uint8_t last)
{
	return htonl(0xac100000U | last);
}

#define GATEWAY_MAC 0xaa
#define NAT_MAC 0xbb

static int setup(void **state)
{
	binding_init(&binding);
	assert_int_equal(binding_reserve_mac(&binding, mac(GATEWAY_MAC)), 0);
	assert_int_equal(binding_reserve_mac(&binding, mac(NAT_MAC)), 0);
	assert_int_equal(binding_reserve_ip(&binding, ip(1)), 0);
	assert_int_equal(binding_reserve_ip(&binding, ip(254)), 0);
	assert_int_equal(binding_set(&binding, BOUND, mac(2), ip(2)), 0);
	assert_int_equal(binding_set(&binding, MAC_ONLY, mac(3), 0), 0);
	assert_int_equal(binding_set(&binding, IP_ONLY, 0, ip(4)), 0);
	return 0;
}

/* A UDP datagram of 28 bytes from these addresses. */
static struct packet datagram(uint64_t source, uint32_t source_be)
{
	struct packet p = {.length = 42, .head_length = 42};
	static const uint8_t start[] = {0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17};

	ethernet_store(p.head, mac(99));
	ethernet_store(p.head + 6, source);
	p.head[12] = 0x08;
	memcpy(p.head + 14, start, sizeof(start));
	memcpy(p.head + 14 + 12, &source_be, 4);
	p.head[14 + 20 + 5] = 8;
	parse_packet(&p);
	assert_int_equal(p.flags, PACKET_IPV4 | PACKET_L4);
	return p;
}

static struct packet arp(uint64_t source, uint64_t sender, uint32_t sender_be)
{
	struct packet p = {.length = 42, .head_length = 42};
	static const uint8_t start[] = {0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1};

	memset(p.head, 0xff, 6);
	ethernet_store(p.head + 6, source);
	memcpy(p.head + 12, start, sizeof(start));
	ethernet_store(p.head + 14 + 8, sender);
	memcpy(p.head + 14 + 14, &sender_be, 4);
	parse_packet(&p);
	assert_int_equal(p.flags, PACKET_ARP | PACKET_BROADCAST);
	return p;
}

struct check {
	uint16_t port;
	uint8_t mac;
	uint8_t ip; /* last byte; 0: 0.0.0.0 */
	enum binding_result result;
};

static const struct check checks[] = {
	{BOUND, 2, 2, BINDING_OK},
	{BOUND, 2, 0, BINDING_OK},
	{BOUND, 5, 2, BINDING_SPOOFED_MAC},
	{BOUND, 3, 2, BINDING_SPOOFED_MAC},
	{BOUND, GATEWAY_MAC, 2, BINDING_SPOOFED_MAC},
	{BOUND, 2, 5, BINDING_SPOOFED_IP},
	{BOUND, 2, 4, BINDING_SPOOFED_IP},
	{BOUND, 2, 1, BINDING_SPOOFED_IP},
	{MAC_ONLY, 3, 3, BINDING_OK},
	{MAC_ONLY, 3, 77, BINDING_OK},
	{MAC_ONLY, 3, 2, BINDING_SPOOFED_IP},
	{MAC_ONLY, 3, 4, BINDING_SPOOFED_IP},
	{MAC_ONLY, 3, 1, BINDING_SPOOFED_IP},
	{MAC_ONLY, 3, 254, BINDING_SPOOFED_IP},
	{MAC_ONLY, 4, 3, BINDING_SPOOFED_MAC},
	{IP_ONLY, 4, 4, BINDING_OK},
	{IP_ONLY, 44, 4, BINDING_OK},
	{IP_ONLY, 44, 0, BINDING_OK},
	{IP_ONLY, 4, 5, BINDING_SPOOFED_IP},
	{IP_ONLY, 2, 4, BINDING_SPOOFED_MAC},
	{FREE, 5, 5, BINDING_OK},
	{FREE, 5, 0, BINDING_OK},
	{FREE, 2, 5, BINDING_SPOOFED_MAC},
	{FREE, 3, 5, BINDING_SPOOFED_MAC},
	{FREE, GATEWAY_MAC, 5, BINDING_SPOOFED_MAC},
	{FREE, NAT_MAC, 5, BINDING_SPOOFED_MAC},
	{FREE, 5, 2, BINDING_SPOOFED_IP},
	{FREE, 5, 4, BINDING_SPOOFED_IP},
	{FREE, 5, 1, BINDING_SPOOFED_IP},
	{FREE, 5, 254, BINDING_SPOOFED_IP},
};

static uint32_t check_ip(const struct check *check)
{
	return check->ip == 0 ? 0 : ip(check->ip);
}

static void test_ipv4(void **state)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		const struct check *c = &checks[i];
		struct packet p = datagram(mac(c->mac), check_ip(c));

		if (binding_check(&binding, c->port, &p) != c->result)
			fail_msg("port %u, mac %u, ip %u", c->port, c->mac, c->ip);
	}
}

static void test_arp(void **state)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		const struct check *c = &checks[i];
		struct packet p = arp(mac(c->mac), mac(c->mac), check_ip(c));

		if (binding_check(&binding, c->port, &p) != c->result)
			fail_msg("port %u, mac %u, ip %u", c->port, c->mac, c->ip);
	}
}

/* The frame's source is right and the ARP packet says something else. */
static void test_arp_sender(void **state)
{
	struct packet p = arp(mac(2), mac(5), ip(2));

	assert_int_equal(binding_check(&binding, BOUND, &p), BINDING_SPOOFED_MAC);
	p = arp(mac(5), mac(2), ip(5));
	assert_int_equal(binding_check(&binding, FREE, &p), BINDING_SPOOFED_MAC);
	p = arp(mac(5), mac(GATEWAY_MAC), ip(5));
	assert_int_equal(binding_check(&binding, FREE, &p), BINDING_SPOOFED_MAC);
	p = arp(mac(5), mac(6), ip(5));
	assert_int_equal(binding_check(&binding, FREE, &p), BINDING_OK);
}

static void test_no_station(void **state)
{
	struct packet p = datagram(0, ip(5));

	assert_int_equal(binding_check(&binding, FREE, &p), BINDING_SPOOFED_MAC);
	p = datagram(mac(5) | 1, ip(5));
	assert_int_equal(binding_check(&binding, FREE, &p), BINDING_SPOOFED_MAC);
}

/* Inside of one VLAN tag the same rules hold; behind two nothing is let through. */
static void test_tags(void **state)
{
	struct packet p = datagram(mac(5), ip(1));

	memmove(p.head + 16, p.head + 12, 30);
	memcpy(p.head + 12, (uint8_t[]){0x81, 0, 0, 0}, 4);
	p.length += 4;
	p.head_length += 4;
	parse_packet(&p);
	assert_int_equal(binding_check(&binding, FREE, &p), BINDING_SPOOFED_IP);

	memmove(p.head + 16, p.head + 12, 34);
	p.length += 4;
	p.head_length += 4;
	parse_packet(&p);
	assert_int_equal(binding_check(&binding, FREE, &p), BINDING_UNREADABLE);

	memcpy(p.head + 12, (uint8_t[]){0x88, 0xa8, 0, 0}, 4);
	parse_packet(&p);
	assert_int_equal(binding_check(&binding, FREE, &p), BINDING_UNREADABLE);
}

static void test_malformed(void **state)
{
	struct packet p = arp(mac(5), mac(5), ip(5));

	p.head[15] = 6;
	parse_packet(&p);
	assert_int_equal(binding_check(&binding, FREE, &p), BINDING_UNREADABLE);
	p = datagram(mac(5), ip(5));
	p.head[14] = 0x46;
	p.head[17] = 20;
	parse_packet(&p);
	assert_int_equal(binding_check(&binding, FREE, &p), BINDING_UNREADABLE);
}

static void test_other_protocols(void **state)
{
	struct packet p = datagram(mac(5), ip(1));

	p.head[12] = 0x86;
	p.head[13] = 0xdd;
	parse_packet(&p);
	assert_int_equal(binding_check(&binding, FREE, &p), BINDING_OK);
	assert_int_equal(binding_check(&binding, BOUND, &p), BINDING_SPOOFED_MAC);
}

static void test_set(void **state)
{
	struct binding before = binding;
	struct packet p = datagram(mac(2), ip(2));

	assert_int_equal(binding_set(&binding, FREE, mac(2), 0), -EEXIST);
	assert_int_equal(binding_set(&binding, FREE, 0, ip(2)), -EEXIST);
	assert_int_equal(binding_set(&binding, FREE, mac(9), ip(1)), -EEXIST);
	assert_int_equal(binding_set(&binding, FREE, mac(GATEWAY_MAC), 0), -EEXIST);
	assert_int_equal(binding_set(&binding, FREE, mac(9) | 1, 0), -EINVAL);
	assert_int_equal(binding_reserve_mac(&binding, mac(2)), -EEXIST);
	assert_int_equal(binding_reserve_ip(&binding, ip(2)), -EEXIST);
	assert_int_equal(binding_reserve_mac(&binding, 0), -EINVAL);
	assert_int_equal(binding_reserve_ip(&binding, 0), -EINVAL);
	assert_memory_equal(&before, &binding, sizeof(binding));

	/* What a port gave up is anybody's. */
	assert_int_equal(binding_set(&binding, BOUND, mac(2), ip(2)), 0);
	assert_int_equal(binding_set(&binding, BOUND, 0, 0), 0);
	assert_int_equal(binding_check(&binding, FREE, &p), BINDING_OK);
	assert_int_equal(binding_set(&binding, FREE, mac(2), ip(2)), 0);
	assert_int_equal(binding_check(&binding, BOUND, &p), BINDING_SPOOFED_MAC);

	assert_int_equal(binding_reserve_ip(&binding, ip(1)), 0);
	assert_int_equal(binding_reserve_ip(&binding, ip(250)), 0);
	assert_int_equal(binding_reserve_ip(&binding, ip(251)), 0);
	assert_int_equal(binding_reserve_ip(&binding, ip(252)), -ENOSPC);
}

/* Addresses without order, so that some meet in the hash sets. */
static uint64_t scattered_mac(uint32_t number)
{
	uint32_t mixed = (number + 1) * 0x85ebca6bU;

	mixed ^= mixed >> 15;
	mixed *= 0xc2b2ae35U;
	return 2 | (uint64_t)mixed << 8;
}

static uint32_t scattered_ip(uint32_t number)
{
	return (uint32_t)(scattered_mac(number) >> 9) | 1;
}

/* As many bindings as there are ports: every one is found. */
static void test_full(void **state)
{
	binding_init(&binding);
	for (uint8_t i = 0; i < PORT_MAX; i++)
		assert_int_equal(binding_set(&binding, i, scattered_mac(i), scattered_ip(i)), 0);
	for (uint8_t i = 0; i < PORT_MAX; i++) {
		for (uint8_t k = 0; k < PORT_MAX; k++) {
			struct packet p = datagram(scattered_mac(i), scattered_ip(k));
			enum binding_result r = binding_check(&binding, i, &p);

			assert_int_equal(r, i == k ? BINDING_OK : BINDING_SPOOFED_IP);
			r = binding_check(&binding, k, &p);
			assert_int_equal(r, i == k ? BINDING_OK : BINDING_SPOOFED_MAC);
		}
	}
	/* A port without a binding of its own meets all of the others. */
	assert_int_equal(binding_set(&binding, 0, 0, 0), 0);
	for (uint8_t i = 1; i < PORT_MAX; i++) {
		struct packet p = datagram(scattered_mac(i), scattered_ip(0));

		assert_int_equal(binding_check(&binding, 0, &p), BINDING_SPOOFED_MAC);
		p = datagram(scattered_mac(0), scattered_ip(i));
		assert_int_equal(binding_check(&binding, 0, &p), BINDING_SPOOFED_IP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_ipv4, setup),
		cmocka_unit_test_setup(test_arp, setup),
		cmocka_unit_test_setup(test_arp_sender, setup),
		cmocka_unit_test_setup(test_no_station, setup),
		cmocka_unit_test_setup(test_tags, setup),
		cmocka_unit_test_setup(test_malformed, setup),
		cmocka_unit_test_setup(test_other_protocols, setup),
		cmocka_unit_test_setup(test_set, setup),
		cmocka_unit_test_setup(test_full, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
