/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nat/session.h"

#define CAPACITY 4096

struct memory {
	struct session records[CAPACITY];
	uint32_t high;
};

static struct session make(uint32_t i)
{
	return (struct session){
		.inside_be = 0x020010ac,
		.remote_be = i * 2654435761u,
		.outside_be = 0xfe0010ac,
		.inside_port_be = (uint16_t)i,
		.remote_port_be = (uint16_t)(i >> 16),
		.outside_port_be = (uint16_t)~i,
		.protocol = IPPROTO_UDP,
		.state = SESSION_UDP,
	};
}

static uint32_t find(
	const struct session_table *table, const struct session *s, enum flow_direction direction)
{
	struct flow_key key = session_key(s, direction);

	return session_find(table, &key, flow_hash(&key, table->seed), direction);
}

static void init(struct session_table *table, struct memory *memory)
{
	static const uint64_t seed[2] = {0x123456789abcdef0, 0xfedcba9876543211};

	memset(memory, 0xff, sizeof(*memory)); /* what was there before does not matter */
	memory->high = 0;
	assert_int_equal(
		session_table_init(table, memory->records, &memory->high, CAPACITY, seed), 0);
}

/* Full, emptied in another order, filled again; at each step all lookups are right. */
static void fill_and_empty(void **state)
{
	static uint32_t records[CAPACITY];
	struct memory *memory = malloc(sizeof(*memory));
	struct session_table table;
	struct session s;
	uint32_t unused;

	init(&table, memory);
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < CAPACITY; i++) {
			s = make(i + round * CAPACITY);
			assert_int_equal(find(&table, &s, FLOW_OUT), SESSION_NONE);
			assert_int_equal(find(&table, &s, FLOW_IN), SESSION_NONE);
			assert_int_equal(session_insert(&table, &s, &records[i]), 0);
			assert_int_equal(memory->records[records[i]].commit, SESSION_LIVE);
		}
		assert_int_equal(table.live, CAPACITY);
		s = make(UINT32_MAX);
		unused = 77;
		assert_int_equal(session_insert(&table, &s, &unused), -ENOSPC);
		assert_int_equal(unused, 77);
		for (uint32_t i = 0; i < CAPACITY; i++) {
			uint32_t j = i * 2731 % CAPACITY;

			s = make(j + round * CAPACITY);
			assert_int_equal(find(&table, &s, FLOW_OUT), records[j]);
			assert_int_equal(find(&table, &s, FLOW_IN), records[j]);
			session_remove(&table, records[j]);
			assert_int_equal(memory->records[records[j]].commit, 0);
			assert_int_equal(find(&table, &s, FLOW_OUT), SESSION_NONE);
			assert_int_equal(find(&table, &s, FLOW_IN), SESSION_NONE);
		}
	}
	assert_int_equal(table.live, 0);
	for (uint64_t i = 0; i <= table.mask; i++) {
		assert_int_equal(table.buckets[i].overflow, 0);
		assert_int_equal(session_bucket_match(&table.buckets[i], 0), 0xfff);
	}
	session_table_fini(&table);
	free(memory);
}

/* Keys that differ in one field only are different. */
static void every_field_counts(void **state)
{
	struct memory *memory = malloc(sizeof(*memory));
	struct session_table table;
	struct session s = make(99), other;
	uint32_t record;

	init(&table, memory);
	assert_int_equal(session_insert(&table, &s, &record), 0);
#define DIFFERS(field, out, in)                                                          \
	other = s;                                                                       \
	other.field ^= 1;                                                                \
	assert_int_equal(find(&table, &other, FLOW_OUT), (out) ? SESSION_NONE : record); \
	assert_int_equal(find(&table, &other, FLOW_IN), (in) ? SESSION_NONE : record)
	DIFFERS(inside_be, true, false);
	DIFFERS(inside_port_be, true, false);
	DIFFERS(outside_be, false, true);
	DIFFERS(outside_port_be, false, true);
	DIFFERS(remote_be, true, true);
	DIFFERS(remote_port_be, true, true);
	DIFFERS(protocol, true, true);
	session_table_fini(&table);
	free(memory);
}

/* The vector comparison against a loop. */
static void bucket_match(void **state)
{
	_Alignas(64) struct session_bucket bucket;

	for (int round = 0; round < 10000; round++) {
		uint8_t tag = (uint8_t)(random() % 4);
		uint32_t match = 0;

		memset(&bucket, tag, sizeof(bucket));
		for (unsigned int i = 0; i < SESSION_BUCKET_ENTRIES; i++) {
			bucket.tags[i] = (uint8_t)(random() % 4);
			match |= (uint32_t)(bucket.tags[i] == tag) << i;
		}
		assert_int_equal(session_bucket_match(&bucket, tag), match);
	}
}

/* A seed that sends all keys to the same few buckets: overflow works, and ends. */
static void long_overflow(void **state)
{
	struct memory *memory = malloc(sizeof(*memory));
	struct session_table table;
	static uint32_t records[CAPACITY];
	struct session s;

	init(&table, memory);
	table.seed[0] = 0x020010ac; /* all hashes of FLOW_OUT keys with remote 0 are 0 */
	for (uint32_t i = 0; i < 1000; i++) {
		s = make(i);
		s.remote_be = 0;
		assert_int_equal(session_insert(&table, &s, &records[i]), 0);
	}
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t j = i * 7 % 1000;

		s = make(j);
		s.remote_be = 0;
		assert_int_equal(find(&table, &s, FLOW_OUT), records[j]);
		assert_int_equal(find(&table, &s, FLOW_IN), records[j]);
		session_remove(&table, records[j]);
		assert_int_equal(find(&table, &s, FLOW_OUT), SESSION_NONE);
	}
	for (uint64_t i = 0; i <= table.mask; i++)
		assert_int_equal(table.buckets[i].overflow, 0);
	session_table_fini(&table);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fill_and_empty),
		cmocka_unit_test(every_field_counts),
		cmocka_unit_test(bucket_match),
		cmocka_unit_test(long_overflow),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
