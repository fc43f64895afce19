/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/arp.h"

#include <errno.h>
#include <string.h>

#include "backend/bytes.h"

/* The message behind the Ethernet header, offsets. */
#define ARP_HARDWARE 14
#define ARP_PROTOCOL 16
#define ARP_SIZES 18
#define ARP_OPERATION 20
#define ARP_SENDER_MAC 22
#define ARP_SENDER_IP 28
#define ARP_TARGET_MAC 32
#define ARP_TARGET_IP 38

#define HARDWARE_ETHERNET 1
#define SIZES 0x0604 /* bytes of a MAC and of an IPv4 address */

int arp_read(const uint8_t *frame, size_t length, struct arp_message *ret_message)
{
	struct arp_message message;

	if (length < ARP_FRAME || load16(frame + ARP_HARDWARE) != HARDWARE_ETHERNET ||
		load16(frame + ARP_PROTOCOL) != FRAME_KIND_IPV4 ||
		load16(frame + ARP_SIZES) != SIZES)
		return -EBADMSG;
	message.operation = load16(frame + ARP_OPERATION);
	if (message.operation != ARP_REQUEST && message.operation != ARP_REPLY)
		return -EBADMSG;
	memcpy(message.mac, frame + ARP_SENDER_MAC, sizeof(message.mac));
	message.ip_be = load32_be(frame + ARP_SENDER_IP);
	message.target_be = load32_be(frame + ARP_TARGET_IP);
	*ret_message = message;
	return 0;
}

/* Everything but the target's MAC. */
static void write_common(const struct frame_station *station, uint16_t operation,
	uint32_t target_be, uint8_t frame[FRAME_MAX])
{
	memcpy(frame + FRAME_SOURCE, station->mac, FRAME_MAC_LENGTH);
	store16_be(frame + FRAME_KIND, htons(FRAME_KIND_ARP));
	store16_be(frame + ARP_HARDWARE, htons(HARDWARE_ETHERNET));
	store16_be(frame + ARP_PROTOCOL, htons(FRAME_KIND_IPV4));
	store16_be(frame + ARP_SIZES, htons(SIZES));
	store16_be(frame + ARP_OPERATION, htons(operation));
	memcpy(frame + ARP_SENDER_MAC, station->mac, FRAME_MAC_LENGTH);
	store32_be(frame + ARP_SENDER_IP, station->ip_be);
	store32_be(frame + ARP_TARGET_IP, target_be);
}

size_t arp_write_request(
	const struct frame_station *station, uint32_t target_be, uint8_t frame[FRAME_MAX])
{
	write_common(station, ARP_REQUEST, target_be, frame);
	memset(frame + FRAME_DESTINATION, UINT8_MAX, FRAME_MAC_LENGTH);
	memset(frame + ARP_TARGET_MAC, 0, FRAME_MAC_LENGTH);
	return ARP_FRAME;
}

size_t arp_write_reply(const struct frame_station *station, const struct arp_message *request,
	uint8_t frame[FRAME_MAX])
{
	write_common(station, ARP_REPLY, request->ip_be, frame);
	memcpy(frame + FRAME_DESTINATION, request->mac, FRAME_MAC_LENGTH);
	memcpy(frame + ARP_TARGET_MAC, request->mac, FRAME_MAC_LENGTH);
	return ARP_FRAME;
}
