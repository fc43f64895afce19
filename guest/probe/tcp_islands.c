/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/tcp_islands.h"

#include <stddef.h>

static bool is_there(const struct tcp_island *island)
{
	return island->begin != island->end;
}

bool tcp_islands_add(struct tcp_islands *islands, uint32_t begin, uint32_t end)
{
	struct tcp_island *slot = NULL;

	/* Whatever it touches becomes one with it. */
	for (size_t i = 0; i < TCP_ISLANDS; i++) {
		struct tcp_island *one = &islands->all[i];

		if (is_there(one)) {
			if (tcp_before(one->end, begin) || tcp_before(end, one->begin))
				continue;
			if (tcp_before(one->begin, begin))
				begin = one->begin;
			if (tcp_before(end, one->end))
				end = one->end;
			one->end = one->begin;
		}
		slot = one;
	}
	if (!slot)
		return false;
	*slot = (struct tcp_island){begin, end};
	return true;
}

uint32_t tcp_islands_reach(struct tcp_islands *islands, uint32_t expected)
{
	bool moved;

	do {
		moved = false;
		for (size_t i = 0; i < TCP_ISLANDS; i++) {
			struct tcp_island *one = &islands->all[i];

			if (!is_there(one) || tcp_before(expected, one->begin))
				continue;
			if (tcp_before(expected, one->end)) {
				expected = one->end;
				moved = true;
			}
			one->end = one->begin;
		}
	} while (moved);
	return expected;
}
