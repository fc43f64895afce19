/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/vhost_memory.h"

#include <stdlib.h>

#include <rte_vhost.h>

#include "backend/sigbus.h"

static void fill(struct guest_memory *memory, const struct rte_vhost_memory *table, uint16_t port)
{
	memory->count = table->nregions;
	for (uint32_t i = 0; i < table->nregions; i++) {
		const struct rte_vhost_mem_region *region = &table->regions[i];
		memory->regions[i] = (struct guest_memory_region){
			.guest = region->guest_phys_addr,
			.size = region->size,
			.host = (uint8_t *)(uintptr_t)region->host_user_addr,
		};
		sigbus_watch(port, i, region->mmap_addr, region->mmap_size);
	}
}

struct guest_memory *vhost_memory_new(int vid, uint16_t port)
{
	struct rte_vhost_memory *table = NULL;
	if (rte_vhost_get_mem_table(vid, &table))
		return NULL;
	struct guest_memory *memory = NULL;
	if (table->nregions <= GUEST_MEMORY_REGIONS_MAX)
		memory = calloc(1, sizeof(*memory));
	if (memory)
		fill(memory, table, port);
	free(table);
	return memory;
}

void vhost_memory_free(struct guest_memory *memory, uint16_t port)
{
	for (unsigned int i = 0; i < GUEST_MEMORY_REGIONS_MAX; i++)
		sigbus_watch(port, i, NULL, 0);
	free(memory);
}
