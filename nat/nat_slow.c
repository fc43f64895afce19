/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/nat_slow.h"

#include <arpa/inet.h>
#include <errno.h>

#include "nat/burst.h"
#include "nat/flows.h"
#include "nat/fragment.h"
#include "nat/icmp_error.h"
#include "nat/icmp_send.h"
#include "nat/mtu.h"

/* Why a mapping or session could not be had, as the counters name it. */
static enum nat_drop drop_of_errno(int error)
{
	switch (error) {
	case -EDQUOT:
		return NAT_DROP_GUEST_LIMIT;
	case -EBUSY:
		return NAT_DROP_GUEST_RATE;
	case -ENOSPC:
		return NAT_DROP_TABLE_FULL;
	default:
		return NAT_DROP_PORTS_EXHAUSTED;
	}
}

/* The live session of a key, or SESSION_NONE; one whose time is over is closed. */
static uint32_t find_live(
	struct nat *nat, const struct flow_key *key, enum flow_direction direction)
{
	uint32_t record =
		session_find(&nat->sessions, key, flow_hash(key, nat->sessions.seed), direction);

	if (record == SESSION_NONE)
		return SESSION_NONE;
	if (nat_is_expired(nat, &nat->sessions.records[record])) {
		expire_close(nat, record);
		return SESSION_NONE;
	}
	return record;
}

/* Addresses that no router may send to: this network, loopback, multicast, reserved, broadcast. */
static bool is_unroutable(uint32_t address_be)
{
	uint32_t address = ntohl(address_be);

	return address >> 24 == 0 || address >> 24 == 127 || address >= 0xe0000000;
}

/* Opens the session of an outbound packet. Returns 0 and *ret_record, or -1 and *ret_reason. */
static int open_out(struct nat *nat, const struct flow_key *key, enum tcp_event event,
	uint32_t *ret_record, enum nat_drop *ret_reason)
{
	uint8_t protocol = flow_protocol(key);
	enum port_space space = flows_space(protocol);
	uint16_t inside_port_be =
		space == PORT_SPACE_OTHER ? htons(protocol) : flow_local_port(key);
	uint32_t outside_be = nat->config.outside_be;
	uint32_t mapping;
	int ret;

	if (protocol == IPPROTO_TCP && event != TCP_EVENT_SYN && event != TCP_EVENT_DATA) {
		*ret_reason = NAT_DROP_NO_SESSION;
		return -1;
	}
	ret = flows_mapping(nat, space, flow_local(key), inside_port_be, &mapping);
	if (ret < 0) {
		*ret_reason = ret == -EBUSY ? NAT_DROP_PROTOCOL_BUSY : drop_of_errno(ret);
		return -1;
	}
	/* A neighbour must see the guest as the world does (RFC 4787, REQ-9). */
	if (nat->config.alias_owns_range && flow_remote(key) == nat->config.alias_be &&
		flows_is_hairpin(nat, flow_remote(key), flow_remote_port(key), protocol))
		outside_be = flow_remote(key);
	ret = flows_open(nat, mapping, key, FLOW_OUT, outside_be,
		flows_first_state(FLOW_OUT, protocol, event, flow_remote_port(key)), ret_record);
	if (ret < 0) {
		*ret_reason = drop_of_errno(ret);
		return -1;
	}
	return 0;
}

/*
 * Refuses what would open a session. The guest is told (RFC 5508, REQ-8) when there is no room for
 * it; not when it is merely too fast, since an error ends a connection that the next SYN of the
 * same would open.
 */
static enum nat_verdict refuse_session(
	struct nat *nat, struct packet *p, const struct flow_key *key, enum nat_drop reason)
{
	uint16_t available = (uint16_t)(p->head_length - p->l3_offset);
	const struct icmp_error error = {
		.type = ICMP_DEST_UNREACH,
		.code = ICMP_PKT_FILTERED,
		.source_be = nat->config.gateway_be,
		.about = p->head + p->l3_offset,
		.length = available < p->l3_length ? available : (uint16_t)p->l3_length,
		.verdict = NAT_VERDICT_INSIDE,
		.budget = ICMP_BUDGET_REFUSED,
	};
	bool is_full = reason == NAT_DROP_GUEST_LIMIT || reason == NAT_DROP_TABLE_FULL ||
		       reason == NAT_DROP_PORTS_EXHAUSTED || reason == NAT_DROP_PROTOCOL_BUSY;

