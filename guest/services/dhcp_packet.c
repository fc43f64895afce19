/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/services/dhcp_packet.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>

#include "backend/parse.h"
#include "nat/checksum.h"

/* The longest message of a client that is read, bytes: more than any Ethernet frame holds. */
#define MESSAGE_MAX 1500
#define REPLY_TTL 64 /* RFC 1700 */

/* A private copy of the datagram's payload. */
struct payload {
	uint8_t bytes[MESSAGE_MAX];
	uint32_t length;
};

static bool checksum_ok(const struct packet *p, const struct iphdr *ip, const struct udphdr *udp,
	const struct payload *payload)
{
	if (udp->check == 0 || p->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		return true;
	uint64_t sum = checksum_pseudo_ipv4(ip->saddr, ip->daddr, IPPROTO_UDP, ntohs(udp->len));
	sum = checksum_add(sum, udp, sizeof(*udp));
	sum = checksum_add(sum, payload->bytes, payload->length);
	return checksum_finish(sum) == 0;
}

static bool read_payload(const struct packet *p, struct payload *payload)
{
	struct iphdr ip;
	struct udphdr udp;

	if (p->flags & PACKET_FRAGMENT || !parse_ipv4_checksum_ok(p))
		return false;
	memcpy(&ip, p->head + p->l3_offset, sizeof(ip));
	memcpy(&udp, p->head + p->l4_offset, sizeof(udp));
	/* parse_packet() saw that it is 8 at least and ends inside of the datagram. */
	payload->length = ntohs(udp.len) - (uint32_t)sizeof(udp);
	return payload->length <= sizeof(payload->bytes) &&
	       packet_read(p, p->l4_offset + (uint32_t)sizeof(udp), payload->bytes,
		       payload->length) == 0 &&
	       checksum_ok(p, &ip, &udp, payload);
}

static void write_frame(struct dhcp_frame *frame, const struct packet *p,
	const struct dhcp_server *server, const uint8_t *server_mac)
{
	const struct dhcp_output *output = &frame->output;
	struct packet *to = &frame->packet;
	uint16_t length = (uint16_t)output->length;
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons((uint16_t)(sizeof(ip) + sizeof(struct udphdr) + length)),
		.ttl = REPLY_TTL,
		.protocol = IPPROTO_UDP,
		.saddr = server->lan.gateway_be,
		.daddr = output->destination_be,
	};
	struct udphdr udp = {
		.source = htons(DHCP_PORT_SERVER),
		.dest = htons(DHCP_PORT_CLIENT),
		.len = htons((uint16_t)(sizeof(udp) + length)),
	};

	ip.check = checksum_ipv4_header(&ip, sizeof(ip));
	uint64_t sum = checksum_pseudo_ipv4(ip.saddr, ip.daddr, IPPROTO_UDP, ntohs(udp.len));
	sum = checksum_add(sum, &udp, sizeof(udp));
	udp.check = checksum_finish_udp(checksum_add(sum, output->message, length));

	memset(to, 0, sizeof(*to));
	memcpy(to->head, p->head, p->l3_offset);
	memcpy(to->head, output->mac, ETHERNET_ADDRESS_LENGTH);
	memcpy(to->head + ETHERNET_ADDRESS_LENGTH, server_mac, ETHERNET_ADDRESS_LENGTH);
	memcpy(to->head + p->l3_offset, &ip, sizeof(ip));
	memcpy(to->head + p->l3_offset + sizeof(ip), &udp, sizeof(udp));
	to->head_length = (uint16_t)(p->l3_offset + sizeof(ip) + sizeof(udp));
	to->length = to->head_length + (uint32_t)length;
	frame->segment = (struct iovec){frame->output.message, length};
	to->segments = &frame->segment;
	to->segment_count = 1;
	parse_packet(to);
}

enum dhcp_verdict dhcp_packet_serve(struct dhcp_server *server, const struct packet *p,
	const uint8_t server_mac[DHCP_MAC_LENGTH], uint32_t now_s, struct dhcp_frame *ret_frame)
{
	struct payload payload;

	if (!read_payload(p, &payload))
		return DHCP_VERDICT_MALFORMED;
	enum dhcp_verdict verdict = dhcp_serve(server, p->port, p->head + ETHERNET_ADDRESS_LENGTH,
		payload.bytes, payload.length, now_s, &ret_frame->output);
	if (verdict == DHCP_VERDICT_REPLY)
		write_frame(ret_frame, p, server, server_mac);
	return verdict;
}
