/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include <errno.h>
#include <string.h>

#include "nat/ports.h"

static struct ports ports;
static struct random prng;

static int setup(void **state)
{
	memset(&ports, 0, sizeof(ports));
	ports_init(&ports, 1, 65535);
	return random_init(&prng);
}

static uint16_t choose(enum port_space space, uint16_t wanted)
{
	uint16_t port = 0;

	assert_int_equal(ports_choose(&ports, space, wanted, &prng, &port), 0);
	assert_false(ports_is_taken(&ports, space, port));
	assert_in_range(port, ports.low, ports.high);
	return port;
}

static void free_port_is_kept(void **state)
{
	for (uint32_t port = 1; port < 65536; port += 13) {
		assert_int_equal(choose(PORT_SPACE_TCP, (uint16_t)port), port);
		assert_int_equal(choose(PORT_SPACE_UDP, (uint16_t)port), port);
		assert_int_equal(choose(PORT_SPACE_ICMP, (uint16_t)port), port);
	}
	/* 0 is never an outside port. */
	assert_int_not_equal(choose(PORT_SPACE_UDP, 0), 0);
}

static void spaces_are_independent(void **state)
{
	ports_take(&ports, PORT_SPACE_TCP, 5000);
	assert_int_not_equal(choose(PORT_SPACE_TCP, 5000), 5000);
	assert_int_equal(choose(PORT_SPACE_UDP, 5000), 5000);
	assert_int_equal(choose(PORT_SPACE_ICMP, 5000), 5000);
	ports_give(&ports, PORT_SPACE_TCP, 5000);
	assert_int_equal(choose(PORT_SPACE_TCP, 5000), 5000);
}

static void halves_are_kept_apart(void **state)
{
	uint16_t unused = 9;

	for (uint32_t port = 1; port < 1024; port++) {
		uint16_t chosen = choose(PORT_SPACE_TCP, 22);

		assert_in_range(chosen, 1, 1023);
		ports_take(&ports, PORT_SPACE_TCP, chosen);
	}
	assert_int_equal(ports_choose(&ports, PORT_SPACE_TCP, 22, &prng, &unused), -EADDRNOTAVAIL);
	assert_int_equal(unused, 9);
	for (uint32_t port = 1024; port < 65536; port++) {
		uint16_t chosen = choose(PORT_SPACE_TCP, 40000);

		assert_in_range(chosen, 1024, 65535);
		ports_take(&ports, PORT_SPACE_TCP, chosen);
	}
	assert_int_equal(
		ports_choose(&ports, PORT_SPACE_TCP, 40000, &prng, &unused), -EADDRNOTAVAIL);
}

/* A block above 1024 serves the low ports too: there is no other. */
static void block_serves_all(void **state)
{
	ports_init(&ports, 50000, 50003);
	for (int i = 0; i < 4; i++)
		ports_take(&ports, PORT_SPACE_TCP, choose(PORT_SPACE_TCP, 22));
	for (uint16_t port = 50000; port <= 50003; port++)
		assert_true(ports_is_taken(&ports, PORT_SPACE_TCP, port));
	assert_false(ports_is_taken(&ports, PORT_SPACE_TCP, 49999));
	assert_false(ports_is_taken(&ports, PORT_SPACE_TCP, 50004));
}

static void udp_parity(void **state)
{
	ports_init(&ports, 50000, 50099);
	for (int i = 0; i < 50; i++) {
		uint16_t chosen = choose(PORT_SPACE_UDP, 5061);

		assert_int_equal(chosen % 2, 1);
		ports_take(&ports, PORT_SPACE_UDP, chosen);
	}
	/* Rather the other parity than nothing. */
	assert_int_equal(choose(PORT_SPACE_UDP, 5061) % 2, 0);
}

/* RFC 6056: not the next one. */
static void choice_is_random(void **state)
{
	uint32_t seen[64] = {0};

	ports_take(&ports, PORT_SPACE_UDP, 40000);
	for (int i = 0; i < 6400; i++)
		seen[choose(PORT_SPACE_UDP, 40000) / 1024]++;
	assert_int_equal(seen[0], 0);
	for (int i = 1; i < 64; i++)
		assert_in_range(seen[i], 40, 200);
}

/* The very ends of words and of the range. */
static void edges(void **state)
{
	static const uint16_t edges_of[] = {1, 63, 64, 127, 1023, 1024, 65471, 65472, 65534, 65535};

	for (size_t i = 0; i < sizeof(edges_of) / sizeof(edges_of[0]); i++) {
		ports_init(&ports, edges_of[i], edges_of[i]);
		assert_int_equal(choose(PORT_SPACE_TCP, 30000), edges_of[i]);
		assert_int_equal(choose(PORT_SPACE_UDP, 30000), edges_of[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(free_port_is_kept, setup),
		cmocka_unit_test_setup(spaces_are_independent, setup),
		cmocka_unit_test_setup(halves_are_kept_apart, setup),
		cmocka_unit_test_setup(block_serves_all, setup),
		cmocka_unit_test_setup(udp_parity, setup),
		cmocka_unit_test_setup(choice_is_random, setup),
		cmocka_unit_test_setup(edges, setup),
	};

	return cmocka_run_group_tests_name("ports", tests, NULL, NULL);
}
