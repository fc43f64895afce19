/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/refusals.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
	enum nat_drop reason;
	const char *what;
} refused[] = {
	{NAT_DROP_TABLE_FULL, "the table is full (--sessions)"},
	{NAT_DROP_GUEST_LIMIT, "a guest has its share (--sessions-per-guest)"},
	{NAT_DROP_GUEST_RATE, "a guest opens too many a second (--new-sessions-per-guest)"},
	{NAT_DROP_PORTS_EXHAUSTED, "no outside port is free"},
};
#define REFUSED_COUNT (sizeof(refused) / sizeof(refused[0]))

static uint64_t count_of(const struct nat_counters *counters, enum nat_drop reason)
{
	return __atomic_load_n(&counters->drops[reason], __ATOMIC_RELAXED);
}

void refusals_init(struct refusals *refusals, const struct nat_counters *counters)
{
	for (size_t i = 0; i < REFUSED_COUNT; i++)
		refusals->seen[refused[i].reason] = count_of(counters, refused[i].reason);
}

bool refusals_look(
	struct refusals *refusals, const struct nat_counters *counters, char line[REFUSALS_LINE])
{
	size_t at =
		(size_t)snprintf(line, REFUSALS_LINE, "the NAT refused packets of new sessions");
	bool any = false;

	for (size_t i = 0; i < REFUSED_COUNT; i++) {
		uint64_t *seen = &refusals->seen[refused[i].reason];
		uint64_t now = count_of(counters, refused[i].reason);
		if (now == *seen)
			continue;
		at += (size_t)snprintf(line + at, REFUSALS_LINE - at, "%s %" PRIu64 ": %s",
			any ? "," : ":", now - *seen, refused[i].what);
		*seen = now;
		any = true;
	}
	return any;
}
