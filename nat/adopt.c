/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Adoption trusts nothing that it reads: the memory may have been written by a process that died
 * because it was broken. After it nat_check() holds, whatever the memory contained.
 */
#include "nat/adopt.h"

#include <arpa/inet.h>

#include "nat/flows.h"

/* Sessions are looked up at random places of several tables; records lie in order. */
#define PREFETCH_AHEAD 8

/* They are configuration, and stay live in between, so that a crash in here loses none. */
static void adopt_forwards(struct nat *nat)
{
	struct forward_table *table = &nat->forwards;

	for (uint32_t i = 0; i < FORWARD_MAX; i++) {
		struct forward_record *r = &table->records[i];

		if (r->commit != FORWARD_LIVE)
			continue;
		if (forward_is_well_formed(&r->forward) &&
			nat_is_inside(nat, r->forward.inside_be) &&
			!forward_overlaps(table, &r->forward, i))
			forward_enter(table, &nat->ports, i);
		else
			r->commit = 0;
	}
}

/* Protocol numbers and identifiers may be anything; ports must be ours. */
static bool is_port_ours(const struct nat *nat, const struct mapping *m)
{
	enum port_space space = (enum port_space)m->space;
	uint16_t port = ntohs(m->outside_port_be);

	if (space == PORT_SPACE_OTHER)
		return port > 0 && port < 256 && m->inside_port_be == m->outside_port_be;
	return port >= nat->config.port_low && port <= nat->config.port_high;
}

static bool is_mapping_valid(const struct nat *nat, const struct mapping *m)
{
	enum port_space space = (enum port_space)m->space;
	uint16_t inside_port;
	uint32_t inside_be, found;

	if (m->commit != MAPPING_LIVE || m->space >= PORT_SPACE_COUNT ||
		!nat_is_inside(nat, m->inside_be) ||
		mapping_find_outside(&nat->mappings, space, m->outside_port_be) != MAPPING_NONE)
		return false;
	if (forward_find_outside(
		    &nat->forwards, space, ntohs(m->outside_port_be), &inside_be, &inside_port))
		return inside_be == m->inside_be && inside_port == ntohs(m->inside_port_be);
	/* A forwarded port may have a second mapping, older than the forward. */
	found = mapping_find_inside(&nat->mappings, space, m->inside_be, m->inside_port_be);
	return is_port_ours(nat, m) &&
	       (found == MAPPING_NONE || (nat->mappings.records[found].flags & MAPPING_STATIC));
}

static void adopt_mappings(struct nat *nat)
{
	struct mapping_table *table = &nat->mappings;

	for (uint32_t i = 0; i < *table->high; i++) {
		struct mapping *m = &table->records[i];
		enum port_space space = (enum port_space)m->space;
		uint16_t port = ntohs(m->outside_port_be);
		bool keep = is_mapping_valid(nat, m);

		mapping_table_adopt(table, i, keep);
		if (!keep)
			continue;
		guests_of(&nat->guests, m->inside_be)->mappings[space]++;
		m->flags = forward_owns_port(&nat->forwards, space, port) ? MAPPING_STATIC : 0;
		ports_take(&nat->ports, space, port);
	}
}

static bool is_state_of_protocol(uint8_t state, uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return state < SESSION_STATE_TCP_COUNT;
	case IPPROTO_UDP:
		return state >= SESSION_UDP && state <= SESSION_UDP_UNANSWERED;
	case IPPROTO_ICMP:
		return state == SESSION_ICMP;
	default:
		return state == SESSION_OTHER;
	}
}

/* Whether the session and its mapping tell the same. */
static bool is_session_of_mapping(const struct nat *nat, const struct session *s)
{
	enum port_space space = flows_space(s->protocol);
	const struct mapping *m;

	if (s->mapping >= *nat->mappings.high)
		return false;
	m = &nat->mappings.records[s->mapping];
	if (m->commit != MAPPING_LIVE || m->space != space || m->inside_be != s->inside_be)
		return false;
	if (space == PORT_SPACE_OTHER)
		return m->outside_port_be == htons(s->protocol) && s->inside_port_be == 0 &&
		       s->outside_port_be == 0 && s->remote_port_be == 0;
	return m->inside_port_be == s->inside_port_be && m->outside_port_be == s->outside_port_be &&
	       (space != PORT_SPACE_ICMP || s->remote_port_be == 0);
}

static bool is_key_in_use(
	const struct nat *nat, const struct session *s, enum flow_direction direction)
{
	struct flow_key key = session_key(s, direction);

	return session_find(&nat->sessions, &key, flow_hash(&key, nat->sessions.seed), direction) !=
	       SESSION_NONE;
}

static bool is_session_valid(const struct nat *nat, const struct session *s)
{
	return s->commit == SESSION_LIVE && s->protocol != 0 &&
	       is_state_of_protocol(s->state, s->protocol) && is_session_of_mapping(nat, s) &&
	       flows_may_meet(nat, s->outside_be, s->remote_be, s->remote_port_be, s->protocol) &&
	       !nat_is_lan(nat, s->remote_be) && !nat_is_expired(nat, s) &&
	       !is_key_in_use(nat, s, FLOW_OUT) && !is_key_in_use(nat, s, FLOW_IN);
}

static void adopt_session(struct nat *nat, uint32_t record)
{
	struct session *s = &nat->sessions.records[record];
	uint32_t longest = nat->timeouts[FLOW_OUT][s->state];
	bool permitted = s->permission != PERMISSION_NONE;

	/* A deadline in the far future is a lie, or the time-outs were made shorter. */
	if (s->deadline_ticks - nat->now_ticks > longest)
		s->deadline_ticks = nat->now_ticks + longest;
	s->flags &= SESSION_INBOUND;
	flows_derive(nat, s);
	session_table_adopt(&nat->sessions, record, true);
	nat->mappings.records[s->mapping].sessions++;
	guests_of(&nat->guests, s->inside_be)->sessions++;
	s->permission = PERMISSION_NONE;
	if (permitted)
		flows_permit(nat, s);
}

static void adopt_sessions(struct nat *nat)
{
	struct session_table *table = &nat->sessions;
	uint32_t high = *table->high;

	for (uint32_t i = 0; i < high; i++) {
		if (i + PREFETCH_AHEAD < high)
			flows_prefetch(nat, &table->records[i + PREFETCH_AHEAD]);
		if (is_session_valid(nat, &table->records[i]))
			adopt_session(nat, i);
		else
			session_table_adopt(table, i, false);
	}
}

void adopt(struct nat *nat)
{
	struct mapping_table *mappings = &nat->mappings;

	adopt_forwards(nat);
	adopt_mappings(nat);
	adopt_sessions(nat);
	/* Whoever made a mapping died before its session came. */
	for (uint32_t i = 0; i < *mappings->high; i++)
		if (mappings->records[i].commit == MAPPING_LIVE)
			flows_release_mapping(nat, i);
}
