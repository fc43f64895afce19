/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/services/icmp_echo.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "backend/parse.h"
#include "nat/checksum.h"

/* Offsets in an IPv4 header and in an ICMP message, bytes. */
#define IPV4_TTL 8
#define IPV4_CHECKSUM 10
#define IPV4_SOURCE 12
#define IPV4_DESTINATION 16
#define ICMP_TYPE 0
#define ICMP_CODE 1
#define ICMP_CHECKSUM 2

#define TYPE_ECHO_REPLY 0
#define TYPE_ECHO_REQUEST 8
#define REPLY_TTL 64 /* RFC 1700 */

static bool is_host(uint32_t address_be)
{
	uint32_t address = ntohl(address_be);

	return address >> 24 != 0 && address >> 24 != IN_LOOPBACKNET &&
	       address < INADDR_UNSPEC_GROUP;
}

/* Whether `p` asks `address_be` for an echo, and from where. */
static bool is_request(const struct packet *p, uint32_t address_be)
{
	const uint16_t wanted = PACKET_IPV4 | PACKET_L4;
	const uint16_t refused = PACKET_FRAGMENT | PACKET_BROADCAST;
	const uint8_t *ip = p->head + p->l3_offset;
	const uint8_t *icmp = p->head + p->l4_offset;
	uint32_t source_be, destination_be;

	if ((p->flags & (wanted | refused)) != wanted || p->l4_protocol != IPPROTO_ICMP)
		return false;
	if (icmp[ICMP_TYPE] != TYPE_ECHO_REQUEST || icmp[ICMP_CODE] != 0)
		return false;
	memcpy(&source_be, ip + IPV4_SOURCE, sizeof(source_be));
	memcpy(&destination_be, ip + IPV4_DESTINATION, sizeof(destination_be));
	return destination_be == address_be && source_be != address_be && is_host(source_be) &&
	       parse_ipv4_checksum_ok(p);
}

static void swap(uint8_t *a, uint8_t *b, size_t length)
{
	uint8_t kept[ETHERNET_ADDRESS_LENGTH];

	memcpy(kept, a, length);
	memcpy(a, b, length);
	memcpy(b, kept, length);
}

/* Replaces the word at `word`, and updates the checksum field at `field` for it. */
static void rewrite(uint8_t *word, uint16_t value_be, uint8_t *field)
{
	uint16_t old_be, checksum;

	memcpy(&old_be, word, sizeof(old_be));
	memcpy(&checksum, field, sizeof(checksum));
	checksum = checksum_update16(checksum, old_be, value_be);
	memcpy(word, &value_be, sizeof(value_be));
	memcpy(field, &checksum, sizeof(checksum));
}

bool icmp_echo_answer(struct packet *p, uint32_t address_be)
{
	uint8_t *ip = p->head + p->l3_offset;
	uint8_t *icmp = p->head + p->l4_offset;

	if (!is_request(p, address_be))
		return false;

	swap(p->head, p->head + ETHERNET_ADDRESS_LENGTH, ETHERNET_ADDRESS_LENGTH);
	swap(ip + IPV4_SOURCE, ip + IPV4_DESTINATION, sizeof(address_be));
	rewrite(ip + IPV4_TTL, htons(REPLY_TTL << 8 | IPPROTO_ICMP), ip + IPV4_CHECKSUM);
	rewrite(icmp + ICMP_TYPE, htons(TYPE_ECHO_REPLY << 8), icmp + ICMP_CHECKSUM);
	p->vnet = (struct virtio_net_hdr_v1){0};
	return true;
}
