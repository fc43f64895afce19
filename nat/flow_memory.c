/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/flow_memory.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static_assert(sizeof(struct flow_memory_header) <= FLOW_MEMORY_PAGE, "one page");
static_assert(FORWARD_MAX * sizeof(struct forward_record) <= FLOW_MEMORY_PAGE, "one page");

/* Every mapping has a session and an outside port. */
#define MAPPING_MAX (3 * 65536 + 256)
#define HUGE_MEMORY_SIZE ((size_t)32 << 20)

static size_t round_up(size_t size)
{
	return (size + FLOW_MEMORY_PAGE - 1) & ~(size_t)(FLOW_MEMORY_PAGE - 1);
}

static uint32_t mapping_capacity(const struct nat_config *config)
{
	return config->sessions < MAPPING_MAX ? config->sessions : MAPPING_MAX;
}

static size_t sessions_offset(const struct nat_config *config)
{
	return round_up((size_t)2 * FLOW_MEMORY_PAGE +
			(size_t)mapping_capacity(config) * sizeof(struct mapping));
}

size_t flow_memory_size(const struct nat_config *config)
{
	return sessions_offset(config) +
	       round_up((size_t)config->sessions * sizeof(struct session));
}

/* FNV-1a over where everything lies and which values have a meaning. */
static uint32_t layout_hash(void)
{
	static const uint32_t layout[] = {
		sizeof(struct flow_memory_header),
		offsetof(struct flow_memory_header, session_high),
		offsetof(struct flow_memory_header, mapping_high),
		FORWARD_MAX,
		sizeof(struct forward_record),
		offsetof(struct forward_record, commit),
		offsetof(struct forward_record, forward),
		offsetof(struct forward_record, forward.inside_be),
		offsetof(struct forward_record, forward.inside_port),
		offsetof(struct forward_record, forward.outside_port),
		offsetof(struct forward_record, forward.count),
		offsetof(struct forward_record, forward.protocol),
		sizeof(struct mapping),
		offsetof(struct mapping, inside_be),
		offsetof(struct mapping, inside_port_be),
		offsetof(struct mapping, outside_port_be),
		offsetof(struct mapping, space),
		offsetof(struct mapping, flags),
		offsetof(struct mapping, commit),
		PORT_SPACE_COUNT,
		sizeof(struct session),
		offsetof(struct session, inside_be),
		offsetof(struct session, remote_be),
		offsetof(struct session, outside_be),
		offsetof(struct session, inside_port_be),
		offsetof(struct session, remote_port_be),
		offsetof(struct session, outside_port_be),
		offsetof(struct session, protocol),
		offsetof(struct session, state),
		offsetof(struct session, commit),
		offsetof(struct session, mapping),
		offsetof(struct session, deadline_ticks),
		offsetof(struct session, bytes_out),
		offsetof(struct session, bytes_in),
		offsetof(struct session, created_ticks),
		offsetof(struct session, permission),
		offsetof(struct session, flags),
		SESSION_STATE_COUNT,
		SESSION_LIVE,
		MAPPING_LIVE,
	};
	uint32_t hash = 2166136261;

	for (size_t i = 0; i < sizeof(layout) / sizeof(layout[0]); i++)
		hash = (hash ^ layout[i]) * 16777619;
	return hash;
}

static struct flow_memory_header header_for(const struct nat_config *config)
{
	return (struct flow_memory_header){
		.magic = FLOW_MEMORY_MAGIC,
		.version = FLOW_MEMORY_VERSION,
		.layout_hash = layout_hash(),
		.inside_be = config->inside_be,
		.outside_be = config->outside_be,
		.inside_prefix = config->inside_prefix,
		.port_low = config->port_low,
		.port_high = config->port_high,
		.session_capacity = config->sessions,
		.mapping_capacity = mapping_capacity(config),
	};
}

static int is_zero(const uint8_t *bytes, size_t length)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0;
}

int flow_memory_open(struct flow_memory *flow_memory, const struct nat_config *config, void *memory)
{
	struct flow_memory_header expected = header_for(config);
	struct flow_memory_header *header = memory;
	uint8_t *bytes = memory;
	int state;

	/* Fewer TLB misses for tables that exceed what the TLB covers. The kernel may refuse. */
	if (flow_memory_size(config) >= HUGE_MEMORY_SIZE)
		(void)madvise(memory, flow_memory_size(config), MADV_HUGEPAGE);

	*flow_memory = (struct flow_memory){
		.header = header,
		.forwards = (struct forward_record *)(void *)(bytes + FLOW_MEMORY_PAGE),
		.mappings = (struct mapping *)(void *)(bytes + (size_t)2 * FLOW_MEMORY_PAGE),
		.sessions = (struct session *)(void *)(bytes + sessions_offset(config)),
	};
	if (memcmp(header, &expected, offsetof(struct flow_memory_header, session_high)) == 0 &&
		header->session_high <= header->session_capacity &&
		header->mapping_high <= header->mapping_capacity)
		return 1;

	state = is_zero(bytes, (size_t)2 * FLOW_MEMORY_PAGE) ? 0 : -EPROTO;
	/* Whoever dies from here on leaves a memory that is refused. */
	__atomic_store_n(&header->magic, 0, __ATOMIC_SEQ_CST);
	expected.magic = 0;
	memset(bytes, 0, (size_t)2 * FLOW_MEMORY_PAGE);
	*header = expected;
	__atomic_store_n(&header->magic, FLOW_MEMORY_MAGIC, __ATOMIC_RELEASE);
	return state;
}
