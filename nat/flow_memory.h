/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flow memory: what of the NAT survives the data plane. A mapping that the monitor makes and
 * hands from one process to the next; one process at a time uses it.
 *
 *   0                     header: who wrote it, for which configuration, how far tables are used
 *   4,096                 port forwards (configuration)
 *   8,192                 mappings
 *   up to a page          sessions
 *
 * Everything in it has a fixed size and a fixed place; links are indices, never pointers. The
 * writer may die at any instruction. What keeps it whole then:
 *  - each record is valid only while its commit word says so, which is written last when it comes
 *    and first when it goes (processors keep the order of one thread's stores towards whoever maps
 *    the memory after its death; release stores and signal fences keep the compiler from changing
 *    it);
 *  - fields that change while a record is live are single words;
 *  - records from `*_high` on are never looked at, so that a fresh memory need not be touched;
 *  - nothing else is trusted: hash chains, free lists, port maps, counts and checksum deltas are
 *    rebuilt on adoption, and records that contradict the configuration or each other are refused.
 *
 * A memory of another version, layout or configuration is refused as a whole and laid out anew.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "nat/forward.h"
#include "nat/mapping.h"
#include "nat/nat.h"
#include "nat/session.h"

/* Changes with the meaning of what is stored; what the layout hash can see need not change it. */
#define FLOW_MEMORY_VERSION 1
#define FLOW_MEMORY_MAGIC UINT64_C(0x0174616e74656e63) /* "cnetnat" 1 */
#define FLOW_MEMORY_PAGE 4096

struct flow_memory_header {
	uint64_t magic;	      /* FLOW_MEMORY_MAGIC, written last */
	uint32_t version;     /* FLOW_MEMORY_VERSION */
	uint32_t layout_hash; /* sizes and offsets of everything stored */
	/* The configuration that the records belong to. */
	uint32_t inside_be;
	uint32_t outside_be;
	uint32_t inside_prefix;
	uint16_t port_low; /* host byte order */
	uint16_t port_high;
	uint32_t session_capacity;
	uint32_t mapping_capacity;
	/* How far the tables were ever used; grow only. */
	uint32_t session_high;
	uint32_t mapping_high;
};

struct flow_memory {
	struct flow_memory_header *header;
	struct forward_record *forwards; /* FORWARD_MAX */
	struct mapping *mappings;	 /* header->mapping_capacity */
	struct session *sessions;	 /* header->session_capacity */
};

/* Bytes for this configuration, a multiple of FLOW_MEMORY_PAGE. */
size_t flow_memory_size(const struct nat_config *config);

/*
 * Lays `memory` (flow_memory_size() bytes, page aligned) out, or finds it laid out for this
 * configuration. Returns 1 when records are to be adopted; 0 when it was zero and is empty now;
 * -EPROTO when it was something else and is empty now.
 */
int flow_memory_open(
	struct flow_memory *flow_memory, const struct nat_config *config, void *memory);
