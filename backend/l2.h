/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which port an Ethernet address lives behind (IEEE 802.1Q, 8.7: the learning process).
 *
 * A hash table of fixed size with buckets of 8 entries. The 8 keys of a bucket fill one cache line,
 * and a key holds the port too, so that a look-up touches that line and nothing else. When an
 * address was last seen lies in another array, which is written once a second and address at most.
 *
 * Limits that a hostile guest meets:
 *  - group addresses and zero are never learnt;
 *  - a port has at most L2_PORT_ADDRESSES_MAX learnt addresses;
 *  - a full bucket gives up the entry of the port with the most addresses, if that has more than
 *    the port that asks: who floods loses its own. The hash is seeded, so that nobody can aim at a
 *    bucket;
 *  - reserved addresses (gateway, NAT, mac= of a port) are never moved, aged or given up.
 *
 * What is not learnt is flooded; so a refusal costs bandwidth, never connectivity.
 *
 * A table has one owner: the worker that calls everything here. Nothing is allocated after
 * l2_new().
 */
#pragma once

#include <stdint.h>

#include "backend/ethernet.h"
#include "backend/port.h"

#define L2_BUCKETS 512
#define L2_BUCKET_ENTRIES 8
#define L2_PORT_ADDRESSES_MAX 256
#define L2_AGE_S 300

/* What became of the source address of a frame. */
enum l2_learned {
	L2_LEARNED_KNOWN,    /* was there already, behind this port */
	L2_LEARNED_NEW,	     /* is there now */
	L2_LEARNED_MOVED,    /* was behind another port, is behind this one now */
	L2_LEARNED_GROUP,    /* refused: no station's address */
	L2_LEARNED_RESERVED, /* refused: reserved for another port */
	L2_LEARNED_LIMIT,    /* refused: the port has its share, or the bucket is full */
};

/* Written by the owner, read by anyone. */
struct l2_counters {
	uint64_t learnt;  /* addresses learnt */
	uint64_t moved;	  /* addresses that changed their port */
	uint64_t aged;	  /* addresses forgotten, L2_AGE_S after their last frame */
	uint64_t refused; /* frames whose address was not learnt for want of room */
};

struct l2_bucket {
	/* Address in the low 48 bits (ethernet.h), port in the high 16; 0: free. */
	uint64_t keys[L2_BUCKET_ENTRIES];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct l2_bucket) == 64, "a bucket is a cache line");

struct l2_table {
	struct l2_bucket buckets[L2_BUCKETS];
	/* When a frame last came from it, CLOCK_MONOTONIC seconds; L2_RESERVED: never ages. */
	uint32_t seen_s[L2_BUCKETS][L2_BUCKET_ENTRIES];
	uint16_t port_addresses[PORT_MAX]; /* learnt addresses of each port */
	uint64_t seed;			   /* of the hash, random */
	uint32_t sweep;			   /* bucket that l2_tick() looks at next */
	uint32_t sweep_s;		   /* when it last looked, CLOCK_MONOTONIC seconds */
	struct l2_counters counters;
};

#define L2_ADDRESS_BITS 48
#define L2_ADDRESS_MASK ((UINT64_C(1) << L2_ADDRESS_BITS) - 1)
#define L2_RESERVED UINT32_MAX

static inline uint32_t l2_bucket_index(const struct l2_table *table, uint64_t address)
{
	uint64_t hash = (address ^ table->seed) * UINT64_C(0x9e3779b97f4a7c15);

	hash ^= hash >> 32;
	return (uint32_t)((hash * UINT64_C(0xd6e8feb86659fd93)) >> 55);
}

_Static_assert(L2_BUCKETS == 1 << (64 - 55), "the hash gives as many bits as there are buckets");

/* The port behind which `address` (ethernet.h) lives, or PORT_NONE. */
static inline uint16_t l2_lookup(const struct l2_table *table, uint64_t address)
{
	const struct l2_bucket *bucket = &table->buckets[l2_bucket_index(table, address)];

	for (int i = 0; i < L2_BUCKET_ENTRIES; i++) {
		if ((bucket->keys[i] & L2_ADDRESS_MASK) == address)
			return address == 0 ? PORT_NONE
					    : (uint16_t)(bucket->keys[i] >> L2_ADDRESS_BITS);
	}
	return PORT_NONE;
}

/* An empty table; `seed` is a random number. Returns 0 or -ENOMEM. */
int l2_new(uint64_t seed, struct l2_table **ret_table);
void l2_free(struct l2_table *table);

/*
 * Notes that a frame from `address` came from `port` (below PORT_MAX). now_ns is CLOCK_MONOTONIC.
 */
enum l2_learned l2_learn(struct l2_table *table, uint64_t address, uint16_t port, uint64_t now_ns);

/*
 * Reserves `address` for `port` (any number but PORT_NONE: also ones that mean the program itself).
 * An entry learnt before is taken over. Returns 0; -EINVAL for an address that no station can have;
 * -EEXIST when it is reserved for another port; -ENOSPC when its bucket is full of reserved ones.
 */
int l2_reserve(struct l2_table *table, uint64_t address, uint16_t port);

/* Ends a reservation; no effect on anything else. */
void l2_release(struct l2_table *table, uint64_t address);

/* Forgets what was learnt behind `port`; reservations stay. */
void l2_forget_port(struct l2_table *table, uint16_t port);

/* Ages an eighth of the table for each second since the last call (all of it at most); to be called
 * about once a second, and cheap when called more often. */
void l2_tick(struct l2_table *table, uint64_t now_ns);
