/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/permission.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "nat/flow.h"
#include "nat/table_memory.h"

static_assert(sizeof(struct permission) == 16, "four in a cache line");

int permission_table_init(struct permission_table *table, uint32_t capacity, uint64_t seed)
{
	uint32_t heads = table_power_of_two(capacity);

	*table = (struct permission_table){
		.mask = heads - 1,
		.capacity = capacity,
		.free_head = PERMISSION_NONE,
		.seed = seed,
	};
	table->records = table_memory_new((size_t)capacity * sizeof(*table->records));
	table->heads = table_memory_new((size_t)heads * sizeof(*table->heads));
	if (table->records == NULL || table->heads == NULL) {
		permission_table_fini(table);
		return -ENOMEM;
	}
	return 0;
}

void permission_table_fini(struct permission_table *table)
{
	table_memory_free(table->records, (size_t)table->capacity * sizeof(*table->records));
	table_memory_free(table->heads, ((size_t)table->mask + 1) * sizeof(*table->heads));
	*table = (struct permission_table){0};
}

/* Heads hold index + 1, so that zeroed memory is a table without entries. */
static uint32_t *head_of(const struct permission_table *table, uint32_t mapping, uint32_t remote_be)
{
	uint64_t key = mapping | (uint64_t)remote_be << 32;

	return &table->heads[flow_mix(key ^ table->seed, ~table->seed) & table->mask];
}

void permission_prefetch(const struct permission_table *table, uint32_t mapping, uint32_t remote_be)
{
	__builtin_prefetch(head_of(table, mapping, remote_be), 1);
}

static uint32_t find(
	const struct permission_table *table, uint32_t head, uint32_t mapping, uint32_t remote_be)
{
	for (uint32_t i = head - 1; i != PERMISSION_NONE; i = table->records[i].next)
		if (table->records[i].mapping == mapping &&
			table->records[i].remote_be == remote_be)
			return i;
	return PERMISSION_NONE;
}

uint32_t permission_add(struct permission_table *table, uint32_t mapping, uint32_t remote_be)
{
	uint32_t *head = head_of(table, mapping, remote_be);
	uint32_t i = find(table, *head, mapping, remote_be);
	struct permission *p;

	if (i != PERMISSION_NONE) {
		table->records[i].sessions++;
		return i;
	}
	if (table->free_head != PERMISSION_NONE) {
		i = table->free_head;
		table->free_head = table->records[i].next;
	} else {
		assert(table->high < table->capacity);
		i = table->high++;
	}
	p = &table->records[i];
	*p = (struct permission){
		.mapping = mapping,
		.remote_be = remote_be,
		.sessions = 1,
		.next = *head - 1,
	};
	*head = i + 1;
	return i;
}

void permission_drop(struct permission_table *table, uint32_t permission)
{
	struct permission *p;
	uint32_t *head;

	if (permission == PERMISSION_NONE)
		return;
	p = &table->records[permission];
	if (--p->sessions > 0)
		return;

	head = head_of(table, p->mapping, p->remote_be);
	if (*head - 1 == permission) {
		*head = p->next + 1;
	} else {
		uint32_t i = *head - 1;

		while (table->records[i].next != permission)
			i = table->records[i].next;
		table->records[i].next = p->next;
	}
	p->next = table->free_head;
	table->free_head = permission;
}

bool permission_exists(const struct permission_table *table, uint32_t mapping, uint32_t remote_be)
{
	return find(table, *head_of(table, mapping, remote_be), mapping, remote_be) !=
	       PERMISSION_NONE;
}
