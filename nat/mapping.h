/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mappings: an inside address:port and the outside port that stands for it towards every remote
 * (endpoint-independent, RFC 4787 REQ-1). A mapping lives as long as it has sessions.
 *
 * The space (TCP, UDP, ICMP identifiers, other protocols) is part of both keys. For protocols
 * without ports both "ports" are the protocol number, so that one inside address at a time is the
 * user of a protocol.
 *
 * Records lie in the flow memory with a commit word as in session.h. Found by inside key through
 * hash chains, by outside port through an array; both in private memory.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "nat/ports.h"

#define MAPPING_NONE UINT32_MAX
#define MAPPING_LIVE UINT32_C(0x3a991e65)

enum mapping_flag {
	MAPPING_STATIC = 1 << 0, /* comes from a forward: any remote may send to it */
};

struct mapping {
	uint32_t inside_be;	  /* the guest */
	uint16_t inside_port_be;  /* port or ICMP query identifier */
	uint16_t outside_port_be; /* port, identifier or (network byte order too) protocol number */
	uint8_t space;		  /* enum port_space */
	uint8_t flags;		  /* enum mapping_flag */
	uint16_t spare;
	uint32_t commit;   /* MAPPING_LIVE; else the record is free and all else is void */
	uint32_t sessions; /* how many use it; counted anew on adoption */
	uint32_t next;	   /* private: next in hash chain or free list; MAPPING_NONE ends it */
	uint32_t reserved[2];
};
static_assert(sizeof(struct mapping) == 32, "two in a cache line");

struct mapping_table {
	struct mapping *records; /* in the flow memory */
	uint32_t *high;		 /* in the flow memory: records from here on were never used */
	uint32_t capacity;	 /* records */
	uint32_t free_head;	 /* freed records below *high, linked by `next` */
	uint32_t live;		 /* live mappings */
	uint32_t *heads;	 /* private: hash chains by inside key, index + 1; a power of two */
	uint32_t mask;		 /* heads - 1 */
	uint64_t seed;
	uint32_t *by_port; /* private: index + 1 of [space * 65536 + outside port], 0: none */
};

/* As session_table_init(). 0 or -ENOMEM. */
int mapping_table_init(struct mapping_table *table, struct mapping *records, uint32_t *high,
	uint32_t capacity, uint64_t seed);
void mapping_table_fini(struct mapping_table *table);

/* The mapping of an inside address and port, or MAPPING_NONE. */
uint32_t mapping_find_inside(const struct mapping_table *table, enum port_space space,
	uint32_t inside_be, uint16_t inside_port_be);

/* The mapping that owns an outside port, or MAPPING_NONE. */
static inline uint32_t mapping_find_outside(
	const struct mapping_table *table, enum port_space space, uint16_t outside_port_be)
{
	return table->by_port[(uint32_t)space << 16 | __builtin_bswap16(outside_port_be)] - 1;
}

/*
 * Makes a mapping without sessions. The outside port must not be in use. Returns 0 and its index,
 * or -ENOSPC.
 */
int mapping_insert(struct mapping_table *table, enum port_space space, uint32_t inside_be,
	uint16_t inside_port_be, uint16_t outside_port_be, uint8_t flags, uint32_t *ret_mapping);

/* Takes a live mapping without sessions out of the table. */
void mapping_remove(struct mapping_table *table, uint32_t mapping);

/* For adoption: enters a live record, or (`keep` false) makes a free one of it. */
void mapping_table_adopt(struct mapping_table *table, uint32_t mapping, bool keep);
