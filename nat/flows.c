/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/flows.h"

#include <arpa/inet.h>
#include <errno.h>

#include "nat/checksum.h"
#include "nat/forward.h"

enum port_space flows_space(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return PORT_SPACE_TCP;
	case IPPROTO_UDP:
		return PORT_SPACE_UDP;
	case IPPROTO_ICMP:
		return PORT_SPACE_ICMP;
	default:
		return PORT_SPACE_OTHER;
	}
}

enum session_state flows_first_state(enum flow_direction direction, uint8_t protocol,
	enum tcp_event event, uint16_t remote_port_be)
{
	switch (protocol) {
	case IPPROTO_TCP:
		if (direction == FLOW_IN)
			return SESSION_SYN_IN;
		return event == TCP_EVENT_SYN ? SESSION_SYN_OUT : SESSION_PICKED_UP;
	case IPPROTO_UDP:
		if (direction == FLOW_IN)
			return SESSION_UDP_UNANSWERED;
		return ntohs(remote_port_be) < 1024 ? SESSION_UDP_WELL_KNOWN : SESSION_UDP;
	case IPPROTO_ICMP:
		return SESSION_ICMP;
	default:
		return SESSION_OTHER;
	}
}

/* Whether the guest has less than its share of the space's outside ports, or gave one back just now
 * when expired sessions were closed. True when there are none to share. */
static bool has_share_of_ports(struct nat *nat, enum port_space space, uint32_t inside_be)
{
	const uint32_t *held = &guests_of(&nat->guests, inside_be)->mappings[space];
	const uint32_t *available = &nat->ports.available[space];
	uint32_t before = *held;

	if (guests_is_fair(before, *available, GUESTS_SHARE_OUT))
		return true;
	expire_reclaim(nat);
	return *held < before || *available == 0 ||
	       guests_is_fair(before, *available, GUESTS_SHARE_OUT);
}

/* A new mapping's outside port, host byte order. 0 or negative errno. */
static int choose_port(struct nat *nat, enum port_space space, uint32_t inside_be,
	uint16_t inside_port, uint16_t *ret_port)
{
	if (space == PORT_SPACE_OTHER) {
		if (ports_is_taken(&nat->ports, space, inside_port))
			return -EBUSY;
		*ret_port = inside_port;
		return 0;
	}
	if (!has_share_of_ports(nat, space, inside_be))
		return -EDQUOT;
	return ports_choose(&nat->ports, space, inside_port, &nat->random, ret_port);
}

static int insert_mapping(struct nat *nat, enum port_space space, uint32_t inside_be,
	uint16_t inside_port_be, uint16_t outside_port_be, uint8_t flags, uint32_t *ret_mapping)
{
	int ret = mapping_insert(&nat->mappings, space, inside_be, inside_port_be, outside_port_be,
		flags, ret_mapping);

	if (ret < 0)
		return ret;
	guests_of(&nat->guests, inside_be)->mappings[space]++;
	nat_count(&nat->counters->mappings_live, 1);
	return 0;
}

int flows_mapping(struct nat *nat, enum port_space space, uint32_t inside_be,
	uint16_t inside_port_be, uint32_t *ret_mapping)
{
	uint32_t mapping = mapping_find_inside(&nat->mappings, space, inside_be, inside_port_be);
	uint16_t inside_port = ntohs(inside_port_be);
	uint16_t port;
	int ret;

	if (mapping != MAPPING_NONE) {
		*ret_mapping = mapping;
		return 0;
	}
	if (forward_find_inside(&nat->forwards, space, inside_be, inside_port, &port))
		return flows_static_mapping(
			nat, space, inside_be, inside_port_be, htons(port), ret_mapping);

	ret = choose_port(nat, space, inside_be, inside_port, &port);
	if (ret < 0 && expire_reclaim(nat))
		ret = choose_port(nat, space, inside_be, inside_port, &port);
	if (ret < 0)
		return ret;
	ret = insert_mapping(nat, space, inside_be, inside_port_be, htons(port), 0, ret_mapping);
	if (ret == 0)
		ports_take(&nat->ports, space, port);
	return ret;
}

