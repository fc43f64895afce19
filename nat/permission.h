/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Address-dependent filtering (RFC 4787, section 5): which remote addresses may send to a mapping,
 * from any of their ports. A remote is permitted while at least one session exists that the guest
 * took part in; each such session holds one reference.
 *
 * Sessions that only the remote spoke in hold none, so that a remote cannot keep itself permitted.
 * Derived from the sessions: lies in private memory and is rebuilt on adoption.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PERMISSION_NONE UINT32_MAX

struct permission {
	uint32_t mapping;   /* index of the mapping */
	uint32_t remote_be; /* the permitted address */
	uint32_t sessions;  /* references; 0: free */
	uint32_t next;	    /* in its hash chain or in the free list; PERMISSION_NONE ends it */
};

struct permission_table {
	struct permission *records;
	uint32_t *heads;    /* hash chains; a power of two of them */
	uint32_t mask;	    /* heads - 1 */
	uint32_t capacity;  /* records */
	uint32_t high;	    /* records from here on were never used */
	uint32_t free_head; /* freed records below high */
	uint64_t seed;
};

/* Room for `capacity` permissions. 0 or -ENOMEM. */
int permission_table_init(struct permission_table *table, uint32_t capacity, uint64_t seed);
void permission_table_fini(struct permission_table *table);

/* Takes a reference and returns its index. There is room as long as there are at most as many
 * references as `capacity`. */
uint32_t permission_add(struct permission_table *table, uint32_t mapping, uint32_t remote_be);

/* Gives a reference back; PERMISSION_NONE is allowed. */
void permission_drop(struct permission_table *table, uint32_t permission);

/* Begins to fetch what the calls for this mapping and remote look into first. */
void permission_prefetch(
	const struct permission_table *table, uint32_t mapping, uint32_t remote_be);

bool permission_exists(const struct permission_table *table, uint32_t mapping, uint32_t remote_be);