	/* No frame or too many: the counter tells. */
	if (is_full && error.source_be != 0 && flow_local(key) != error.source_be)
		(void)icmp_send(nat, &error);
	return nat_refuse(nat, p, reason);
}

enum nat_verdict nat_slow_session_out(
	struct nat *nat, struct packet *p, const struct flow_key *key, enum tcp_event event)
{
	uint32_t record = find_live(nat, key, FLOW_OUT);
	enum nat_drop reason;
	struct session *s;
	bool too_long;

	if (record == SESSION_NONE && open_out(nat, key, event, &record, &reason) < 0)
		return refuse_session(nat, p, key, reason);
	s = &nat->sessions.records[record];
	/* The guest takes part in what was opened from outside; a reset does not count. */
	if (event != TCP_EVENT_RST)
		flows_permit(nat, s);
	too_long = !(s->flags & SESSION_HAIRPIN) && mtu_is_exceeded(nat, p, FLOW_OUT);
	if (too_long && mtu_refuses(nat, p, FLOW_OUT))
		return nat_refuse(nat, p, NAT_DROP_TOO_BIG);
	if (nat->slow_events >> event & 1)
		mtu_clamp_mss(nat, p);
	hit_apply(nat, p, s, FLOW_OUT, event);
	nat_count(&nat->counters->packets_out, 1);
	if (too_long)
		return mtu_fragment(nat, p, FLOW_OUT, NAT_VERDICT_WORLD);
	return burst_after_out(nat, p, s);
}

enum nat_verdict nat_slow_out(struct nat *nat, struct packet *p)
{
	const uint8_t *ip = p->head + p->l3_offset;
	uint32_t destination_be;
	enum tcp_event event;
	struct flow_key key;

	nat_count(&nat->counters->misses, 1);
	if ((p->flags & (PACKET_IPV4 | PACKET_MALFORMED)) != PACKET_IPV4)
		return nat_refuse(nat, p, NAT_DROP_MALFORMED);
	destination_be = load32_be(ip + IPV4_DESTINATION);
	if (!nat_is_inside(nat, load32_be(ip + IPV4_SOURCE)))
		return nat_refuse(nat, p, NAT_DROP_NOT_INSIDE);
	if (is_unroutable(destination_be) || nat_is_lan(nat, destination_be))
		return nat_refuse(nat, p, NAT_DROP_DESTINATION);
	if (hit_key(p, FLOW_OUT, &key, &event))
		return nat_slow_session_out(nat, p, &key, event);
	if (icmp_error_is(p))
		return icmp_error_out(nat, p);
	if (p->flags & (PACKET_FRAGMENT | PACKET_LATER_FRAGMENT))
		return fragment_out(nat, p);
	return nat_refuse(nat, p, NAT_DROP_PROTOCOL);
}

/* Whether the mapping's filter lets the remote of the key in (RFC 4787, section 5). */
static bool is_let_in(const struct nat *nat, uint32_t mapping, const struct flow_key *key)
{
	if (nat->mappings.records[mapping].flags & MAPPING_STATIC)
		return true;
	switch (nat->config.filter) {
	case NAT_FILTER_ENDPOINT_INDEPENDENT:
		return true;
	case NAT_FILTER_ADDRESS:
		return permission_exists(&nat->permissions, mapping, flow_remote(key));
	case NAT_FILTER_ADDRESS_AND_PORT:
		return false; /* the remote would have a session */
	}
	return false;
}

/* The mapping that an inbound packet is for, or MAPPING_NONE. */
static uint32_t mapping_in(struct nat *nat, enum port_space space, const struct flow_key *key)
{
	uint16_t port_be =
		space == PORT_SPACE_OTHER ? htons(flow_protocol(key)) : flow_local_port(key);
	uint32_t mapping = mapping_find_outside(&nat->mappings, space, port_be);
	uint16_t inside_port;
	uint32_t inside_be;

	if (mapping != MAPPING_NONE || !forward_find_outside(&nat->forwards, space, ntohs(port_be),
					       &inside_be, &inside_port))
		return mapping;
	if (flows_static_mapping(nat, space, inside_be, htons(inside_port), port_be, &mapping) < 0)
		return MAPPING_NONE;
	return mapping;
}

