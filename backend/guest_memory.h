/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's memory as the front end announced it: regions of guest physical addresses and where
 * they are mapped here. Immutable once made: a new memory table makes a new one, and the old one is
 * freed after every worker has passed a quiescent point.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most regions that librte_vhost takes. */
#define GUEST_MEMORY_REGIONS_MAX 8

struct guest_memory_region {
	uint64_t guest; /* guest physical address of the first byte */
	uint64_t size;	/* bytes */
	uint8_t *host;	/* where that byte is mapped in this process */
};

struct guest_memory {
	uint32_t count;
	struct guest_memory_region regions[GUEST_MEMORY_REGIONS_MAX];
};

/*
 * Returns where guest physical address `guest` lies here, or NULL; *ret_available bytes from there
 * on belong to the same region (at most `length`, at least 1).
 */
static inline uint8_t *guest_memory_at(
	const struct guest_memory *memory, uint64_t guest, uint64_t length, uint64_t *ret_available)
{
	for (uint32_t i = 0; i < memory->count; i++) {
		const struct guest_memory_region *region = &memory->regions[i];
		uint64_t offset = guest - region->guest;
		if (offset >= region->size)
			continue;
		uint64_t available = region->size - offset;
		*ret_available = available < length ? available : length;
		return region->host + offset;
	}
	return NULL;
}

/* As above for `length` bytes in one piece; NULL when they are not all in one region. */
static inline uint8_t *guest_memory_span(
	const struct guest_memory *memory, uint64_t guest, uint64_t length)
{
	uint64_t available = 0;
	uint8_t *host = guest_memory_at(memory, guest, length, &available);
	return host && available == length ? host : NULL;
}

/* The guest physical address of what lies at `host` here. False when that is no guest memory. */
bool guest_memory_address(const struct guest_memory *memory, const void *host, uint64_t *ret_guest);

/* Does [host, host + length) lie inside one region? */
bool guest_memory_contains(const struct guest_memory *memory, const void *host, size_t length);