int flows_static_mapping(struct nat *nat, enum port_space space, uint32_t inside_be,
	uint16_t inside_port_be, uint16_t outside_port_be, uint32_t *ret_mapping)
{
	if (mapping_find_outside(&nat->mappings, space, outside_port_be) != MAPPING_NONE)
		return -EADDRNOTAVAIL;
	return insert_mapping(nat, space, inside_be, inside_port_be, outside_port_be,
		MAPPING_STATIC, ret_mapping);
}

void flows_release_mapping(struct nat *nat, uint32_t mapping)
{
	const struct mapping *m = &nat->mappings.records[mapping];
	uint16_t port = ntohs(m->outside_port_be);
	enum port_space space = (enum port_space)m->space;

	if (m->sessions > 0)
		return;
	guests_of(&nat->guests, m->inside_be)->mappings[space]--;
	mapping_remove(&nat->mappings, mapping);
	if (!forward_owns_port(&nat->forwards, space, port))
		ports_give(&nat->ports, space, port);
	nat_count(&nat->counters->mappings_live, UINT64_MAX);
}

bool flows_is_hairpin(
	const struct nat *nat, uint32_t remote_be, uint16_t remote_port_be, uint8_t protocol)
{
	enum port_space space = flows_space(protocol);
	uint16_t port = ntohs(remote_port_be);

	if (remote_be == nat->config.outside_be)
		return true;
	if (!nat_is_outside(nat, remote_be) || (space != PORT_SPACE_TCP && space != PORT_SPACE_UDP))
		return false;
	return forward_owns_port(&nat->forwards, space, port) ||
	       (nat->config.alias_owns_range && port >= nat->config.port_low &&
		       port <= nat->config.port_high);
}

bool flows_may_meet(const struct nat *nat, uint32_t outside_be, uint32_t remote_be,
	uint16_t remote_port_be, uint8_t protocol)
{
	return outside_be == nat->config.outside_be ||
	       (nat_is_outside(nat, outside_be) &&
		       flows_is_hairpin(nat, remote_be, remote_port_be, protocol));
}

void flows_derive(const struct nat *nat, struct session *s)
{
	uint16_t port_delta = checksum_delta16(s->inside_port_be, s->outside_port_be);

	s->address_delta = checksum_delta32(s->inside_be, s->outside_be);
	s->l4_delta = s->protocol == IPPROTO_ICMP
			      ? port_delta
			      : checksum_delta_join(s->address_delta, port_delta);
	s->flags &= (uint8_t)~SESSION_HAIRPIN;
	if (flows_is_hairpin(nat, s->remote_be, s->remote_port_be, s->protocol))
		s->flags |= SESSION_HAIRPIN;
}

void flows_permit(struct nat *nat, struct session *s)
{
	if (s->permission == PERMISSION_NONE)
		s->permission = permission_add(&nat->permissions, s->mapping, s->remote_be);
}

void flows_prefetch(const struct nat *nat, const struct session *s)
{
	session_prefetch(&nat->sessions, s);
	permission_prefetch(&nat->permissions, s->mapping, s->remote_be);
}

static void write_log(const struct nat *nat, const struct session *s, enum nat_log_event event)
{
	uint32_t age_ticks = nat->now_ticks - s->created_ticks;
	struct nat_log log = {
		.event = event,
		.protocol = s->protocol,
		.inside_be = s->inside_be,
		.outside_be = s->outside_be,
		.remote_be = s->remote_be,
		.inside_port_be = s->inside_port_be,
		.outside_port_be = s->outside_port_be,
		.remote_port_be = s->remote_port_be,
		.inbound = (s->flags & SESSION_INBOUND) != 0,
		.bytes_out = s->bytes_out,
		.bytes_in = s->bytes_in,
		.age_ns = (uint64_t)age_ticks << NAT_TICK_SHIFT,
	};

	if (nat->config.log != NULL)
		nat->config.log(nat->config.log_userdata, &log);
}

