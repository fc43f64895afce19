/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/restart.h"

bool restart_after_death(struct restart *restart, uint64_t now_ns)
{
	uint64_t *oldest_ns = &restart->deaths_ns[restart->count % RESTART_DEATHS];
	bool many = restart->count >= RESTART_DEATHS;

	if (many && now_ns - *oldest_ns <= RESTART_WINDOW_NS)
		return false;
	*oldest_ns = now_ns;
	restart->count++;
	if (restart->count == 2 * RESTART_DEATHS) /* the same place in the ring, without overflow */
		restart->count = RESTART_DEATHS;
	return true;
}

void restart_forget(struct restart *restart)
{
	restart->count = 0;
}
