/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/l2.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#define S UINT64_C(1000000000)
#define T0 (1000 * S)
#define SEED UINT64_C(0x1234567890abcdef)

/* A station's address for each number. */
static uint64_t mac(uint32_t number)
{
	uint8_t address[6] = {0x52, 0x54, (uint8_t)(number >> 24), (uint8_t)(number >> 16),
		(uint8_t)(number >> 8), (uint8_t)number};

	return ethernet_load(address);
}

static int setup(void **state)
{
	struct l2_table *table;

	assert_int_equal(l2_new(SEED, &table), 0);
	*state = table;
	return 0;
}

static int teardown(void **state)
{
	l2_free(*state);
	return 0;
}

static void sweep(struct l2_table *table, uint64_t now_ns)
{
	for (int i = 0; i < 8; i++)
		l2_tick(table, now_ns + (uint64_t)i * S);
}

static void test_learn_and_move(void **state)
{
	struct l2_table *table = *state;

	assert_int_equal(table->seed, SEED);
	assert_int_equal(l2_lookup(table, mac(1)), PORT_NONE);
	assert_int_equal(l2_learn(table, mac(1), 0, T0), L2_LEARNED_NEW);
	assert_int_equal(l2_learn(table, mac(2), 64, T0), L2_LEARNED_NEW);
	assert_int_equal(l2_learn(table, mac(1), 0, T0), L2_LEARNED_KNOWN);
	assert_int_equal(l2_lookup(table, mac(1)), 0);
	assert_int_equal(l2_lookup(table, mac(2)), 64);
	assert_int_equal(l2_learn(table, mac(1), 5, T0), L2_LEARNED_MOVED);
	assert_int_equal(l2_lookup(table, mac(1)), 5);
	assert_int_equal(table->port_addresses[0], 0);
	assert_int_equal(table->port_addresses[5], 1);
	assert_int_equal(table->counters.learnt, 2);
	assert_int_equal(table->counters.moved, 1);
}

static void test_group_addresses(void **state)
{
	struct l2_table *table = *state;

	assert_int_equal(l2_learn(table, 0, 1, T0), L2_LEARNED_GROUP);
	assert_int_equal(l2_learn(table, mac(1) | 1, 1, T0), L2_LEARNED_GROUP);
	assert_int_equal(l2_learn(table, L2_ADDRESS_MASK, 1, T0), L2_LEARNED_GROUP);
	assert_int_equal(l2_lookup(table, 0), PORT_NONE);
	assert_int_equal(l2_lookup(table, mac(1) | 1), PORT_NONE);
	assert_int_equal(l2_reserve(table, 0, 1), -EINVAL);
	assert_int_equal(l2_reserve(table, mac(1) | 1, 1), -EINVAL);
	assert_int_equal(l2_reserve(table, mac(1), PORT_NONE), -EINVAL);
	assert_int_equal(table->port_addresses[1], 0);
}

static void test_ageing(void **state)
{
	struct l2_table *table = *state;

	l2_tick(table, T0);
	l2_learn(table, mac(1), 1, T0);
	l2_learn(table, mac(2), 2, T0);
	assert_int_equal(l2_reserve(table, mac(3), 3), 0);
	l2_learn(table, mac(2), 2, T0 + 100 * S);
	sweep(table, T0 + 292 * S);
	assert_int_equal(l2_lookup(table, mac(1)), 1);
	sweep(table, T0 + 300 * S);
	sweep(table, T0 + 308 * S);
	assert_int_equal(l2_lookup(table, mac(1)), PORT_NONE);
	assert_int_equal(l2_lookup(table, mac(2)), 2);
	assert_int_equal(table->counters.aged, 1);
	assert_int_equal(table->port_addresses[1], 0);

	/* One call after a long sleep does it all. */
	l2_tick(table, T0 + 10000 * S);
	assert_int_equal(l2_lookup(table, mac(2)), PORT_NONE);
	assert_int_equal(l2_lookup(table, mac(3)), 3);
}

/* A move is a sign of life. */
static void test_ageing_after_a_move(void **state)
{
	struct l2_table *table = *state;

	l2_tick(table, T0);
	l2_learn(table, mac(1), 1, T0);
	assert_int_equal(l2_learn(table, mac(1), 2, T0 + 200 * S), L2_LEARNED_MOVED);
	l2_tick(table, T0 + 499 * S);
	assert_int_equal(l2_lookup(table, mac(1)), 2);
	l2_tick(table, T0 + 599 * S);
	assert_int_equal(l2_lookup(table, mac(1)), PORT_NONE);
}

/* An eighth of the table a second, however often it is called. */
static void test_tick_is_bounded(void **state)
{
	struct l2_table *table = *state;
	uint64_t aged;

	for (uint32_t i = 0; i < 200; i++)
		l2_learn(table, mac(i), 1, T0);
	l2_tick(table, T0 + 299 * S);
	assert_int_equal(table->counters.aged, 0);
	for (uint64_t i = 0; i < 8; i++) {
		aged = table->counters.aged;
		l2_tick(table, T0 + (300 + i) * S);
		assert_true(table->counters.aged > aged && table->counters.aged < aged + 100);
		aged = table->counters.aged;
		l2_tick(table, T0 + (300 + i) * S + S / 2);
		assert_int_equal(table->counters.aged, aged);
	}
	assert_int_equal(aged, 200);
	assert_int_equal(table->port_addresses[1], 0);
}