/* Makes sure that no live session has the key: an expired one is closed. 0 or -EADDRINUSE. */
static int make_room(struct nat *nat, const struct session *s, enum flow_direction direction)
{
	struct flow_key key = session_key(s, direction);
	uint32_t record =
		session_find(&nat->sessions, &key, flow_hash(&key, nat->sessions.seed), direction);

	if (record == SESSION_NONE)
		return 0;
	if (!nat_is_expired(nat, &nat->sessions.records[record]))
		return -EADDRINUSE;
	expire_close(nat, record);
	return 0;
}

/* The same for records of the session table. */
static bool has_share_of_sessions(struct nat *nat, const struct session *s)
{
	const uint32_t *held = &guests_of(&nat->guests, s->inside_be)->sessions;
	const struct session_table *table = &nat->sessions;
	uint32_t share = s->flags & SESSION_INBOUND ? GUESTS_SHARE_IN : GUESTS_SHARE_OUT;
	uint32_t before = *held;

	if (guests_is_fair(before, table->capacity - table->live, share))
		return true;
	expire_reclaim(nat);
	return *held < before || table->live == table->capacity ||
	       guests_is_fair(before, table->capacity - table->live, share);
}

static int insert(struct nat *nat, const struct session *s, uint32_t *ret_record)
{
	int ret = -EDQUOT;

	if (has_share_of_sessions(nat, s))
		ret = guests_admit(&nat->guests, s->inside_be, nat->now_ns);
	if (ret == 0)
		ret = make_room(nat, s, FLOW_OUT);
	if (ret == 0)
		ret = make_room(nat, s, FLOW_IN);
	if (ret == 0)
		ret = session_insert(&nat->sessions, s, ret_record);
	return ret;
}

int flows_open(struct nat *nat, uint32_t mapping, const struct flow_key *key,
	enum flow_direction direction, uint32_t outside_be, enum session_state state,
	uint32_t *ret_record)
{
	struct mapping *m = &nat->mappings.records[mapping];
	bool has_ports = m->space != PORT_SPACE_OTHER;
	struct session template = {
		.inside_be = m->inside_be,
		.remote_be = flow_remote(key),
		.outside_be = outside_be,
		.inside_port_be = has_ports ? m->inside_port_be : 0,
		.remote_port_be = flow_remote_port(key),
		.outside_port_be = has_ports ? m->outside_port_be : 0,
		.protocol = flow_protocol(key),
		.state = (uint8_t)state,
		.mapping = mapping,
		.deadline_ticks = nat->now_ticks + nat->timeouts[FLOW_OUT][state],
		.created_ticks = nat->now_ticks,
		.permission = PERMISSION_NONE,
		.flags = direction == FLOW_IN ? SESSION_INBOUND : 0,
	};
	struct session *s;
	int ret;

	flows_prefetch(nat, &template);
	flows_derive(nat, &template);
	m->sessions++; /* holds it while expired sessions may be closed */
	ret = insert(nat, &template, ret_record);
	if (ret < 0) {
		m->sessions--;
		flows_release_mapping(nat, mapping);
		return ret;
	}
	s = &nat->sessions.records[*ret_record];
	if (direction == FLOW_OUT)
		flows_permit(nat, s);
	guests_of(&nat->guests, s->inside_be)->sessions++;
	nat_count(&nat->counters->sessions_created, 1);
	nat_count(&nat->counters->sessions_live, 1);
	write_log(nat, s, NAT_LOG_CREATE);
	return 0;
}

void flows_close(struct nat *nat, uint32_t record)
{
	struct session *s = &nat->sessions.records[record];
	uint32_t mapping = s->mapping;

	write_log(nat, s, NAT_LOG_DELETE);
	permission_drop(&nat->permissions, s->permission);
	guests_of(&nat->guests, s->inside_be)->sessions--;
	session_remove(&nat->sessions, record);
	nat->mappings.records[mapping].sessions--;
	flows_release_mapping(nat, mapping);
	nat_count(&nat->counters->sessions_live, UINT64_MAX);
}
