/* SPDX-License-Identifier: BSD-3-Clause */
/* Sessions, shown to people: a bounded piece of the table at a time. */
#include <arpa/inet.h>

#include "nat/nat_private.h"

#define NS_PER_S 1000000000

static uint64_t seconds(uint32_t ticks)
{
	return ((uint64_t)ticks << NAT_TICK_SHIFT) / NS_PER_S;
}

static struct nat_flow show(const struct nat *nat, const struct session *s, uint32_t record)
{
	int32_t left = (int32_t)(s->deadline_ticks - nat->now_ticks);

	return (struct nat_flow){
		.number = record,
		.protocol = s->protocol,
		.inbound = s->flags & SESSION_INBOUND,
		.state = session_state_name((enum session_state)s->state),
		.inside_be = s->inside_be,
		.outside_be = s->outside_be,
		.remote_be = s->remote_be,
		.inside_port_be = s->inside_port_be,
		.outside_port_be = s->outside_port_be,
		.remote_port_be = s->remote_port_be,
		.bytes_out = s->bytes_out,
		.bytes_in = s->bytes_in,
		.age_s = seconds(nat->now_ticks - s->created_ticks),
		.left_s = left > 0 ? seconds((uint32_t)left) : 0,
	};
}

uint32_t nat_flow_list(
	struct nat *nat, uint64_t now_ns, uint32_t *cursor, struct nat_flow flows[], uint32_t max)
{
	const struct session_table *table = &nat->sessions;
	uint32_t count = 0, record = *cursor;

	nat_begin(nat, now_ns);
	for (uint32_t looked = 0; looked < NAT_FLOW_STEPS && count < max; looked++, record++) {
		if (record >= *table->high) {
			*cursor = UINT32_MAX;
			return count;
		}
		const struct session *s = &table->records[record];
		if (s->commit == SESSION_LIVE && !nat_is_expired(nat, s))
			flows[count++] = show(nat, s, record);
	}
	*cursor = record;
	return count;
}
