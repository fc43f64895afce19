/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/udp.h"

#include <errno.h>

#include "backend/bytes.h"

#define UDP_SOURCE 0
#define UDP_DESTINATION 2
#define UDP_LENGTH 4
#define UDP_CHECKSUM 6

int udp_read(const struct ip_datagram *datagram, struct udp_message *ret_message)
{
	const uint8_t *udp = datagram->payload;
	size_t length;

	if (datagram->protocol != FRAME_UDP)
		return -EPROTONOSUPPORT;
	length = load16(udp + UDP_LENGTH);
	if (length < FRAME_UDP_HEADER || length != datagram->length)
		return -EBADMSG;
	*ret_message = (struct udp_message){
		.source = load16(udp + UDP_SOURCE),
		.destination = load16(udp + UDP_DESTINATION),
		.data = udp + FRAME_UDP_HEADER,
		.length = length - FRAME_UDP_HEADER,
	};
	return 0;
}

size_t udp_write(uint16_t source, uint16_t destination, size_t length, uint8_t *payload)
{
	size_t total = FRAME_UDP_HEADER + length;

	store16_be(payload + UDP_SOURCE, htons(source));
	store16_be(payload + UDP_DESTINATION, htons(destination));
	store16_be(payload + UDP_LENGTH, htons((uint16_t)total));
	store16_be(payload + UDP_CHECKSUM, 0);
	return total;
}
