/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/frontend/frames.h"

#include <errno.h>
#include <string.h>

const uint8_t frames_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
const uint8_t frames_zero[6];

#define L4 (FRAMES_ETHERNET + FRAMES_IPV4)
#define IP_DONT_FRAGMENT 0x4000
#define TCP_CHECKSUM_OFFSET 16
#define UDP_CHECKSUM_OFFSET 6

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)(value >> 16));
	put16(at + 2, (uint16_t)value);
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

/* RFC 1071, the plain way: 16 bits at a time, in network order, an odd byte padded with zero. */
static uint64_t add_words(uint64_t sum, const uint8_t *bytes, uint32_t length)
{
	for (uint32_t i = 0; i + 1 < length; i += 2)
		sum += get16(bytes + i);
	if (length & 1)
		sum += (uint32_t)bytes[length - 1] << 8;
	return sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The sum over TCP's and UDP's pseudo-header, from the IPv4 header in front of it. */
static uint64_t pseudo_header(const uint8_t *ip, uint32_t l4_length)
{
	return add_words(0, ip + 12, 8) + ip[9] + l4_length;
}

static uint16_t checksum_offset(uint8_t protocol)
{
	return protocol == FRAMES_PROTOCOL_TCP ? TCP_CHECKSUM_OFFSET : UDP_CHECKSUM_OFFSET;
}

uint32_t frames_ethernet(uint8_t *frame, const uint8_t target[6], const uint8_t source[6],
	uint16_t type, const void *payload, uint32_t size)
{
	memcpy(frame, target, 6);
	memcpy(frame + 6, source, 6);
	put16(frame + 12, type);
	if (size > 0)
		memcpy(frame + FRAMES_ETHERNET, payload, size);
	return FRAMES_ETHERNET + size;
}

/* Ethernet and IPv4 in front of `l4_length` bytes. */
static void put_ip(uint8_t *frame, const struct frames_end *from, const struct frames_end *to,
	uint8_t protocol, uint32_t l4_length)
{
	uint8_t *ip = frame + FRAMES_ETHERNET;

	frames_ethernet(frame, to->mac, from->mac, FRAMES_TYPE_IPV4, NULL, 0);
	memset(ip, 0, FRAMES_IPV4);
	ip[0] = 0x45;
	put16(ip + 2, (uint16_t)(FRAMES_IPV4 + l4_length));
	put16(ip + 6, IP_DONT_FRAGMENT);
	ip[8] = 64;
	ip[9] = protocol;
	put32(ip + 12, from->ip);
	put32(ip + 16, to->ip);
	put16(ip + 10, (uint16_t)~fold(add_words(0, ip, FRAMES_IPV4)));
}

/* Completes TCP's or UDP's checksum, whose field is zero. */
static void put_checksum(uint8_t *frame, uint8_t protocol, uint32_t l4_length)
{
	uint64_t sum = pseudo_header(frame + FRAMES_ETHERNET, l4_length);
	uint16_t checksum = (uint16_t)~fold(add_words(sum, frame + L4, l4_length));
	if (checksum == 0 && protocol == FRAMES_PROTOCOL_UDP)
		checksum = 0xffff;
	put16(frame + L4 + checksum_offset(protocol), checksum);
}

uint32_t frames_udp(uint8_t *frame, const struct frames_end *from, const struct frames_end *to,
	const void *payload, uint32_t size)
{
	uint8_t *udp = frame + L4;
	uint32_t length = FRAMES_UDP + size;

	put_ip(frame, from, to, FRAMES_PROTOCOL_UDP, length);
	put16(udp, from->port);
	put16(udp + 2, to->port);
	put16(udp + 4, (uint16_t)length);
	put16(udp + 6, 0);
	if (size > 0)
		memcpy(udp + FRAMES_UDP, payload, size);
	put_checksum(frame, FRAMES_PROTOCOL_UDP, length);
	return L4 + length;
}

uint32_t frames_tcp(uint8_t *frame, const struct frames_end *from, const struct frames_end *to,
	uint32_t sequence, uint8_t flags, const void *payload, uint32_t size)
{
	uint8_t *tcp = frame + L4;
	uint32_t length = FRAMES_TCP + size;

	put_ip(frame, from, to, FRAMES_PROTOCOL_TCP, length);
	memset(tcp, 0, FRAMES_TCP);
	put16(tcp, from->port);
	put16(tcp + 2, to->port);
	put32(tcp + 4, sequence);
	tcp[12] = FRAMES_TCP / 4 << 4;
	tcp[13] = flags;
	put16(tcp + 14, 65535);
	if (size > 0)
		memcpy(tcp + FRAMES_TCP, payload, size);
	put_checksum(frame, FRAMES_PROTOCOL_TCP, length);
	return L4 + length;
}

uint32_t frames_icmp_echo(uint8_t *frame, const struct frames_end *from,
	const struct frames_end *to, uint8_t type, const void *payload, uint32_t size)
{
	uint8_t *icmp = frame + L4;
	uint32_t length = FRAMES_ICMP + size;

	put_ip(frame, from, to, FRAMES_PROTOCOL_ICMP, length);
	memset(icmp, 0, FRAMES_ICMP);
	icmp[0] = type;
	put16(icmp + 4, from->port);
	put16(icmp + 6, to->port);
	if (size > 0)
		memcpy(icmp + FRAMES_ICMP, payload, size);
	put16(icmp + 2, (uint16_t)~fold(add_words(0, icmp, length)));
	return L4 + length;
}

uint32_t frames_arp(uint8_t *frame, uint16_t operation, const struct frames_end *from,
	const struct frames_end *to)
{
	uint8_t arp[FRAMES_ARP] = {0, 1, 8, 0, 6, 4};
	bool request = operation == FRAMES_ARP_REQUEST;

	put16(arp + 6, operation);
	memcpy(arp + 8, from->mac, 6);
	put32(arp + 14, from->ip);
	memcpy(arp + 18, request ? frames_zero : to->mac, 6);
	put32(arp + 24, to->ip);
	return frames_ethernet(frame, request ? frames_broadcast : to->mac, from->mac,
		FRAMES_TYPE_ARP, arp, sizeof(arp));
}

/* What the checksum field holds while a checksum is partial: the pseudo-header's folded sum. */
static uint16_t partial_value(const uint8_t *frame, uint32_t length)
{
	return fold(pseudo_header(frame + FRAMES_ETHERNET, length - L4));
}

void frames_make_partial(uint8_t *frame, uint32_t length, struct virtio_net_hdr_v1 *vnet)
{
	uint16_t offset = checksum_offset(frame[FRAMES_ETHERNET + 9]);

	put16(frame + L4 + offset, partial_value(frame, length));
	vnet->flags |= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vnet->csum_start = L4;
	vnet->csum_offset = offset;
}

void frames_make_tso4(uint8_t *frame, uint32_t length, uint16_t mss, struct virtio_net_hdr_v1 *vnet)
{
	frames_make_partial(frame, length, vnet);
	vnet->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	vnet->gso_size = mss;
	vnet->hdr_len = L4 + FRAMES_TCP;
}

bool frames_is_partial(const uint8_t *frame, uint32_t length, const struct virtio_net_hdr_v1 *vnet)
{
	if (length < L4 + FRAMES_UDP || !(vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return false;
	uint16_t offset = checksum_offset(frame[FRAMES_ETHERNET + 9]);
	return vnet->csum_start == L4 && vnet->csum_offset == offset &&
	       get16(frame + L4 + offset) == partial_value(frame, length);
}

static int parse_arp(const uint8_t *arp, uint32_t length, struct frames_view *view)
{
	if (length < FRAMES_ARP)
		return -EBADMSG;
	view->operation = get16(arp + 6);
	memcpy(view->arp_source, arp + 8, 6);
	view->ip_source = get32(arp + 14);
	memcpy(view->arp_target, arp + 18, 6);
	view->ip_target = get32(arp + 24);
	return 0;
}

/* Bytes of the L4 header, or 0 when it is not understood or not whole. */
static uint32_t l4_header(const uint8_t *l4, uint32_t length, uint8_t protocol)
{
	uint32_t header = 0;
	if (protocol == FRAMES_PROTOCOL_UDP || protocol == FRAMES_PROTOCOL_ICMP)
		header = 8;
	else if (protocol == FRAMES_PROTOCOL_TCP && length >= FRAMES_TCP)
		header = (uint32_t)(l4[12] >> 4) * 4;
	return header <= length ? header : 0;
}

static void parse_l4(
	const uint8_t *ip, const uint8_t *l4, uint32_t length, struct frames_view *view)
{
	uint32_t header = l4_header(l4, length, view->protocol);
	if (header == 0)
		return;
	uint64_t sum = 0;
	if (view->protocol == FRAMES_PROTOCOL_ICMP) {
		view->icmp_type = l4[0];
		view->icmp_code = l4[1];
		view->port_source = get16(l4 + 4);
		view->port_target = get16(l4 + 6);
	} else {
		view->port_source = get16(l4);
		view->port_target = get16(l4 + 2);
		sum = pseudo_header(ip, length);
	}
	if (view->protocol == FRAMES_PROTOCOL_TCP) {
		view->sequence = get32(l4 + 4);
		view->tcp_flags = l4[13];
	}
	view->checksum_l4 = fold(add_words(sum, l4, length)) == 0xffff;
	if (view->protocol == FRAMES_PROTOCOL_UDP && get16(l4 + 6) == 0)
		view->checksum_l4 = true;
	view->payload = l4 + header;
	view->payload_length = length - header;
}

static int parse_ip(const uint8_t *ip, uint32_t length, struct frames_view *view)
{
	if (length < FRAMES_IPV4)
		return -EBADMSG;
	uint32_t header = (uint32_t)(ip[0] & 15) * 4;
	uint32_t total = get16(ip + 2);
	if (ip[0] >> 4 != 4 || header < FRAMES_IPV4 || total < header || total > length)
		return -EBADMSG;
	view->ttl = ip[8];
	view->protocol = ip[9];
	view->ip_source = get32(ip + 12);
	view->ip_target = get32(ip + 16);
	view->checksum_ip = fold(add_words(0, ip, header)) == 0xffff;
	view->payload = ip + header;
	view->payload_length = total - header;
	parse_l4(ip, ip + header, total - header, view);
	return 0;
}

int frames_parse(const uint8_t *frame, uint32_t length, struct frames_view *view)
{
	memset(view, 0, sizeof(*view));
	if (length < FRAMES_ETHERNET)
		return -EBADMSG;
	memcpy(view->target, frame, 6);
	memcpy(view->source, frame + 6, 6);
	view->type = get16(frame + 12);
	const uint8_t *inside = frame + FRAMES_ETHERNET;
	uint32_t left = length - FRAMES_ETHERNET;
	view->payload = inside;
	view->payload_length = left;
	if (view->type == FRAMES_TYPE_ARP)
		return parse_arp(inside, left, view);
	if (view->type == FRAMES_TYPE_IPV4)
		return parse_ip(inside, left, view);
	return 0;
}
