/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/coalesce_match.h"

#include <arpa/inet.h>
#include <string.h>

#include "backend/bytes.h"
#include "backend/parse.h"
#include "backend/parse_vnet.h"
#include "nat/checksum.h"

/* Offsets in headers, bytes. */
#define IPV4_LENGTH 2
#define IPV4_ID 4
#define IPV4_FRAGMENT 6
#define IPV4_TTL 8
#define IPV4_CHECKSUM 10
#define IPV4_HEADER_LENGTH 20
#define IPV4_DONT_FRAGMENT 0x40 /* in the byte at IPV4_FRAGMENT */
#define IPV4_PACKET_MAX 65535
#define TCP_SEQUENCE 4
#define TCP_ACKNOWLEDGEMENT 8
#define TCP_FLAGS 13
#define TCP_WINDOW 14
#define TCP_CHECKSUM 16
#define TCP_URGENT 18
#define TCP_OPTIONS 20
#define UDP_LENGTH 4
#define UDP_CHECKSUM 6
#define UDP_HEADER_LENGTH 8

#define TCP_FLAG_PSH 0x08
#define TCP_FLAG_ACK 0x10

/* Where a frame without tag and options has its headers. */
#define L3 ETHERNET_HEADER_LENGTH
#define L4 (L3 + IPV4_HEADER_LENGTH)

static uint64_t pseudo(const struct packet *p)
{
	uint32_t source_be, destination_be;
	memcpy(&source_be, p->head + L3 + COALESCE_ADDRESSES, sizeof(source_be));
	memcpy(&destination_be, p->head + L3 + COALESCE_ADDRESSES + 4, sizeof(destination_be));
	return checksum_pseudo_ipv4(
		source_be, destination_be, p->l4_protocol, (uint16_t)(p->length - L4));
}

/* Whether a frame whose checksum is complete has the right one. */
static bool checksum_is_right(const struct packet *p)
{
	size_t offset = p->head_length - L4;
	uint64_t sum = checksum_add(pseudo(p), p->head + L4, offset);
	for (uint16_t i = 0; i < p->segment_count; i++) {
		const struct iovec *segment = &p->segments[i];
		sum = checksum_add_at(sum, segment->iov_base, segment->iov_len, offset);
		offset += segment->iov_len;
	}
	return checksum_fold(sum) == UINT16_MAX;
}

static uint32_t l4_header(const struct packet *p, bool tcp, bool udp)
{
	const uint8_t *l4 = p->head + L4;
	if (p->l4_protocol == IPPROTO_TCP && tcp &&
		(l4[TCP_FLAGS] & ~TCP_FLAG_PSH) == TCP_FLAG_ACK && load16(l4 + TCP_URGENT) == 0)
		return (uint32_t)(l4[12] >> 4) * 4;
	/* 0: no checksum, which a cut datagram would get. */
	if (p->l4_protocol == IPPROTO_UDP && udp && load16(l4 + UDP_CHECKSUM) != 0 &&
		load16(l4 + UDP_LENGTH) == p->length - L4)
		return UDP_HEADER_LENGTH;
	return 0;
}

uint32_t coalesce_headers(const struct packet *p, bool tcp, bool udp)
{
	const uint16_t wanted = PACKET_IPV4 | PACKET_L4;
	if ((p->flags & (wanted | PACKET_FRAGMENT | PACKET_MALFORMED | PACKET_BROADCAST)) !=
			wanted ||
		p->l3_offset != L3 || p->l4_offset != L4 || p->length != L3 + p->l3_length)
		return 0;
	uint32_t header = l4_header(p, tcp, udp);
	if (!header || p->length <= L4 + header || !parse_ipv4_checksum_ok(p))
		return 0;
	if (!(p->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && !checksum_is_right(p))
		return 0;
	return L4 + header;
}

/* Ethernet and IPv4, but for lengths, identification and checksum. */
static bool same_l3(const struct packet *a, const struct packet *b)
{
	const uint8_t *x = a->head + L3, *y = b->head + L3;
	return !memcmp(a->head, b->head, L3) && !memcmp(x, y, IPV4_LENGTH) &&
	       !memcmp(x + IPV4_FRAGMENT, y + IPV4_FRAGMENT, IPV4_CHECKSUM - IPV4_FRAGMENT);
}

static bool same_tcp(const struct packet *a, const struct packet *b, uint32_t headers)
{
	const uint8_t *x = a->head + L4, *y = b->head + L4;
	return !memcmp(x + TCP_ACKNOWLEDGEMENT, y + TCP_ACKNOWLEDGEMENT, 5) &&
	       !memcmp(x + TCP_WINDOW, y + TCP_WINDOW, 2) &&
	       !memcmp(x + TCP_OPTIONS, y + TCP_OPTIONS, headers - L4 - TCP_OPTIONS);
}

bool coalesce_follows(const struct coalesce_entry *entry, const struct packet *p)
{
	const struct packet *first = &entry->packet;
	const uint8_t *ip = p->head + L3;
	uint32_t payload = p->length - entry->headers;

	if (payload > entry->share || first->length - L3 + payload > IPV4_PACKET_MAX ||
		!same_l3(first, p))
		return false;
	if (!(ip[IPV4_FRAGMENT] & IPV4_DONT_FRAGMENT) && load16(ip + IPV4_ID) != entry->next_id)
		return false;
	if (p->l4_protocol == IPPROTO_UDP)
		return true;
	return load32(p->head + L4 + TCP_SEQUENCE) == entry->next_sequence &&
	       same_tcp(first, p, entry->headers);
}

void coalesce_note(struct coalesce_entry *entry, const struct packet *p)
{
	entry->next_id = (uint16_t)(load16(p->head + L3 + IPV4_ID) + 1);
	if (p->l4_protocol != IPPROTO_TCP)
		return;
	entry->next_sequence = load32(p->head + L4 + TCP_SEQUENCE) + (p->length - entry->headers);
	entry->packet.head[L4 + TCP_FLAGS] |= p->head[L4 + TCP_FLAGS] & TCP_FLAG_PSH;
}

bool coalesce_may_grow(const struct coalesce_entry *entry, const struct packet *p)
{
	if (p->length - entry->headers < entry->share ||
		entry->packet.length - L3 + entry->share > IPV4_PACKET_MAX)
		return false;
	if (p->l4_protocol == IPPROTO_UDP)
		return entry->frames < COALESCE_DATAGRAMS_MAX;
	return !(p->head[L4 + TCP_FLAGS] & TCP_FLAG_PSH);
}

void coalesce_finish(struct coalesce_entry *entry)
{
	struct packet *p = &entry->packet;
	uint8_t *ip = p->head + L3, *l4 = p->head + L4;
	bool tcp = p->l4_protocol == IPPROTO_TCP;

	p->l3_length = p->length - L3;
	store16_be(ip + IPV4_LENGTH, htons((uint16_t)p->l3_length));
	store16_be(ip + IPV4_CHECKSUM, checksum_ipv4_header(ip, IPV4_HEADER_LENGTH));
	if (!tcp)
		store16_be(l4 + UDP_LENGTH, htons((uint16_t)(p->length - L4)));
	store16_be(l4 + (tcp ? TCP_CHECKSUM : UDP_CHECKSUM), checksum_fold(pseudo(p)));
	p->vnet = (struct virtio_net_hdr_v1){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = tcp ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_UDP_L4,
		.hdr_len = entry->headers,
		.gso_size = entry->share,
		.csum_start = L4,
		.csum_offset = tcp ? TCP_CHECKSUM : UDP_CHECKSUM,
	};
}
