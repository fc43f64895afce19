/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/parse.h"

#include <netinet/in.h>
#include <string.h>

#include "backend/bytes.h"
#include "nat/checksum.h"

#define VLAN_TAG_LENGTH 4
#define ARP_LENGTH 28
#define IPV4_HEADER_MIN 20
#define IPV4_LENGTH_MAX 65535
#define IPV4_FRAGMENT_OFFSET 0x1fff /* in units of 8 bytes */
#define IPV4_MORE_FRAGMENTS 0x2000
#define TCP_HEADER_MIN 20
#define UDP_HEADER_LENGTH 8
#define ICMP_HEADER_LENGTH 8

/* EtherType IPv4 and, behind it, version 4 with a header of 20 bytes, as a little-endian word. */
#define COMMON_START 0x00450008
#define COMMON_MASK 0x00ffffff
#define COMMON_L4_OFFSET (ETHERNET_HEADER_LENGTH + IPV4_HEADER_MIN)

_Static_assert(PACKET_HEAD_CAPACITY >= ETHERNET_HEADER_LENGTH + VLAN_TAG_LENGTH + 60 + 60,
	"IPv4 and TCP headers with all their options fit into the head");

/* Whether `head` holds `length` bytes, if need be after pulling them. */
static inline bool have(struct packet *p, uint32_t length)
{
	return __builtin_expect(p->head_length >= length, 1) || packet_pull(p, length) == 0;
}

/* Is there a whole header of a known protocol in the `length` bytes at l4_offset? */
static inline bool parse_l4(struct packet *p, uint32_t length, bool fragment)
{
	const uint8_t *l4 = p->head + p->l4_offset;
	uint32_t header;

	switch (p->l4_protocol) {
	case IPPROTO_TCP:
		if (length < TCP_HEADER_MIN || !have(p, p->l4_offset + TCP_HEADER_MIN))
			return false;
		header = (uint32_t)(l4[12] >> 4) * 4;
		return header >= TCP_HEADER_MIN && header <= length &&
		       have(p, p->l4_offset + header);
	case IPPROTO_UDP:
		if (length < UDP_HEADER_LENGTH || !have(p, p->l4_offset + UDP_HEADER_LENGTH))
			return false;
		header = load16(l4 + 4);
		return header >= UDP_HEADER_LENGTH && (header <= length || fragment);
	case IPPROTO_ICMP:
		return length >= ICMP_HEADER_LENGTH && have(p, p->l4_offset + ICMP_HEADER_LENGTH);
	default:
		return false;
	}
}

/* Returns the flags to add. */
static inline uint16_t parse_ipv4(struct packet *p)
{
	const uint8_t *ip = p->head + p->l3_offset;
	uint32_t header, total, fragment;

	if (!have(p, p->l3_offset + IPV4_HEADER_MIN))
		return PACKET_MALFORMED;
	header = (uint32_t)(ip[0] & 0xf) * 4;
	total = load16(ip + 2);
	if (ip[0] >> 4 != 4 || header < IPV4_HEADER_MIN || total < header ||
		total > p->length - p->l3_offset || !have(p, p->l3_offset + header))
		return PACKET_MALFORMED;

	fragment = load16(ip + 6) & (IPV4_FRAGMENT_OFFSET | IPV4_MORE_FRAGMENTS);
	if (__builtin_expect(fragment != 0, 0) &&
		(fragment & IPV4_FRAGMENT_OFFSET) * 8 + total > IPV4_LENGTH_MAX)
		return PACKET_MALFORMED;
	p->l4_offset = (uint16_t)(p->l3_offset + header);
	p->l4_protocol = ip[9];
	p->l3_length = total;
	if ((fragment & IPV4_FRAGMENT_OFFSET) != 0)
		return PACKET_IPV4 | PACKET_FRAGMENT | PACKET_LATER_FRAGMENT;
	return (uint16_t)(PACKET_IPV4 | (fragment != 0 ? PACKET_FRAGMENT : 0) |
			  (parse_l4(p, total - header, fragment != 0) ? PACKET_L4 : 0));
}

