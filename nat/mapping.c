/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/mapping.h"

#include <errno.h>

#include "nat/flow.h"
#include "nat/table_memory.h"

#define BY_PORT_SIZE ((size_t)PORT_SPACE_COUNT * 65536 * sizeof(uint32_t))

int mapping_table_init(struct mapping_table *table, struct mapping *records, uint32_t *high,
	uint32_t capacity, uint64_t seed)
{
	uint32_t heads = table_power_of_two(capacity);

	*table = (struct mapping_table){
		.records = records,
		.high = high,
		.capacity = capacity,
		.free_head = MAPPING_NONE,
		.mask = heads - 1,
		.seed = seed,
	};
	table->heads = table_memory_new((size_t)heads * sizeof(*table->heads));
	table->by_port = table_memory_new(BY_PORT_SIZE);
	if (table->heads == NULL || table->by_port == NULL) {
		mapping_table_fini(table);
		return -ENOMEM;
	}
	return 0;
}

void mapping_table_fini(struct mapping_table *table)
{
	table_memory_free(table->heads, ((size_t)table->mask + 1) * sizeof(*table->heads));
	table_memory_free(table->by_port, BY_PORT_SIZE);
	*table = (struct mapping_table){0};
}

static uint32_t *head_of(const struct mapping_table *table, enum port_space space,
	uint32_t inside_be, uint16_t inside_port_be)
{
	uint64_t key = inside_be | (uint64_t)inside_port_be << 32 | (uint64_t)space << 48;

	return &table->heads[flow_mix(key ^ table->seed, ~table->seed) & table->mask];
}

static uint32_t *outside_of(
	const struct mapping_table *table, uint8_t space, uint16_t outside_port_be)
{
	return &table->by_port[(uint32_t)space << 16 | __builtin_bswap16(outside_port_be)];
}

uint32_t mapping_find_inside(const struct mapping_table *table, enum port_space space,
	uint32_t inside_be, uint16_t inside_port_be)
{
	uint32_t i = *head_of(table, space, inside_be, inside_port_be) - 1;

	for (; i != MAPPING_NONE; i = table->records[i].next) {
		const struct mapping *m = &table->records[i];

		if (m->inside_be == inside_be && m->inside_port_be == inside_port_be &&
			m->space == space)
			return i;
	}
	return MAPPING_NONE;
}

/* Enters a record into the chains; what is found by inside key is the newest. */
static void enter(struct mapping_table *table, uint32_t mapping)
{
	struct mapping *m = &table->records[mapping];
	uint32_t *head = head_of(table, m->space, m->inside_be, m->inside_port_be);

	m->next = *head - 1;
	*head = mapping + 1;
	*outside_of(table, m->space, m->outside_port_be) = mapping + 1;
	table->live++;
}

int mapping_insert(struct mapping_table *table, enum port_space space, uint32_t inside_be,
	uint16_t inside_port_be, uint16_t outside_port_be, uint8_t flags, uint32_t *ret_mapping)
{
	uint32_t mapping = table->free_head;
	struct mapping *m;

	if (mapping != MAPPING_NONE) {
		m = &table->records[mapping];
		table->free_head = m->next;
	} else if (*table->high < table->capacity) {
		mapping = *table->high;
		m = &table->records[mapping];
		/* Whatever lies there was never looked at: not live before it is in range. */
		__atomic_store_n(&m->commit, 0, __ATOMIC_RELAXED);
		__atomic_store_n(table->high, mapping + 1, __ATOMIC_RELEASE);
	} else {
		return -ENOSPC;
	}

	*m = (struct mapping){
		.inside_be = inside_be,
		.inside_port_be = inside_port_be,
		.outside_port_be = outside_port_be,
		.space = (uint8_t)space,
		.flags = flags,
	};
	__atomic_store_n(&m->commit, MAPPING_LIVE, __ATOMIC_RELEASE);
	enter(table, mapping);
	*ret_mapping = mapping;
	return 0;
}

static void make_free(struct mapping_table *table, uint32_t mapping)
{
	__atomic_store_n(&table->records[mapping].commit, 0, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	table->records[mapping].next = table->free_head;
	table->free_head = mapping;
}

void mapping_remove(struct mapping_table *table, uint32_t mapping)
{
	const struct mapping *m = &table->records[mapping];
	uint32_t *link = head_of(table, m->space, m->inside_be, m->inside_port_be);

	*outside_of(table, m->space, m->outside_port_be) = 0;
	if (*link - 1 == mapping) {
		*link = m->next + 1;
	} else {
		uint32_t i = *link - 1;

		while (table->records[i].next != mapping)
			i = table->records[i].next;
		table->records[i].next = m->next;
	}
	make_free(table, mapping);
	table->live--;
}

void mapping_table_adopt(struct mapping_table *table, uint32_t mapping, bool keep)
{
	if (keep) {
		table->records[mapping].sessions = 0;
		enter(table, mapping);
	} else {
		make_free(table, mapping);
	}
}
