/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fast path of both directions, inlined into nat_out.c and nat_in.c.
 *
 * Three passes over up to BURST_CHUNK packets, so that the two cache misses of a lookup (bucket,
 * session) of all packets are under way at the same time:
 *   1. keys and hashes; prefetch buckets
 *   2. compare tags; prefetch the sessions that match
 *   3. in order of the packets: verify and apply, or take the slow path
 * What pass 2 found may be gone or reused by pass 3, since the slow path runs in between: keys are
 * compared in pass 3 only, and a record that is free matches no key.
 */
#pragma once

#include "nat/hit.h"
#include "nat/mtu.h"
#include "nat/nat_slow.h"

#define BURST_CHUNK 32

/* Instead of a record: the bucket sent entries on to the next one. */
#define BURST_SEARCH (SESSION_NONE - 1)

struct burst_item {
	struct flow_key key;
	uint64_t hash;	 /* of the key */
	uint32_t record; /* first candidate, BURST_SEARCH or SESSION_NONE */
	enum tcp_event event;
	bool has_key; /* else the packet goes to the slow path at once */
};

static inline void burst_hash(const struct nat *nat, struct burst_item *item,
	const struct packet *p, enum flow_direction direction)
{
	const struct session_table *table = &nat->sessions;

	item->has_key = hit_key(p, direction, &item->key, &item->event);
	if (__builtin_expect(!item->has_key, 0))
		return;
	item->hash = flow_hash(&item->key, table->seed);
	__builtin_prefetch(&table->buckets[item->hash & table->mask]);
}

static inline void burst_candidate(const struct nat *nat, struct burst_item *item)
{
	const struct session_table *table = &nat->sessions;
	const struct session_bucket *bucket;
	uint32_t match;

	item->record = SESSION_NONE;
	if (__builtin_expect(!item->has_key, 0))
		return;
	bucket = &table->buckets[item->hash & table->mask];
	match = session_bucket_match(bucket, session_tag(item->hash));
	if (__builtin_expect(match != 0, 1)) {
		item->record = bucket->records[__builtin_ctz(match)];
		__builtin_prefetch(&table->records[item->record], 1);
	} else if (bucket->overflow != 0) {
		item->record = BURST_SEARCH;
	}
}

/* The session of the item if the fast path may use it, else NULL. */
static inline struct session *burst_session(const struct nat *nat, const struct burst_item *item,
	const struct packet *p, enum flow_direction direction)
{
	const struct session_table *table = &nat->sessions;
	uint32_t record = item->record;
	struct session *s;

	if (__builtin_expect(record == SESSION_NONE, 0))
		return NULL;
	if (__builtin_expect(record == BURST_SEARCH || !session_matches(&table->records[record],
							       &item->key, direction),
		    0)) {
		record = session_find(table, &item->key, item->hash, direction);
		if (record == SESSION_NONE)
			return NULL;
	}
	s = &table->records[record];
	if (__builtin_expect(!hit_is_usable(nat, s, direction, item->event), 0) ||
		mtu_is_exceeded(nat, p, direction))
		return NULL;
	return s;
}

/* Where a packet goes whose source was translated. */
static inline enum nat_verdict burst_after_out(
	struct nat *nat, struct packet *p, const struct session *s)
{
	if (__builtin_expect((s->flags & SESSION_HAIRPIN) != 0, 0))
		return nat_in_one(nat, p);
	return NAT_VERDICT_WORLD;
}

/* `count` is at most BURST_CHUNK. Returns how many packets were hits. */
static inline __attribute__((always_inline)) uint16_t burst_chunk(struct nat *nat,
	struct packet *const packets[], enum nat_verdict verdicts[], uint16_t count,
	enum flow_direction direction)
{
	struct burst_item items[BURST_CHUNK];
	uint16_t hits = 0;

	for (uint16_t i = 0; i < count; i++)
		burst_hash(nat, &items[i], packets[i], direction);
	for (uint16_t i = 0; i < count; i++)
		burst_candidate(nat, &items[i]);
	for (uint16_t i = 0; i < count; i++) {
		struct packet *p = packets[i];
		struct session *s = burst_session(nat, &items[i], p, direction);

		if (__builtin_expect(s != NULL, 1)) {
			hit_apply(nat, p, s, direction, items[i].event);
			verdicts[i] = direction == FLOW_OUT ? burst_after_out(nat, p, s)
							    : NAT_VERDICT_INSIDE;
			hits++;
		} else {
			verdicts[i] =
				direction == FLOW_OUT ? nat_slow_out(nat, p) : nat_slow_in(nat, p);
		}
	}
	return hits;
}