static inline uint16_t parse_arp(struct packet *p)
{
	/* Hardware type Ethernet, protocol type IPv4, address lengths 6 and 4 (RFC 826). */
	static const uint8_t prefix[] = {0, 1, 0x08, 0, 6, 4};

	if (!have(p, p->l3_offset + ARP_LENGTH) ||
		memcmp(p->head + p->l3_offset, prefix, sizeof(prefix)) != 0)
		return PACKET_MALFORMED;
	return PACKET_ARP;
}

/*
 * By far the most frequent frames: no tag, IPv4 without options, no fragment, TCP or UDP, and all
 * of that in the head. The same checks as below, in fewer steps; false when it is anything else.
 */
static inline bool parse_common(struct packet *p)
{
	const uint8_t *ip = p->head + ETHERNET_HEADER_LENGTH;
	uint32_t start, header, l4_length;

	if (p->head_length < COMMON_L4_OFFSET + TCP_HEADER_MIN)
		return false;
	memcpy(&start, p->head + 12, sizeof(start));
	if ((start & COMMON_MASK) != COMMON_START ||
		(load16(ip + 6) & (IPV4_FRAGMENT_OFFSET | IPV4_MORE_FRAGMENTS)) != 0)
		return false;
	if (ip[9] == IPPROTO_TCP) {
		header = (uint32_t)(p->head[COMMON_L4_OFFSET + 12] >> 4) * 4;
		if (header < TCP_HEADER_MIN || p->head_length < COMMON_L4_OFFSET + header)
			return false;
	} else if (ip[9] == IPPROTO_UDP) {
		header = load16(p->head + COMMON_L4_OFFSET + 4);
		if (header < UDP_HEADER_LENGTH)
			return false;
	} else {
		return false;
	}
	/* A total length below 20 wraps around, and is not within the frame. */
	l4_length = (uint32_t)load16(ip + 2) - IPV4_HEADER_MIN;
	if (l4_length > p->length - COMMON_L4_OFFSET || header > l4_length)
		return false;

	p->flags = (uint16_t)(PACKET_IPV4 | PACKET_L4 |
			      ((p->head[0] & 1) != 0 ? PACKET_BROADCAST : 0));
	p->l3_offset = ETHERNET_HEADER_LENGTH;
	p->l4_offset = COMMON_L4_OFFSET;
	p->ethertype = ETHERNET_TYPE_IPV4;
	p->l4_protocol = ip[9];
	p->l3_length = l4_length + IPV4_HEADER_MIN;
	return true;
}

static inline void parse_one(struct packet *p)
{
	uint16_t flags;

	if (__builtin_expect(parse_common(p), 1))
		return;

	p->l3_offset = ETHERNET_HEADER_LENGTH;
	p->l4_offset = 0;
	p->ethertype = 0;
	p->l4_protocol = 0;
	p->l3_length = 0;
	p->flags = PACKET_MALFORMED;
	if (!have(p, ETHERNET_HEADER_LENGTH))
		return;

	flags = (p->head[0] & 1) != 0 ? PACKET_BROADCAST : 0;
	p->ethertype = load16(p->head + 12);
	if (__builtin_expect(p->ethertype == ETHERNET_TYPE_8021Q, 0)) {
		p->l3_offset += VLAN_TAG_LENGTH;
		if (!have(p, p->l3_offset)) {
			p->flags = flags | PACKET_MALFORMED;
			return;
		}
		p->ethertype = load16(p->head + 16);
	}
	if (p->ethertype == ETHERNET_TYPE_IPV4)
		flags |= parse_ipv4(p);
	else if (p->ethertype == ETHERNET_TYPE_ARP)
		flags |= parse_arp(p);
	else if (p->ethertype == ETHERNET_TYPE_IPV6)
		flags |= PACKET_IPV6;
	p->flags = flags;
}

void parse_packet(struct packet *p)
{
	parse_one(p);
}

void parse_burst(struct packet packets[], uint16_t count)
{
	for (uint16_t i = 0; i < count; i++)
		parse_one(&packets[i]);
}

bool parse_ipv4_checksum_ok(const struct packet *p)
{
	const uint8_t *ip = p->head + p->l3_offset;
	size_t length = (size_t)(p->l4_offset - p->l3_offset);

	return checksum_fold(checksum_add(0, ip, length)) == UINT16_MAX;
}
