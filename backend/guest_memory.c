/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/guest_memory.h"

bool guest_memory_contains(const struct guest_memory *memory, const void *host, size_t length)
{
	for (uint32_t i = 0; i < memory->count; i++) {
		const struct guest_memory_region *region = &memory->regions[i];
		uint64_t offset = (uint64_t)((uintptr_t)host - (uintptr_t)region->host);
		if (offset < region->size && length <= region->size - offset)
			return true;
	}
	return false;
}

bool guest_memory_address(const struct guest_memory *memory, const void *host, uint64_t *ret_guest)
{
	for (uint32_t i = 0; i < memory->count; i++) {
		const struct guest_memory_region *region = &memory->regions[i];
		uint64_t offset = (uint64_t)((uintptr_t)host - (uintptr_t)region->host);
		if (offset < region->size) {
			*ret_guest = region->guest + offset;
			return true;
		}
	}
	return false;
}
