/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/icmp_error.h"

#include <arpa/inet.h>

#include "nat/flows.h"
#include "nat/hit.h"

#define ICMP_HEADER 8u
#define IPV4_HEADER_MIN 20u
#define IPV4_FRAGMENT 6
#define IPV4_PROTOCOL 9
/* What of an embedded L4 header is read when it is there: up to the TCP checksum. */
#define EMBEDDED_L4_MIN 8u
#define EMBEDDED_L4_MAX 20u

/* The packet that an error is about; offsets count from the start of head. */
struct embedded {
	uint16_t ip;
	uint16_t l4;
	uint16_t end; /* of what lies in head: 8 to 20 bytes behind l4 */
	uint8_t protocol;
};

bool icmp_error_is(const struct packet *p)
{
	const uint8_t *icmp = p->head + p->l4_offset;

	return p->l4_protocol == IPPROTO_ICMP && (p->flags & PACKET_L4) &&
	       !(p->flags & (PACKET_FRAGMENT | PACKET_MALFORMED)) &&
	       (icmp[ICMP_TYPE] == ICMP_DEST_UNREACH || icmp[ICMP_TYPE] == ICMP_TIME_EXCEEDED ||
		       icmp[ICMP_TYPE] == ICMP_PARAMETERPROB);
}

/* Whether the checksum over the whole ICMP message is right. */
static bool is_checksum_right(const struct packet *p)
{
	size_t left = p->l3_length - (size_t)(p->l4_offset - p->l3_offset);
	size_t length = (size_t)(p->head_length - p->l4_offset);
	uint64_t sum;
	size_t offset;

	if (length > left)
		length = left;
	sum = checksum_add(0, p->head + p->l4_offset, length);
	offset = length;
	for (uint16_t i = 0; i < p->segment_count && offset < left; i++) {
		length = p->segments[i].iov_len;
		if (length > left - offset)
			length = left - offset;
		sum = checksum_add_at(sum, p->segments[i].iov_base, length, offset);
		offset += length;
	}
	return offset == left && checksum_fold(sum) == UINT16_MAX;
}

/* Finds the embedded packet and brings its headers into head. */
static bool find_embedded(struct packet *p, struct embedded *e)
{
	uint32_t end = p->l3_offset + p->l3_length; /* of the datagram in the frame */
	const uint8_t *ip;
	uint32_t header;

	e->ip = (uint16_t)(p->l4_offset + ICMP_HEADER);
	if (e->ip + IPV4_HEADER_MIN > end || packet_pull(p, e->ip + IPV4_HEADER_MIN) < 0)
		return false;
	ip = p->head + e->ip;
	header = (uint32_t)(ip[0] & 0xf) * 4;
	if (ip[0] >> 4 != 4 || header < IPV4_HEADER_MIN)
		return false;
	e->l4 = (uint16_t)(e->ip + header);
	if (e->l4 + EMBEDDED_L4_MIN > end)
		return false;
	e->end = (uint16_t)(e->l4 + EMBEDDED_L4_MAX < end ? e->l4 + EMBEDDED_L4_MAX : end);
	if (packet_pull(p, e->end) < 0)
		return false;
	e->protocol = ip[IPV4_PROTOCOL];
	return (load16_be(ip + IPV4_FRAGMENT) & htons(0x1fff)) == 0 &&
	       checksum_fold(checksum_add(0, ip, header)) == UINT16_MAX;
}

/* The key that the embedded packet's session has: its source is the local end when it was sent by
 * our side (an error on the way in), its destination when it was sent to us. */
static bool embedded_key(const struct packet *p, const struct embedded *e,
	enum flow_direction direction, struct flow_key *key)
{
	const uint8_t *ip = p->head + e->ip, *l4 = p->head + e->l4;
	uint32_t source_be = load32_be(ip + IPV4_SOURCE);
	uint32_t destination_be = load32_be(ip + IPV4_DESTINATION);
	uint16_t source_port_be = 0, destination_port_be = 0;

	if (e->protocol == IPPROTO_TCP || e->protocol == IPPROTO_UDP) {
		source_port_be = load16_be(l4 + L4_SOURCE_PORT);
		destination_port_be = load16_be(l4 + L4_DESTINATION_PORT);
	} else if (e->protocol == IPPROTO_ICMP) {
		/* The embedded packet went the other way than the error. */
		if (!hit_icmp_is_query(l4[ICMP_TYPE], direction == FLOW_IN ? FLOW_OUT : FLOW_IN))
			return false;
		source_port_be = direction == FLOW_IN ? load16_be(l4 + ICMP_IDENTIFIER) : 0;
		destination_port_be = direction == FLOW_OUT ? load16_be(l4 + ICMP_IDENTIFIER) : 0;
	} else if (e->protocol == 0) {
		return false;
	}
	*key = direction == FLOW_IN ? flow_key(source_be, source_port_be, destination_be,
					      destination_port_be, e->protocol)
				    : flow_key(destination_be, destination_port_be, source_be,
					      source_port_be, e->protocol);
	return true;
}

/* The live session of the key, or NULL. */
static const struct session *find_session(
	const struct nat *nat, const struct flow_key *key, enum flow_direction direction)
{
	uint32_t record =
		session_find(&nat->sessions, key, flow_hash(key, nat->sessions.seed), direction);

	if (record == SESSION_NONE || nat_is_expired(nat, &nat->sessions.records[record]))
		return NULL;
	return &nat->sessions.records[record];
}

/* Replaces address and port of the embedded packet's source (an error on the way in) or
 * destination, and updates its checksums as far as they are there. */