/* Opens the session of an inbound packet. Returns 0 and *ret_record, or -1 and *ret_reason. */
static int open_in(struct nat *nat, const struct flow_key *key, enum tcp_event event,
	uint32_t *ret_record, enum nat_drop *ret_reason)
{
	uint8_t protocol = flow_protocol(key);
	uint32_t mapping;
	int ret;

	if (protocol == IPPROTO_TCP && event != TCP_EVENT_SYN) {
		*ret_reason = NAT_DROP_NO_SESSION;
		return -1;
	}
	/* The host takes its own address out of what the world sends: by it come guests alone. */
	if (!flows_may_meet(
		    nat, flow_local(key), flow_remote(key), flow_remote_port(key), protocol)) {
		*ret_reason = NAT_DROP_DESTINATION;
		return -1;
	}
	mapping = mapping_in(nat, flows_space(protocol), key);
	if (mapping == MAPPING_NONE) {
		*ret_reason = NAT_DROP_NO_MAPPING;
		return -1;
	}
	if (!is_let_in(nat, mapping, key)) {
		*ret_reason = NAT_DROP_FILTERED;
		return -1;
	}
	ret = flows_open(nat, mapping, key, FLOW_IN, flow_local(key),
		flows_first_state(FLOW_IN, protocol, event, flow_remote_port(key)), ret_record);
	if (ret < 0) {
		*ret_reason = drop_of_errno(ret);
		return -1;
	}
	return 0;
}

enum nat_verdict nat_slow_session_in(
	struct nat *nat, struct packet *p, const struct flow_key *key, enum tcp_event event)
{
	uint32_t record = find_live(nat, key, FLOW_IN);
	bool too_long = mtu_is_exceeded(nat, p, FLOW_IN);
	enum nat_drop reason;

	if (record == SESSION_NONE && open_in(nat, key, event, &record, &reason) < 0) {
		if (event == TCP_EVENT_SYN && !nat_is_outside(nat, flow_remote(key)))
			syn_hold_add(nat, p, key);
		return nat_refuse(nat, p, reason);
	}
	if (too_long && mtu_refuses(nat, p, FLOW_IN))
		return nat_refuse(nat, p, NAT_DROP_TOO_BIG);
	if (nat->slow_events >> event & 1)
		mtu_clamp_mss(nat, p);
	hit_apply(nat, p, &nat->sessions.records[record], FLOW_IN, event);
	nat_count(&nat->counters->packets_in, 1);
	if (too_long)
		return mtu_fragment(nat, p, FLOW_IN, NAT_VERDICT_INSIDE);
	return NAT_VERDICT_INSIDE;
}

enum nat_verdict nat_slow_in(struct nat *nat, struct packet *p)
{
	const uint8_t *ip = p->head + p->l3_offset;
	enum tcp_event event;
	struct flow_key key;

	nat_count(&nat->counters->misses, 1);
	if ((p->flags & (PACKET_IPV4 | PACKET_MALFORMED)) != PACKET_IPV4)
		return nat_refuse(nat, p, NAT_DROP_MALFORMED);
	if (!nat_is_outside(nat, load32_be(ip + IPV4_DESTINATION)))
		return nat_refuse(nat, p, NAT_DROP_DESTINATION);
	/* Whoever sends it: the host is the first router behind the gateway's address. */
	if (icmp_error_is(p))
		return icmp_error_in(nat, p);
	/* The host as a neighbour of the guests calls a forwarded port. */
	if (nat_is_inside(nat, load32_be(ip + IPV4_SOURCE)))
		return nat_slow_out(nat, p);
	if (is_unroutable(load32_be(ip + IPV4_SOURCE)) ||
		nat_is_lan(nat, load32_be(ip + IPV4_SOURCE)))
		return nat_refuse(nat, p, NAT_DROP_MALFORMED);
	if (hit_key(p, FLOW_IN, &key, &event))
		return nat_slow_session_in(nat, p, &key, event);
	if (p->flags & (PACKET_FRAGMENT | PACKET_LATER_FRAGMENT))
		return fragment_in(nat, p);
	return nat_refuse(nat, p, NAT_DROP_PROTOCOL);
}
