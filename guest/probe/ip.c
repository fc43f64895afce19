/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/ip.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "backend/bytes.h"
#include "nat/checksum.h"

/* IPv4 header, offsets. */
#define IPV4_VERSION 0
#define IPV4_TOTAL 2
#define IPV4_IDENTIFICATION 4
#define IPV4_FRAGMENT 6
#define IPV4_TTL 8
#define IPV4_PROTOCOL 9
#define IPV4_CHECKSUM 10
#define IPV4_SOURCE 12
#define IPV4_DESTINATION 16
#define FRAGMENT_MASK 0x3fff /* more fragments, and the offset */
#define DONT_FRAGMENT 0x4000
#define TTL 64

/* What is needed of each protocol. */
static const struct {
	uint8_t protocol;
	uint8_t header;	  /* its least length, bytes */
	uint8_t checksum; /* where its checksum lies */
	bool pseudo;	  /* it covers the pseudo-header */
} protocols[] = {
	{FRAME_ICMP, FRAME_ICMP_HEADER, 2, false},
	{FRAME_UDP, FRAME_UDP_HEADER, 6, true},
	{FRAME_TCP, 20, 16, true},
};
#define PROTOCOL_COUNT (sizeof(protocols) / sizeof(protocols[0]))

/* The index in `protocols`, or PROTOCOL_COUNT. */
static size_t find(uint8_t protocol)
{
	size_t i = 0;

	while (i < PROTOCOL_COUNT && protocols[i].protocol != protocol)
		i++;
	return i;
}

static uint64_t sum_payload(size_t protocol, const struct ip_datagram *datagram)
{
	uint64_t sum = 0;

	if (protocols[protocol].pseudo)
		sum = checksum_pseudo_ipv4(datagram->source_be, datagram->destination_be,
			datagram->protocol, (uint16_t)datagram->length);
	return checksum_add(sum, datagram->payload, datagram->length);
}

/* Verifies the checksum above IPv4. */
static int check_payload(const struct ip_datagram *datagram, struct ip_tally *tally)
{
	size_t protocol = find(datagram->protocol);

	if (protocol == PROTOCOL_COUNT) {
		tally->other++;
		return -EPROTONOSUPPORT;
	}
	if (datagram->length < protocols[protocol].header) {
		tally->malformed++;
		return -EBADMSG;
	}
	/* A UDP checksum of zero is none. */
	if (datagram->protocol == FRAME_UDP && load16_be(datagram->payload + 6) == 0)
		return 0;
	tally->checksums++;
	if (checksum_fold(sum_payload(protocol, datagram)) == UINT16_MAX)
		return 0;
	tally->bad_payloads++;
	return -EBADMSG;
}

/* Checks the header; *ret_header is its length. */
static int check_header(
	const uint8_t *ip, size_t length, struct ip_tally *tally, size_t *ret_header)
{
	size_t header, total;

	if (length < FRAME_IP_HEADER || ip[IPV4_VERSION] >> 4 != 4) {
		tally->malformed++;
		return -EBADMSG;
	}
	header = 4 * (ip[IPV4_VERSION] & 15U);
	total = load16(ip + IPV4_TOTAL);
	if (header < FRAME_IP_HEADER || total < header || total > length) {
		tally->malformed++;
		return -EBADMSG;
	}
	tally->checksums++;
	if (checksum_fold(checksum_add(0, ip, header)) != UINT16_MAX) {
		tally->bad_headers++;
		return -EBADMSG;
	}
	if (load16(ip + IPV4_FRAGMENT) & FRAGMENT_MASK) {
		tally->fragments++;
		return -EPROTONOSUPPORT;
	}
	*ret_header = header;
	return 0;
}

int ip_read(const uint8_t *frame, size_t length, struct ip_tally *tally,
	struct ip_datagram *ret_datagram)
{
	struct ip_datagram datagram;
	const uint8_t *ip = frame + FRAME_HEADER;
	size_t header;
	int r;

	if (length < FRAME_HEADER) {
		tally->malformed++;
		return -EBADMSG;
	}
	r = check_header(ip, length - FRAME_HEADER, tally, &header);
	if (r < 0)
		return r;
	datagram = (struct ip_datagram){
		.source_be = load32_be(ip + IPV4_SOURCE),
		.destination_be = load32_be(ip + IPV4_DESTINATION),
		.protocol = ip[IPV4_PROTOCOL],
		.payload = ip + header,
		.length = load16(ip + IPV4_TOTAL) - header,
	};
	r = check_payload(&datagram, tally);
	if (r < 0)
		return r;
	*ret_datagram = datagram;
	return 0;
}

size_t ip_write(const struct frame_station *station, uint32_t destination_be, uint8_t protocol,
	size_t length, uint8_t frame[FRAME_MAX])
{
	static uint16_t identification;
	uint8_t *ip = frame + FRAME_HEADER;
	const struct ip_datagram datagram = {
		.source_be = station->ip_be,
		.destination_be = destination_be,
		.protocol = protocol,
		.payload = frame + FRAME_PAYLOAD,
		.length = length,
	};
	uint64_t sum = sum_payload(find(protocol), &datagram);

	store16_be(frame + FRAME_PAYLOAD + protocols[find(protocol)].checksum,
		protocol == FRAME_UDP ? checksum_finish_udp(sum) : checksum_finish(sum));
	memset(ip, 0, FRAME_IP_HEADER);
	ip[IPV4_VERSION] = 0x45;
	store16_be(ip + IPV4_TOTAL, htons((uint16_t)(FRAME_IP_HEADER + length)));
	store16_be(ip + IPV4_IDENTIFICATION, htons(identification++));
	store16_be(ip + IPV4_FRAGMENT, htons(DONT_FRAGMENT));
	ip[IPV4_TTL] = TTL;
	ip[IPV4_PROTOCOL] = protocol;
	store32_be(ip + IPV4_SOURCE, station->ip_be);
	store32_be(ip + IPV4_DESTINATION, destination_be);
	store16_be(ip + IPV4_CHECKSUM, checksum_finish(checksum_add(0, ip, FRAME_IP_HEADER)));
	memcpy(frame + FRAME_DESTINATION, station->gateway_mac, FRAME_MAC_LENGTH);
	memcpy(frame + FRAME_SOURCE, station->mac, FRAME_MAC_LENGTH);
	store16_be(frame + FRAME_KIND, htons(FRAME_KIND_IPV4));
	return FRAME_PAYLOAD + length;
}
