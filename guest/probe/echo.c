/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/echo.h"

#include <string.h>

#include "backend/bytes.h"

#define ECHO_TYPE 0
#define ECHO_CODE 1
#define ECHO_CHECKSUM 2
#define ECHO_IDENTIFIER 4
#define ECHO_SEQUENCE 6
#define TYPE_REPLY 0
#define TYPE_REQUEST 8

size_t echo_write(uint16_t identifier, uint16_t sequence, uint8_t *payload)
{
	memset(payload, 0, FRAME_ICMP_HEADER);
	payload[ECHO_TYPE] = TYPE_REQUEST;
	store16_be(payload + ECHO_IDENTIFIER, htons(identifier));
	store16_be(payload + ECHO_SEQUENCE, htons(sequence));
	for (uint32_t i = 0; i < ECHO_DATA; i++)
		payload[FRAME_ICMP_HEADER + i] = (uint8_t)(sequence + i);
	return FRAME_ICMP_HEADER + ECHO_DATA;
}

bool echo_answers(const struct ip_datagram *datagram, uint16_t identifier, uint16_t sequence)
{
	const uint8_t *icmp = datagram->payload;

	if (datagram->protocol != FRAME_ICMP || datagram->length != FRAME_ICMP_HEADER + ECHO_DATA ||
		icmp[ECHO_TYPE] != TYPE_REPLY || icmp[ECHO_CODE] != 0 ||
		load16(icmp + ECHO_IDENTIFIER) != identifier ||
		load16(icmp + ECHO_SEQUENCE) != sequence)
		return false;
	for (uint32_t i = 0; i < ECHO_DATA; i++)
		if (icmp[FRAME_ICMP_HEADER + i] != (uint8_t)(sequence + i))
			return false;
	return true;
}

size_t echo_reply(const struct ip_datagram *datagram, uint8_t *payload)
{
	if (datagram->protocol != FRAME_ICMP || datagram->length > FRAME_IP_PAYLOAD ||
		datagram->payload[ECHO_TYPE] != TYPE_REQUEST || datagram->payload[ECHO_CODE] != 0)
		return 0;
	memcpy(payload, datagram->payload, datagram->length);
	payload[ECHO_TYPE] = TYPE_REPLY;
	store16_be(payload + ECHO_CHECKSUM, 0);
	return datagram->length;
}
