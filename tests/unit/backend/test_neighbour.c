/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/neighbour.h"

#include <arpa/inet.h>
#include <errno.h>

#include "backend/ethernet.h"
#include "tests/unit/frame.h"

#define S UINT64_C(1000000000)
#define T0 (1000 * S)
#define ASKS 64

static uint64_t mac(uint8_t number)
{
	return ethernet_load((uint8_t[]){0x52, 0x54, 0, 0x12, 0x34, number});
}

static uint32_t ip(uint32_t host)
{
	return htonl(0xac100000U + host);
}

static int setup(void **state)
{
	uint32_t reserved[] = {ip(1), ip(254), htonl(0x01020304)};
	struct neighbour_config config = {
		.lan_be = ip(1),
		.prefix = 24,
		.reserved_be = reserved,
		.reserved_count = 3,
	};
	struct neighbour_table *table;

	assert_int_equal(neighbour_new(&config, &table), 0);
	*state = table;
	return 0;
}

static int teardown(void **state)
{
	neighbour_free(*state);
	return 0;
}

static void assert_at(struct neighbour_table *table, uint32_t host, uint8_t number, uint16_t port,
	uint64_t now_ns)
{
	uint64_t found_mac;
	uint16_t found_port;

	assert_int_equal(neighbour_lookup(table, ip(host), now_ns, &found_mac, &found_port), 0);
	assert_int_equal(found_mac, mac(number));
	assert_int_equal(found_port, port);
}

static void assert_lost(struct neighbour_table *table, uint32_t host, int result)
{
	uint64_t found_mac = 5;
	uint16_t found_port = 6;

	assert_int_equal(neighbour_lookup(table, ip(host), T0, &found_mac, &found_port), result);
	assert_int_equal(found_mac, 5);
	assert_int_equal(found_port, 6);
}

/* A frame of `length` bytes, all `fill`. */
static struct frame *make_frame(uint32_t length, uint8_t fill)
{
	uint8_t bytes[NEIGHBOUR_WAITING_BYTES + 300];

	memset(bytes, fill, sizeof(bytes));
	return frame_new(bytes, length, 128, 500);
}

static int wait_for(struct neighbour_table *table, uint32_t host, uint32_t length, uint8_t fill,
	uint64_t now_ns)
{
	struct frame *f = make_frame(length, fill);
	int r = neighbour_wait(table, ip(host), &f->packet, now_ns);

	frame_free(f);
	return r;
}

static void test_learn(void **state)
{
	struct neighbour_table *table = *state;

	assert_lost(table, 2, -ENOENT);
	neighbour_learn_arp(table, ip(2), mac(2), 3, T0);
	neighbour_learn_ipv4(table, ip(3), mac(3), 4, T0);
	assert_at(table, 2, 2, 3, T0);
	assert_at(table, 3, 3, 4, T0);
	assert_int_equal(neighbour_counters(table)->learnt, 2);

	/* A forged datagram moves nobody; ARP does. */
	neighbour_learn_ipv4(table, ip(2), mac(9), 9, T0 + S);
	assert_at(table, 2, 2, 3, T0);
	neighbour_learn_arp(table, ip(2), mac(9), 9, T0 + S);
	assert_at(table, 2, 9, 9, T0);
	neighbour_learn_arp(table, ip(2), mac(9), 8, T0 + S);
	assert_at(table, 2, 9, 8, T0);
	assert_int_equal(neighbour_counters(table)->moved, 2);
	assert_int_equal(neighbour_counters(table)->learnt, 2);
}

static void test_not_learnt(void **state)
{
	static const uint32_t hosts[] = {0, 1, 254, 255, 256, 0x10000};
	struct neighbour_table *table = *state;

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		neighbour_learn_arp(table, ip(hosts[i]), mac(2), 3, T0);
		neighbour_learn_ipv4(table, ip(hosts[i]), mac(2), 3, T0);
		assert_lost(table, hosts[i], -EHOSTUNREACH);
		assert_int_equal(neighbour_set_static(table, ip(hosts[i]), mac(2), 3), -EINVAL);
		neighbour_unset(table, ip(hosts[i]));
		assert_lost(table, hosts[i], -EHOSTUNREACH);
		assert_int_equal(wait_for(table, hosts[i], 60, 1, T0), -ENOBUFS);
	}
	neighbour_learn_arp(table, 0, mac(2), 3, T0);
	neighbour_learn_arp(table, ip(5), 0, 3, T0);
	neighbour_learn_arp(table, ip(5), mac(2) | 1, 3, T0);
	assert_lost(table, 5, -ENOENT);
	assert_int_equal(neighbour_counters(table)->learnt, 0);
	assert_int_equal(neighbour_next_ns(table), UINT64_MAX);
}

