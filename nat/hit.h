/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hit: from a packet to its key, and from a session to the rewritten packet. Inline, since both
 * directions, the slow path and fragments end here.
 *
 * Checksums (RFC 1624): the IPv4 header's gets the address delta, that of TCP and UDP the delta of
 * address and port, that of ICMP the identifier's. A partial one (VIRTIO_NET_HDR_F_NEEDS_CSUM) is
 * the folded sum of the pseudo-header only, so it gets the address delta alone and is not inverted;
 * whoever completes it sums the new ports. On the way in the deltas are negated, which in ones'
 * complement is inversion.
 */
#pragma once

#include <netinet/ip_icmp.h>

#include "backend/bytes.h"
#include "nat/checksum.h"
#include "nat/nat_private.h"

/* Offsets in bytes. */
#define IPV4_ID 4
#define IPV4_CHECKSUM 10
#define IPV4_SOURCE 12
#define IPV4_DESTINATION 16
#define L4_SOURCE_PORT 0
#define L4_DESTINATION_PORT 2
#define TCP_FLAGS 13
#define TCP_CHECKSUM 16
#define UDP_CHECKSUM 6
#define ICMP_TYPE 0
#define ICMP_CHECKSUM 2
#define ICMP_IDENTIFIER 4

/* ICMP messages that are looked up by identifier: queries on the way out, replies on the way in.
 * Timestamp is the only other query in use (RFC 5508, section 3). */
static inline bool hit_icmp_is_query(uint8_t type, enum flow_direction direction)
{
	if (direction == FLOW_OUT)
		return type == ICMP_ECHO || type == ICMP_TIMESTAMP;
	return type == ICMP_ECHOREPLY || type == ICMP_TIMESTAMPREPLY;
}

/* Ports and protocol of the key; false: such packets have no session. */
static inline bool hit_ports(const struct packet *p, enum flow_direction direction, uint64_t *ports,
	enum tcp_event *event)
{
	const uint8_t *l4 = p->head + p->l4_offset;
	uint64_t protocol = p->l4_protocol;

	*event = TCP_EVENT_DATA;
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) {
		uint32_t both;

		if (!(p->flags & PACKET_L4))
			return false;
		both = load32_be(l4);
		if (direction == FLOW_IN)
			both = both << 16 | both >> 16;
		*ports = both | protocol << 32;
		if (protocol == IPPROTO_TCP)
			*event = (enum tcp_event)tcp_event_of_flags[l4[TCP_FLAGS] & 0x1f];
		return true;
	}
	if (protocol == IPPROTO_ICMP) {
		if (!(p->flags & PACKET_L4) || !hit_icmp_is_query(l4[ICMP_TYPE], direction))
			return false;
		*ports = load16_be(l4 + ICMP_IDENTIFIER) | protocol << 32;
		return true;
	}
	*ports = protocol << 32;
	return protocol != 0;
}

/* The addresses of the key. */
static inline uint64_t hit_addresses(const struct packet *p, enum flow_direction direction)
{
	uint64_t addresses = load64_be(p->head + p->l3_offset + IPV4_SOURCE);

	return direction == FLOW_OUT ? addresses : addresses << 32 | addresses >> 32;
}

/* The key of a packet that may be a hit: IPv4, well-formed, no fragment (except of protocols
 * without ports, where each fragment tells all), and of a kind that has sessions. */
static inline bool hit_key(const struct packet *p, enum flow_direction direction,
	struct flow_key *key, enum tcp_event *event)
{
	if ((p->flags & (PACKET_IPV4 | PACKET_FRAGMENT | PACKET_LATER_FRAGMENT |
				PACKET_MALFORMED)) != PACKET_IPV4)
		return false;
	key->addresses = hit_addresses(p, direction);
	return hit_ports(p, direction, &key->ports, event);
}

/* Whether the fast path may use the session for this packet. */
static inline bool hit_is_usable(const struct nat *nat, const struct session *s,
	enum flow_direction direction, enum tcp_event event)
{
	return !nat_is_expired(nat, s) &&
	       (direction == FLOW_IN || s->permission != PERMISSION_NONE) &&
	       (nat->slow_events >> event & 1) == 0;
}

/* State, deadline and bytes. */
static inline void hit_account(const struct nat *nat, struct session *s,
	enum flow_direction direction, enum tcp_event event, uint32_t bytes)
{
	uint8_t state = tcp_state_next[direction][s->state][event];
	uint32_t timeout = nat->timeouts[direction][state];

	s->state = state;
	if (timeout != 0)
		s->deadline_ticks = nat->now_ticks + timeout;
	if (direction == FLOW_OUT)
		s->bytes_out += bytes;
	else
		s->bytes_in += bytes;
}

static inline void hit_rewrite_l4(struct packet *p, const struct session *s,
	enum flow_direction direction, uint16_t address_delta, uint16_t l4_delta)
{
	uint8_t *l4 = p->head + p->l4_offset;
	uint16_t port = direction == FLOW_OUT ? s->outside_port_be : s->inside_port_be;
	uint8_t *port_field = l4 + (direction == FLOW_OUT ? L4_SOURCE_PORT : L4_DESTINATION_PORT);
	uint8_t *field;

	if (s->protocol == IPPROTO_ICMP) {
		store16_be(l4 + ICMP_IDENTIFIER, port);
		field = l4 + ICMP_CHECKSUM;
		store16_be(field, checksum_update(load16_be(field), l4_delta));
		return;
	}
	store16_be(port_field, port);
	field = l4 + (s->protocol == IPPROTO_TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
	if ((p->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && p->vnet.csum_start == p->l4_offset)
		store16_be(field, checksum_update_partial(load16_be(field), address_delta));
	else if (s->protocol == IPPROTO_TCP)
		store16_be(field, checksum_update(load16_be(field), l4_delta));
	else
		store16_be(field, checksum_update_udp(load16_be(field), l4_delta));
}

/* The address, and the L4 header when the packet has one. */
static inline void hit_rewrite(
	struct packet *p, const struct session *s, enum flow_direction direction)
{
	uint8_t *ip = p->head + p->l3_offset;
	uint16_t negate = direction == FLOW_OUT ? 0 : UINT16_MAX;
	uint16_t address_delta = s->address_delta ^ negate;

	if (direction == FLOW_OUT)
		store32_be(ip + IPV4_SOURCE, s->outside_be);
	else
		store32_be(ip + IPV4_DESTINATION, s->inside_be);
	store16_be(
		ip + IPV4_CHECKSUM, checksum_update(load16_be(ip + IPV4_CHECKSUM), address_delta));
	if (p->flags & PACKET_L4)
		hit_rewrite_l4(p, s, direction, address_delta, s->l4_delta ^ negate);
}

/* Another identification: see fragment.h. */
static inline void hit_replace_id(struct packet *p, uint16_t id_be)
{
	uint8_t *ip = p->head + p->l3_offset;

	store16_be(ip + IPV4_CHECKSUM,
		checksum_update16(load16_be(ip + IPV4_CHECKSUM), load16_be(ip + IPV4_ID), id_be));
	store16_be(ip + IPV4_ID, id_be);
}

/* The whole hit. */
static inline void hit_apply(const struct nat *nat, struct packet *p, struct session *s,
	enum flow_direction direction, enum tcp_event event)
{
	hit_account(nat, s, direction, event, p->l3_length);
	hit_rewrite(p, s, direction);
}
