/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/session.h"

#include <errno.h>

#include "nat/table_memory.h"

#define ENTRIES_PER_BUCKET_WHEN_FULL 8

int session_table_init(struct session_table *table, struct session *records, uint32_t *high,
	uint32_t capacity, const uint64_t seed[2])
{
	uint32_t buckets = table_power_of_two(capacity / ENTRIES_PER_BUCKET_WHEN_FULL * 2);

	*table = (struct session_table){
		.records = records,
		.mask = buckets - 1,
		.seed = {seed[0], seed[1]},
		.high = high,
		.capacity = capacity,
		.free_head = SESSION_NONE,
	};
	table->buckets = table_memory_new((size_t)buckets * sizeof(*table->buckets));
	return table->buckets == NULL ? -ENOMEM : 0;
}

void session_table_fini(struct session_table *table)
{
	table_memory_free(table->buckets, (table->mask + 1) * sizeof(*table->buckets));
	*table = (struct session_table){0};
}

static void index_add(struct session_table *table, uint32_t record, enum flow_direction direction)
{
	struct flow_key key = session_key(&table->records[record], direction);
	uint64_t hash = flow_hash(&key, table->seed);

	/* Ends, since a full table leaves a third of the entries free. */
	for (uint64_t i = hash;; i++) {
		struct session_bucket *bucket = &table->buckets[i & table->mask];
		uint32_t match = session_bucket_match(bucket, 0);

		if (match != 0) {
			int entry = __builtin_ctz(match);

			bucket->tags[entry] = session_tag(hash);
			bucket->records[entry] = record;
			return;
		}
		bucket->overflow++;
	}
}

static void index_remove(
	struct session_table *table, uint32_t record, enum flow_direction direction)
{
	struct flow_key key = session_key(&table->records[record], direction);
	uint64_t hash = flow_hash(&key, table->seed);
	uint8_t tag = session_tag(hash);

	/* Ends, since the entry exists. */
	for (uint64_t i = hash;; i++) {
		struct session_bucket *bucket = &table->buckets[i & table->mask];
		uint32_t match = session_bucket_match(bucket, tag);

		for (; match != 0; match &= match - 1) {
			int entry = __builtin_ctz(match);

			if (bucket->records[entry] == record) {
				bucket->tags[entry] = 0;
				return;
			}
		}
		bucket->overflow--;
	}
}

int session_insert(struct session_table *table, const struct session *session, uint32_t *ret_record)
{
	struct session copy = *session;
	uint32_t record = table->free_head;
	struct session *s;

	if (record != SESSION_NONE) {
		s = &table->records[record];
		table->free_head = s->mapping;
	} else if (*table->high < table->capacity) {
		record = *table->high;
		s = &table->records[record];
		/* Whatever lies there was never looked at: not live before it is in range. */
		__atomic_store_n(&s->commit, 0, __ATOMIC_RELAXED);
		__atomic_store_n(table->high, record + 1, __ATOMIC_RELEASE);
	} else {
		return -ENOSPC;
	}

	copy.commit = 0;
	*s = copy;
	__atomic_store_n(&s->commit, SESSION_LIVE, __ATOMIC_RELEASE);
	index_add(table, record, FLOW_OUT);
	index_add(table, record, FLOW_IN);
	table->live++;
	*ret_record = record;
	return 0;
}

static void make_free(struct session_table *table, uint32_t record)
{
	struct session *s = &table->records[record];

	s->protocol = 0;
	s->mapping = table->free_head;
	table->free_head = record;
}

void session_remove(struct session_table *table, uint32_t record)
{
	__atomic_store_n(&table->records[record].commit, 0, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	index_remove(table, record, FLOW_OUT);
	index_remove(table, record, FLOW_IN);
	make_free(table, record);
	table->live--;
}

void session_table_adopt(struct session_table *table, uint32_t record, bool keep)
{
	if (keep) {
		index_add(table, record, FLOW_OUT);
		index_add(table, record, FLOW_IN);
		table->live++;
		return;
	}
	__atomic_store_n(&table->records[record].commit, 0, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	make_free(table, record);
}