static void test_static(void **state)
{
	struct neighbour_table *table = *state;

	neighbour_learn_arp(table, ip(2), mac(9), 9, T0);
	assert_int_equal(neighbour_set_static(table, ip(2), mac(2), 3), 0);
	assert_int_equal(neighbour_set_static(table, ip(3), mac(3) | 1, 3), -EINVAL);
	neighbour_learn_arp(table, ip(2), mac(9), 9, T0);
	assert_at(table, 2, 2, 3, T0 + 100000 * S);
	assert_int_equal(neighbour_next_ns(table), UINT64_MAX);
	neighbour_forget_port(table, 3);
	assert_at(table, 2, 2, 3, T0);
	neighbour_unset(table, ip(2));
	assert_lost(table, 2, -ENOENT);
}

static void test_forget_port(void **state)
{
	struct neighbour_table *table = *state;

	neighbour_learn_arp(table, ip(2), mac(2), 3, T0);
	neighbour_learn_arp(table, ip(3), mac(3), 4, T0);
	neighbour_forget_port(table, 3);
	assert_lost(table, 2, -ENOENT);
	assert_at(table, 3, 3, 4, T0);
	neighbour_learn_ipv4(table, ip(2), mac(2), 3, T0);
	assert_at(table, 2, 2, 3, T0);
}

/* Asked at once and every second, three times; then the packets are gone and their room is free. */
static void test_nobody_answers(void **state)
{
	struct neighbour_table *table = *state;
	const struct neighbour_counters *counters = neighbour_counters(table);
	uint32_t asks[ASKS];

	for (int round = 0; round < 100; round++) {
		uint64_t t = T0 + (uint64_t)round * 10 * S;

		assert_int_equal(wait_for(table, 2, 1000, 1, t), 0);
		for (uint64_t i = 0; i < NEIGHBOUR_ASKS_MAX; i++) {
			assert_int_equal(neighbour_next_ns(table), t + i * S);
			if (i > 0)
				assert_int_equal(
					neighbour_ask(table, t + i * S - 1, asks, ASKS), 0);
			assert_int_equal(neighbour_ask(table, t + i * S, asks, ASKS), 1);
			assert_int_equal(asks[0], ip(2));
		}
		assert_int_equal(wait_for(table, 2, 1000, 2, t + 2 * S), 0);
		assert_int_equal(neighbour_ask(table, t + 3 * S, asks, ASKS), 0);
		assert_int_equal(neighbour_next_ns(table), UINT64_MAX);
		assert_int_equal(counters->wait_expired, 2 * (round + 1));
	}
	assert_int_equal(counters->waited, 200);
	assert_int_equal(counters->asked, 300);
	assert_int_equal(counters->wait_full, 0);
}

static void test_answer(void **state)
{
	struct neighbour_table *table = *state;
	struct packet *packets[8];
	uint16_t ports[8];
	uint32_t asks[ASKS];
	uint8_t bytes[4096];

	assert_int_equal(wait_for(table, 2, 1514, 0xa1, T0), 0);
	assert_int_equal(wait_for(table, 3, 60, 0xa2, T0), 0);
	assert_int_equal(wait_for(table, 2, 60, 0xa3, T0), 0);
	assert_int_equal(neighbour_ask(table, T0, asks, ASKS), 2);
	assert_int_equal(neighbour_take(table, packets, ports, 8), 0);

	neighbour_learn_arp(table, ip(2), mac(2), 7, T0 + S / 1000);
	assert_int_equal(neighbour_take(table, packets, ports, 1), 1);
	assert_int_equal(ports[0], 7);
	assert_int_equal(frame_bytes(packets[0], bytes, sizeof(bytes)), 1514);
	assert_int_equal(ethernet_load(bytes), mac(2));
	for (int i = 6; i < 1514; i++)
		assert_int_equal(bytes[i], 0xa1);
	assert_int_equal(neighbour_take(table, packets, ports, 8), 1);
	assert_int_equal(frame_bytes(packets[0], bytes, sizeof(bytes)), 60);
	assert_int_equal(bytes[6], 0xa3);
	assert_int_equal(neighbour_take(table, packets, ports, 8), 0);

	/* The other one goes on. */
	assert_int_equal(neighbour_ask(table, T0 + S, asks, ASKS), 1);
	assert_int_equal(asks[0], ip(3));
	assert_int_equal(neighbour_set_static(table, ip(3), mac(3), 8), 0);
	assert_int_equal(neighbour_take(table, packets, ports, 8), 1);
	assert_int_equal(ports[0], 8);
	assert_int_equal(ethernet_load(packets[0]->head), mac(3));
	assert_int_equal(neighbour_next_ns(table), UINT64_MAX);
}