static void rewrite_embedded(struct packet *p, const struct embedded *e,
	enum flow_direction direction, uint32_t address_be, uint16_t port_be)
{
	uint8_t *ip = p->head + e->ip, *l4 = p->head + e->l4;
	uint8_t *address = ip + (direction == FLOW_IN ? IPV4_SOURCE : IPV4_DESTINATION);
	uint8_t *port = l4 + (direction == FLOW_IN ? L4_SOURCE_PORT : L4_DESTINATION_PORT);
	uint16_t address_delta = checksum_delta32(load32_be(address), address_be);
	uint16_t port_delta;

	store32_be(address, address_be);
	store16_be(
		ip + IPV4_CHECKSUM, checksum_update(load16_be(ip + IPV4_CHECKSUM), address_delta));
	if (e->protocol == IPPROTO_ICMP)
		port = l4 + ICMP_IDENTIFIER;
	else if (e->protocol != IPPROTO_TCP && e->protocol != IPPROTO_UDP)
		return;
	port_delta = checksum_delta16(load16_be(port), port_be);
	store16_be(port, port_be);
	if (e->protocol == IPPROTO_ICMP) {
		store16_be(l4 + ICMP_CHECKSUM,
			checksum_update(load16_be(l4 + ICMP_CHECKSUM), port_delta));
	} else if (e->protocol == IPPROTO_UDP) {
		store16_be(
			l4 + UDP_CHECKSUM, checksum_update_udp(load16_be(l4 + UDP_CHECKSUM),
						   checksum_delta_join(address_delta, port_delta)));
	} else if (e->l4 + TCP_CHECKSUM + 2 <= e->end) {
		store16_be(
			l4 + TCP_CHECKSUM, checksum_update(load16_be(l4 + TCP_CHECKSUM),
						   checksum_delta_join(address_delta, port_delta)));
	}
}

/* The whole translation: embedded packet, ICMP checksum, outer address. */
static void translate(struct packet *p, const struct embedded *e, enum flow_direction direction,
	uint32_t outer_be, uint32_t embedded_be, uint16_t port_be)
{
	uint8_t *ip = p->head + p->l3_offset, *icmp = p->head + p->l4_offset;
	uint8_t *outer = ip + (direction == FLOW_IN ? IPV4_DESTINATION : IPV4_SOURCE);
	size_t length = (size_t)(e->end - e->ip);
	uint16_t before = checksum_fold(checksum_add(0, p->head + e->ip, length));
	uint16_t after;

	rewrite_embedded(p, e, direction, embedded_be, port_be);
	after = checksum_fold(checksum_add(0, p->head + e->ip, length));
	store16_be(icmp + ICMP_CHECKSUM,
		checksum_update(load16_be(icmp + ICMP_CHECKSUM), checksum_delta16(before, after)));
	store16_be(ip + IPV4_CHECKSUM, checksum_update(load16_be(ip + IPV4_CHECKSUM),
					       checksum_delta32(load32_be(outer), outer_be)));
	store32_be(outer, outer_be);
}

/* An error from inside. */
enum nat_verdict icmp_error_out(struct nat *nat, struct packet *p)
{
	const struct session *s;
	struct embedded e;
	struct flow_key key;
	uint32_t embedded_be;

	if (!find_embedded(p, &e) || !is_checksum_right(p) ||
		!embedded_key(p, &e, FLOW_OUT, &key) ||
		load32_be(p->head + p->l3_offset + IPV4_DESTINATION) != flow_remote(&key))
		return nat_refuse(nat, p, NAT_DROP_ICMP_ERROR);
	s = find_session(nat, &key, FLOW_OUT);
	if (s == NULL)
		return nat_refuse(nat, p, NAT_DROP_ICMP_ERROR);
	/* The remote knows us by the alias: the host rewrites outer addresses only. */
	embedded_be = s->outside_be;
	if (nat_is_aliased(nat) && !(s->flags & SESSION_HAIRPIN))
		embedded_be = nat->config.alias_be;
	translate(p, &e, FLOW_OUT, s->outside_be, embedded_be, s->outside_port_be);
	nat_count(&nat->counters->packets_out, 1);
	return s->flags & SESSION_HAIRPIN ? icmp_error_in(nat, p) : NAT_VERDICT_WORLD;
}

/* The session that an error on the way in is about. The embedded packet may carry either of our
 * outside addresses, whichever its session has. */
static const struct session *find_session_in(const struct nat *nat, struct flow_key *key)
{
	const struct session *s = find_session(nat, key, FLOW_IN);
	uint32_t other_be = nat->config.outside_be;

	if (s != NULL)
		return s;
	if (flow_local(key) == other_be)
		other_be = nat->config.alias_be;
	key->addresses = other_be | (uint64_t)flow_remote(key) << 32;
	return find_session(nat, key, FLOW_IN);
}

/* An error for the inside. */
enum nat_verdict icmp_error_in(struct nat *nat, struct packet *p)
{
	const struct session *s;
	struct embedded e;
	struct flow_key key;

	if (!find_embedded(p, &e) || !is_checksum_right(p) || !embedded_key(p, &e, FLOW_IN, &key) ||
		!nat_is_outside(nat, flow_local(&key)))
		return nat_refuse(nat, p, NAT_DROP_ICMP_ERROR);
	/* The host answers as a neighbour of the guests: it was sent a hairpinned packet. */
	if (nat_is_inside(nat, flow_remote(&key)) &&
		nat_is_inside(nat, load32_be(p->head + p->l3_offset + IPV4_SOURCE)))
		return icmp_error_out(nat, p);
	s = find_session_in(nat, &key);
	if (s == NULL)
		return nat_refuse(nat, p, NAT_DROP_ICMP_ERROR);
	translate(p, &e, FLOW_IN, s->inside_be, s->inside_be, s->inside_port_be);
	nat_count(&nat->counters->packets_in, 1);
	return NAT_VERDICT_INSIDE;
}
