/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/l2.h"

#include <errno.h>
#include <stdlib.h>

#define NS_PER_S UINT64_C(1000000000)
/* The whole table in 8 s. */
#define BUCKETS_PER_S (L2_BUCKETS / 8)

static uint64_t make_key(uint64_t address, uint16_t port)
{
	return address | (uint64_t)port << L2_ADDRESS_BITS;
}

static uint16_t key_port(uint64_t key)
{
	return (uint16_t)(key >> L2_ADDRESS_BITS);
}

/* The entry of `address` in bucket `b`, or -1. */
static int find(const struct l2_table *table, uint32_t b, uint64_t address)
{
	for (int i = 0; i < L2_BUCKET_ENTRIES; i++) {
		if ((table->buckets[b].keys[i] & L2_ADDRESS_MASK) == address)
			return i;
	}
	return -1;
}

/* Empties an entry, learnt or reserved. */
static void clear(struct l2_table *table, uint32_t b, int i)
{
	if (table->seen_s[b][i] != L2_RESERVED)
		table->port_addresses[key_port(table->buckets[b].keys[i])]--;
	table->buckets[b].keys[i] = 0;
	table->seen_s[b][i] = 0;
}

/*
 * Finds a place in bucket `b` for an address of a port with `share` learnt addresses: a free entry,
 * or that of the port with the most addresses above `share`. Returns the now free entry, or -1.
 */
static int make_room(struct l2_table *table, uint32_t b, uint32_t share)
{
	int victim = -1;

	for (int i = 0; i < L2_BUCKET_ENTRIES; i++) {
		uint64_t key = table->buckets[b].keys[i];

		if (key == 0)
			return i;
		if (table->seen_s[b][i] == L2_RESERVED)
			continue;
		if (table->port_addresses[key_port(key)] > share) {
			share = table->port_addresses[key_port(key)];
			victim = i;
		}
	}
	if (victim >= 0)
		clear(table, b, victim);
	return victim;
}

int l2_new(uint64_t seed, struct l2_table **ret_table)
{
	struct l2_table *table = aligned_alloc(_Alignof(struct l2_table), sizeof(*table));

	if (table == NULL)
		return -ENOMEM;
	memset(table, 0, sizeof(*table));
	table->seed = seed;
	*ret_table = table;
	return 0;
}

void l2_free(struct l2_table *table)
{
	free(table);
}

/* An address that is not known yet. */
static enum l2_learned learn_new(
	struct l2_table *table, uint32_t b, uint64_t address, uint16_t port, uint32_t now_s)
{
	int i = -1;

	if (table->port_addresses[port] < L2_PORT_ADDRESSES_MAX)
		i = make_room(table, b, table->port_addresses[port]);
	if (i < 0) {
		table->counters.refused++;
		return L2_LEARNED_LIMIT;
	}
	table->buckets[b].keys[i] = make_key(address, port);
	table->seen_s[b][i] = now_s;
	table->port_addresses[port]++;
	table->counters.learnt++;
	return L2_LEARNED_NEW;
}

enum l2_learned l2_learn(struct l2_table *table, uint64_t address, uint16_t port, uint64_t now_ns)
{
	uint32_t b = l2_bucket_index(table, address);
	uint32_t now_s = (uint32_t)(now_ns / NS_PER_S);
	int i;

	if (!ethernet_is_station(address))
		return L2_LEARNED_GROUP;
	i = find(table, b, address);
	if (i < 0)
		return learn_new(table, b, address, port, now_s);

	if (table->buckets[b].keys[i] == make_key(address, port)) {
		if (table->seen_s[b][i] != now_s && table->seen_s[b][i] != L2_RESERVED)
			table->seen_s[b][i] = now_s;
		return L2_LEARNED_KNOWN;
	}
	if (table->seen_s[b][i] == L2_RESERVED)
		return L2_LEARNED_RESERVED;
	if (table->port_addresses[port] >= L2_PORT_ADDRESSES_MAX) {
		table->counters.refused++;
		return L2_LEARNED_LIMIT;
	}
	table->port_addresses[key_port(table->buckets[b].keys[i])]--;
	table->port_addresses[port]++;
	table->buckets[b].keys[i] = make_key(address, port);
	table->seen_s[b][i] = now_s;
	table->counters.moved++;
	return L2_LEARNED_MOVED;
}

int l2_reserve(struct l2_table *table, uint64_t address, uint16_t port)
{
	uint32_t b = l2_bucket_index(table, address);
	int i;

	if (!ethernet_is_station(address) || address > L2_ADDRESS_MASK || port == PORT_NONE)
		return -EINVAL;
	i = find(table, b, address);
	if (i >= 0 && table->seen_s[b][i] == L2_RESERVED)
		return table->buckets[b].keys[i] == make_key(address, port) ? 0 : -EEXIST;
	if (i >= 0)
		clear(table, b, i);
	else
		i = make_room(table, b, 0);
	if (i < 0)
		return -ENOSPC;
	table->buckets[b].keys[i] = make_key(address, port);
	table->seen_s[b][i] = L2_RESERVED;
	return 0;
}

void l2_release(struct l2_table *table, uint64_t address)
{
	uint32_t b = l2_bucket_index(table, address);
	int i = find(table, b, address);

	if (address != 0 && i >= 0 && table->seen_s[b][i] == L2_RESERVED)
		clear(table, b, i);
}

void l2_forget_port(struct l2_table *table, uint16_t port)
{
	for (uint32_t b = 0; b < L2_BUCKETS; b++) {
		for (int i = 0; i < L2_BUCKET_ENTRIES; i++) {
			uint64_t key = table->buckets[b].keys[i];

			if (key != 0 && key_port(key) == port && table->seen_s[b][i] != L2_RESERVED)
				clear(table, b, i);
		}
	}
}

static void age_bucket(struct l2_table *table, uint32_t b, uint32_t now_s)
{
	for (int i = 0; i < L2_BUCKET_ENTRIES; i++) {
		if (table->buckets[b].keys[i] == 0 || table->seen_s[b][i] == L2_RESERVED)
			continue;
		if (now_s - table->seen_s[b][i] < L2_AGE_S)
			continue;
		clear(table, b, i);
		table->counters.aged++;
	}
}

void l2_tick(struct l2_table *table, uint64_t now_ns)
{
	uint32_t now_s = (uint32_t)(now_ns / NS_PER_S);
	uint32_t seconds = now_s - table->sweep_s;

	/* The owner may have slept. */
	if (seconds > L2_BUCKETS / BUCKETS_PER_S)
		seconds = L2_BUCKETS / BUCKETS_PER_S;
	table->sweep_s = now_s;
	for (uint32_t i = 0; i < seconds * BUCKETS_PER_S; i++) {
		age_bucket(table, table->sweep, now_s);
		table->sweep = (table->sweep + 1) % L2_BUCKETS;
	}
}
