/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/slots.h"

int slots_new(struct slots **ret_slots)
{
	struct slots *slots = aligned_alloc(64, (sizeof(*slots) + 63) & ~(size_t)63);
	if (!slots)
		return -ENOMEM;
	memset(slots, 0, sizeof(*slots));
	slots->buffers = malloc((size_t)SLOTS_COUNT * PACKET_LENGTH_MAX);
	if (!slots->buffers) {
		free(slots);
		return -ENOMEM;
	}
	for (uint16_t i = 0; i < SLOTS_COUNT; i++) {
		slots->slots[i].buffer = slots->buffers + (size_t)i * PACKET_LENGTH_MAX;
		slots->free[slots->free_count++] = i;
	}
	*ret_slots = slots;
	return 0;
}

void slots_free(struct slots *slots)
{
	if (!slots)
		return;
	free(slots->buffers);
	free(slots);
}
