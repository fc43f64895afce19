/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/slots.h"

#include <stddef.h>

struct slot *slots_take(struct slots *slots)
{
	if (!slots->free_count)
		return NULL;
	uint16_t index = slots->free[--slots->free_count];
	struct slot *slot = &slots->slots[index];
	slot->references = 1;
	slot->packet.slot = (uint16_t)(index + 1);
	return slot;
}

void slots_hold(struct slots *slots, const struct packet *p)
{
	slots->slots[p->slot - 1].references++;
}

void slots_release(struct slots *slots, const struct packet *p)
{
	uint16_t index = (uint16_t)(p->slot - 1);
	if (!--slots->slots[index].references)
		slots->free[slots->free_count++] = index;
}
