/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/expire.h"

#include "nat/flows.h"
#include "nat/nat_private.h"

#define PREFETCH_AHEAD 6

void expire_close(struct nat *nat, uint32_t record)
{
	flows_close(nat, record);
	nat_count(&nat->counters->sessions_expired, 1);
}

/* Closing a session looks into random places of several tables: begins to fetch them early. */
static void prefetch(const struct nat *nat, uint32_t record)
{
	const struct session_table *table = &nat->sessions;
	const struct session *s = &table->records[record];

	if (record >= *table->high || s->commit != SESSION_LIVE || !nat_is_expired(nat, s))
		return;
	session_prefetch(table, s);
	if (s->permission != PERMISSION_NONE)
		__builtin_prefetch(&nat->permissions.records[s->permission], 1);
}

/* Looks at up to `steps` records and closes up to `closes`. Returns the number of steps made, and
 * in *ret_closed how many were closed. */
static uint32_t sweep(struct nat *nat, uint32_t steps, uint32_t closes, uint32_t *ret_closed)
{
	const struct session_table *table = &nat->sessions;
	uint32_t closed = 0, step;

	for (step = 0; step < steps && closed < closes; step++) {
		const struct session *s;

		if (nat->expire.cursor >= *table->high)
			nat->expire.cursor = 0;
		prefetch(nat, nat->expire.cursor + PREFETCH_AHEAD);
		s = &table->records[nat->expire.cursor];
		if (s->commit == SESSION_LIVE &&
			(nat_is_expired(nat, s) || nat_is_orphan(nat, s))) {
			expire_close(nat, nat->expire.cursor);
			closed++;
		}
		nat->expire.cursor++;
	}
	*ret_closed = closed;
	return step;
}

bool expire_tick(struct nat *nat)
{
	struct expire *expire = &nat->expire;
	uint32_t elapsed = nat->now_ticks - expire->swept_ticks;
	uint64_t round = *nat->sessions.high;
	uint32_t steps, closed;

	expire->swept_ticks = nat->now_ticks;
	if (nat->sessions.live == 0) {
		expire->due = 0;
		return false;
	}
	expire->due += elapsed * round;
	if (expire->due > EXPIRE_ROUND_TICKS * round)
		expire->due = EXPIRE_ROUND_TICKS * round;

	steps = EXPIRE_STEPS_MAX;
	if (expire->due / EXPIRE_ROUND_TICKS < steps)
		steps = (uint32_t)(expire->due / EXPIRE_ROUND_TICKS);
	steps = sweep(nat, steps, EXPIRE_CLOSES_MAX, &closed);
	expire->due -= (uint64_t)steps * EXPIRE_ROUND_TICKS;
	return expire->due >= EXPIRE_ROUND_TICKS;
}

bool expire_reclaim(struct nat *nat)
{
	uint32_t closed;

	sweep(nat, EXPIRE_RECLAIM_STEPS, EXPIRE_RECLAIM_STEPS, &closed);
	return closed > 0;
}