/* An entry that was not heard of for long still works while it is asked for. */
static void test_stale(void **state)
{
	struct neighbour_table *table = *state;
	uint32_t asks[ASKS];
	uint64_t t = T0 + NEIGHBOUR_STALE_S * S;

	neighbour_learn_arp(table, ip(2), mac(2), 3, T0);
	assert_at(table, 2, 2, 3, t - S);
	assert_int_equal(neighbour_ask(table, t - S, asks, ASKS), 0);
	assert_at(table, 2, 2, 3, t);
	assert_at(table, 2, 2, 3, t);
	assert_int_equal(neighbour_ask(table, t, asks, ASKS), 1);
	assert_int_equal(asks[0], ip(2));
	assert_at(table, 2, 2, 3, t + S);

	/* Any frame of it is an answer. */
	neighbour_learn_ipv4(table, ip(2), mac(2), 3, t + S);
	assert_int_equal(neighbour_next_ns(table), UINT64_MAX);
	assert_at(table, 2, 2, 3, t + S);

	t += S + NEIGHBOUR_STALE_S * S;
	for (uint64_t i = 0; i < NEIGHBOUR_ASKS_MAX; i++) {
		assert_at(table, 2, 2, 3, t + i * S);
		assert_int_equal(neighbour_ask(table, t + i * S, asks, ASKS), 1);
	}
	assert_int_equal(neighbour_ask(table, t + NEIGHBOUR_ASKS_MAX * S, asks, ASKS), 0);
	assert_lost(table, 2, -ENOENT);
	assert_int_equal(neighbour_counters(table)->wait_expired, 0);
}

static void test_limits(void **state)
{
	struct neighbour_table *table = *state;
	const struct neighbour_counters *counters = neighbour_counters(table);
	uint32_t asks[ASKS];
	uint32_t waited = 0, host;

	/* Too long a frame; the longest that fits. */
	assert_int_equal(wait_for(table, 2, 128 + NEIGHBOUR_WAITING_BYTES + 1, 1, T0), -ENOBUFS);
	assert_int_equal(wait_for(table, 2, 128 + NEIGHBOUR_WAITING_BYTES, 1, T0), 0);
	/* One address. */
	for (waited = 1; wait_for(table, 2, 60, 1, T0) == 0;)
		waited++;
	assert_int_equal(waited, NEIGHBOUR_WAITING_ADDRESS_MAX);
	/* All packets. */
	for (host = 3; waited < NEIGHBOUR_WAITING_MAX; host++) {
		while (waited < NEIGHBOUR_WAITING_MAX && wait_for(table, host, 60, 1, T0) == 0)
			waited++;
	}
	assert_int_equal(wait_for(table, host, 60, 1, T0), -ENOBUFS);
	assert_int_equal(counters->waited, NEIGHBOUR_WAITING_MAX);
	/* They are told in pieces, each once. */
	assert_int_equal(neighbour_ask(table, T0, asks, 5), 5);
	assert_int_equal(neighbour_ask(table, T0, asks + 5, ASKS - 5), host - 2 - 5);
	for (uint32_t i = 0; i < host - 2; i++)
		assert_int_equal(asks[i], ip(2 + i));
	assert_int_equal(neighbour_ask(table, T0, asks, ASKS), 0);
}

static void test_limit_of_questions(void **state)
{
	struct neighbour_table *table = *state;

	for (uint32_t i = 0; i < NEIGHBOUR_QUESTIONS_MAX; i++)
		assert_int_equal(wait_for(table, 2 + i, 60, 1, T0), 0);
	assert_int_equal(wait_for(table, 2 + NEIGHBOUR_QUESTIONS_MAX, 60, 1, T0), -ENOBUFS);
	neighbour_learn_arp(table, ip(2), mac(2), 3, T0);
	assert_int_equal(wait_for(table, 2 + NEIGHBOUR_QUESTIONS_MAX, 60, 1, T0), 0);
}

/* Taken and answered packets give their room back, whatever the order. */
static void test_room_comes_back(void **state)
{
	struct neighbour_table *table = *state;
	struct packet *packets[3];
	uint16_t ports[3];

	for (uint32_t round = 0; round < 1000; round++) {
		uint32_t host = 2 + round % 3;
		int left = 4;

		neighbour_unset(table, ip(host));
		for (int i = 0; i < 4; i++)
			assert_int_equal(wait_for(table, host, 200, (uint8_t)i, T0), 0);
		neighbour_learn_arp(table, ip(host), mac(2), 3, T0);
		while (left > 0)
			left -= neighbour_take(table, packets, ports, 3);
		assert_int_equal(left, 0);
	}
	assert_int_equal(neighbour_counters(table)->waited, 4000);
}

static void test_prefixes(void **state)
{
	for (uint8_t prefix = 0; prefix <= 33; prefix++) {
		struct neighbour_config config = {.lan_be = ip(1), .prefix = prefix};
		struct neighbour_table *table = NULL;
		bool good = prefix >= 16 && prefix <= 30;
		uint32_t last;

		assert_int_equal(neighbour_new(&config, &table), good ? 0 : -EINVAL);
		if (!good)
			continue;
		last = (UINT32_C(1) << (32 - prefix)) - 2;
		neighbour_learn_arp(table, ip(last), mac(2), 3, T0);
		assert_at(table, last, 2, 3, T0);
		assert_lost(table, last + 1, -EHOSTUNREACH);
		assert_lost(table, last + 2, -EHOSTUNREACH);
		neighbour_free(table);
	}
	neighbour_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_learn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_learnt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_static, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forget_port, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit_of_questions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_room_comes_back, setup, teardown),
		cmocka_unit_test(test_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
