/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions: one for each inside address:port, remote address:port and protocol. A session holds the
 * whole rewrite of its packets, in one cache line, so that a hit touches nothing else.
 *
 * Records lie in the flow memory. A record is live when its commit word says so; the word is
 * written last when a session comes and first when it goes, so that a process that dies at any
 * instruction leaves no half-written session behind.
 *
 * The index lies in private memory: buckets of one cache line with twelve entries, each a tag of
 * eight hash bits and a record number. Every session has two entries, one for its key in each
 * direction. A bucket that is full sends entries on to the next one and counts them in `overflow`;
 * a search goes on only past buckets with such a count, so that removal needs no tombstones.
 * There are as many buckets as make eight entries on average when the table is full.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "nat/flow.h"
#include "nat/tcp_state.h"

#define SESSION_NONE UINT32_MAX
#define SESSION_LIVE UINT32_C(0x53e5510e)

enum session_flag {
	SESSION_HAIRPIN = 1 << 0, /* the remote address is one of the outside addresses */
	SESSION_INBOUND = 1 << 1, /* opened from outside */
};

struct session {
	uint32_t inside_be;	 /* the guest */
	uint32_t remote_be;	 /* the address that the guest speaks with */
	uint32_t outside_be;	 /* what the remote sees instead of the guest */
	uint16_t inside_port_be; /* ports, or ICMP query identifiers, or 0 */
	uint16_t remote_port_be;
	uint16_t outside_port_be;
	uint8_t protocol;	 /* IPv4 protocol number */
	uint8_t state;		 /* enum session_state */
	uint32_t commit;	 /* SESSION_LIVE; else the record is free and all else is void */
	uint32_t mapping;	 /* index of its mapping; in a free record the next free one */
	uint32_t deadline_ticks; /* when it expires */
	uint64_t bytes_out;	 /* IPv4 lengths, from the guest */
	uint64_t bytes_in;	 /* to the guest */
	uint16_t address_delta;	 /* checksum delta of inside_be -> outside_be */
	uint16_t l4_delta;	 /* what an L4 checksum changes by on the way out: address and port
				  * for TCP and UDP, identifier for ICMP */
	uint32_t created_ticks;
	uint32_t permission; /* index of the permission it holds, or PERMISSION_NONE: the guest
			      * sent nothing yet */
	uint8_t flags;	     /* enum session_flag */
	uint8_t spare[3];
};
static_assert(sizeof(struct session) == 64, "one cache line");
static_assert(offsetof(struct session, remote_be) == 4, "out addresses are one word");
static_assert(
	offsetof(struct session, remote_port_be) == offsetof(struct session, inside_port_be) + 2,
	"out ports are one word");

#define SESSION_BUCKET_ENTRIES 12

struct session_bucket {
	uint8_t tags[SESSION_BUCKET_ENTRIES]; /* 0: entry is free */
	uint32_t overflow;		      /* entries that wanted in and went on */
	uint32_t records[SESSION_BUCKET_ENTRIES];
};
static_assert(sizeof(struct session_bucket) == 64, "one cache line");

struct session_table {
	struct session *records;	/* in the flow memory */
	struct session_bucket *buckets; /* private; a power of two of them */
	uint64_t mask;			/* buckets - 1 */
	uint64_t seed[2];		/* of flow_hash() */
	uint32_t *high;	    /* in the flow memory: records from here on were never used */
	uint32_t capacity;  /* records */
	uint32_t free_head; /* freed records below *high, linked by `mapping` */
	uint32_t live;	    /* live sessions */
};

/*
 * `records` (capacity of them) and `high` lie in the flow memory. The table has no free records
 * below *high until session_table_adopt() or session_remove() say otherwise. 0 or -ENOMEM.
 */
int session_table_init(struct session_table *table, struct session *records, uint32_t *high,
	uint32_t capacity, const uint64_t seed[2]);
void session_table_fini(struct session_table *table);

/*
 * Copies `session` into a free record, commits it and enters it into the index; its commit word
 * does not matter. Neither of its keys may be in use. Returns 0 and the record number, or -ENOSPC.
 */
int session_insert(
	struct session_table *table, const struct session *session, uint32_t *ret_record);

/* Takes a live session out of index and table. */
void session_remove(struct session_table *table, uint32_t record);

/* For adoption: enters a live record into the index, or (`keep` false) makes a free one of it. */
void session_table_adopt(struct session_table *table, uint32_t record, bool keep);

/* The key that packets of direction `direction` have. */
static inline struct flow_key session_key(const struct session *s, enum flow_direction direction)
{
	if (direction == FLOW_OUT)
		return flow_key(s->inside_be, s->inside_port_be, s->remote_be, s->remote_port_be,
			s->protocol);
	return flow_key(
		s->outside_be, s->outside_port_be, s->remote_be, s->remote_port_be, s->protocol);
}

static inline uint8_t session_tag(uint64_t hash)
{
	uint8_t tag = (uint8_t)(hash >> 56);

	return tag == 0 ? 1 : tag;
}

/* A bit for each entry of the bucket that has this tag. */
static inline uint32_t session_bucket_match(const struct session_bucket *bucket, uint8_t tag)
{
#ifdef __SSE2__
	__m128i tags = _mm_load_si128((const __m128i *)(const void *)bucket);

	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8((char)tag))) &
	       ((1U << SESSION_BUCKET_ENTRIES) - 1);
#else
	uint32_t match = 0;

	for (unsigned int i = 0; i < SESSION_BUCKET_ENTRIES; i++)
		match |= (uint32_t)(bucket->tags[i] == tag) << i;
	return match;
#endif
}

/* Whether the record has this key. Free records never do: their protocol is 0 and that of a key in
 * use is not. */
static inline bool session_matches(
	const struct session *s, const struct flow_key *key, enum flow_direction direction)
{
	uint32_t local = direction == FLOW_OUT ? s->inside_be : s->outside_be;
	uint16_t local_port = direction == FLOW_OUT ? s->inside_port_be : s->outside_port_be;

	return (local | (uint64_t)s->remote_be << 32) == key->addresses &&
	       (local_port | (uint32_t)s->remote_port_be << 16 | (uint64_t)s->protocol << 32) ==
		       key->ports;
}

/* The session of a key, or SESSION_NONE. */
static inline uint32_t session_find(const struct session_table *table, const struct flow_key *key,
	uint64_t hash, enum flow_direction direction)
{
	uint8_t tag = session_tag(hash);

	for (uint64_t i = 0; i <= table->mask; i++) {
		const struct session_bucket *bucket = &table->buckets[(hash + i) & table->mask];
		uint32_t match = session_bucket_match(bucket, tag);

		for (; match != 0; match &= match - 1) {
			uint32_t record = bucket->records[__builtin_ctz(match)];

			if (session_matches(&table->records[record], key, direction))
				return record;
		}
		if (bucket->overflow == 0)
			break;
	}
	return SESSION_NONE;
}

/* Begins to fetch the buckets that a session is in or will be in, for who enters or removes it. */
static inline void session_prefetch(const struct session_table *table, const struct session *s)
{
	struct flow_key out = session_key(s, FLOW_OUT), in = session_key(s, FLOW_IN);

	__builtin_prefetch(&table->buckets[flow_hash(&out, table->seed) & table->mask], 1);
	__builtin_prefetch(&table->buckets[flow_hash(&in, table->seed) & table->mask], 1);
}