/* A guest that floods with addresses gets its share and disturbs nobody. */
static void test_limit_of_a_port(void **state)
{
	struct l2_table *table = *state;
	uint32_t learnt = 0;

	for (uint32_t i = 0; i < 100000; i++)
		learnt += l2_learn(table, mac(1000 + i), 1, T0) == L2_LEARNED_NEW;
	assert_int_equal(table->port_addresses[1], L2_PORT_ADDRESSES_MAX);
	assert_int_equal(learnt, L2_PORT_ADDRESSES_MAX);
	assert_int_equal(table->counters.refused, 100000 - L2_PORT_ADDRESSES_MAX);

	/* It cannot take others' beyond its share either. */
	assert_int_equal(l2_learn(table, mac(1), 2, T0), L2_LEARNED_NEW);
	assert_int_equal(l2_learn(table, mac(1), 1, T0), L2_LEARNED_LIMIT);
	assert_int_equal(l2_lookup(table, mac(1)), 2);
	assert_int_equal(table->counters.refused, 100001 - L2_PORT_ADDRESSES_MAX);
}

/* Many ports that flood: buckets are full, and still a port with one address has its place. */
static void test_full_table(void **state)
{
	struct l2_table *table = *state;
	uint32_t total = 0, entries = 0;

	for (uint32_t i = 0; i < 1000000; i++)
		l2_learn(table, mac(1000 + i), (uint16_t)(2 + i % 60), T0);
	for (uint32_t i = 0; i < 40; i++) {
		assert_int_equal(l2_learn(table, mac(i), 1, T0), L2_LEARNED_NEW);
		assert_int_equal(l2_lookup(table, mac(i)), 1);
	}
	for (int i = 0; i < PORT_MAX; i++)
		total += table->port_addresses[i];
	for (int b = 0; b < L2_BUCKETS; b++) {
		for (int i = 0; i < L2_BUCKET_ENTRIES; i++)
			entries += table->buckets[b].keys[i] != 0;
	}
	assert_int_equal(total, entries);
	assert_true(entries > L2_BUCKETS * L2_BUCKET_ENTRIES * 9 / 10);
}

static void test_reserved(void **state)
{
	struct l2_table *table = *state;

	l2_learn(table, mac(1), 7, T0);
	assert_int_equal(l2_reserve(table, mac(1), 1000), 0);
	assert_int_equal(table->port_addresses[7], 0);
	assert_int_equal(l2_lookup(table, mac(1)), 1000);
	assert_int_equal(l2_reserve(table, mac(1), 1000), 0);
	assert_int_equal(l2_reserve(table, mac(1), 3), -EEXIST);
	assert_int_equal(l2_learn(table, mac(1), 7, T0), L2_LEARNED_RESERVED);
	assert_int_equal(l2_lookup(table, mac(1)), 1000);

	assert_int_equal(l2_reserve(table, mac(2), 7), 0);
	assert_int_equal(l2_learn(table, mac(2), 7, T0), L2_LEARNED_KNOWN);
	l2_learn(table, mac(3), 7, T0);
	l2_forget_port(table, 7);
	assert_int_equal(l2_lookup(table, mac(3)), PORT_NONE);
	assert_int_equal(l2_lookup(table, mac(2)), 7);
	assert_int_equal(table->port_addresses[7], 0);

	l2_release(table, mac(2));
	assert_int_equal(l2_lookup(table, mac(2)), PORT_NONE);
	l2_release(table, mac(2));
	l2_release(table, 0);
	l2_learn(table, mac(3), 7, T0);
	l2_release(table, mac(3));
	assert_int_equal(l2_lookup(table, mac(3)), 7);
	assert_int_equal(table->port_addresses[7], 1);
}

/* Reserved addresses that fill a bucket: no more fit, and none is lost. */
static void test_reserved_bucket(void **state)
{
	struct l2_table *table = *state;
	uint32_t bucket = l2_bucket_index(table, mac(0));
	uint32_t found = 0;

	for (uint32_t i = 0; found <= L2_BUCKET_ENTRIES; i++) {
		if (l2_bucket_index(table, mac(i)) != bucket)
			continue;
		assert_int_equal(
			l2_reserve(table, mac(i), 3), found < L2_BUCKET_ENTRIES ? 0 : -ENOSPC);
		assert_int_equal(l2_learn(table, mac(i), 4, T0),
			found < L2_BUCKET_ENTRIES ? L2_LEARNED_RESERVED : L2_LEARNED_LIMIT);
		found++;
	}
}

/* Different seeds put the same addresses elsewhere; and addresses in a row spread. */
static void test_hash(void **state)
{
	struct l2_table *table = *state;
	uint16_t counts[L2_BUCKETS] = {0};
	uint32_t same = 0, most = 0;

	for (uint32_t i = 0; i < 2048; i++) {
		uint32_t before = l2_bucket_index(table, mac(i));

		if (++counts[before] > most)
			most = counts[before];
		table->seed ^= UINT64_C(0xdeadbeefcafe);
		same += l2_bucket_index(table, mac(i)) == before;
		table->seed ^= UINT64_C(0xdeadbeefcafe);
	}
	assert_true(same < 40);
	assert_true(most <= 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_learn_and_move, setup, teardown),
		cmocka_unit_test_setup_teardown(test_group_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ageing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ageing_after_a_move, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tick_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit_of_a_port, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_table, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reserved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reserved_bucket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hash, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
