/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/pattern.h"

#include <string.h>

/* Enough that any piece of the stream lies in one piece. */
static uint8_t table[PATTERN_PERIOD + PATTERN_PIECE];

static const uint8_t *find(uint32_t offset)
{
	if (table[1] == 0)
		for (uint32_t i = 0; i < sizeof(table); i++)
			table[i] = (uint8_t)(i % PATTERN_PERIOD);
	return table + offset % PATTERN_PERIOD;
}

void pattern_fill(uint32_t offset, uint8_t *bytes, size_t length)
{
	memcpy(bytes, find(offset), length < PATTERN_PIECE ? length : PATTERN_PIECE);
}

bool pattern_matches(uint32_t offset, const uint8_t *bytes, size_t length)
{
	return length <= PATTERN_PIECE && memcmp(bytes, find(offset), length) == 0;
}
