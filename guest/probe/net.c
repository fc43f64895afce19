/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/net.h"

#include <string.h>

#include "backend/bytes.h"
#include "guest/probe/arp.h"
#include "guest/probe/clock.h"
#include "guest/probe/echo.h"
#include "guest/probe/io.h"

#define BURST 32

static void input_arp(struct net *net, const uint8_t *frame, size_t length)
{
	struct arp_message message;
	uint8_t *room;

	if (arp_read(frame, length, &message) < 0) {
		net->arp_faults++;
		return;
	}
	if (message.operation == ARP_REPLY && message.ip_be == net->gateway_be) {
		memcpy(net->station.gateway_mac, message.mac, sizeof(message.mac));
		net->gateway_known = true;
	}
	if (message.operation != ARP_REQUEST || message.target_be != net->station.ip_be ||
		net->station.ip_be == 0)
		return;
	room = virtio_net_room(&net->device);
	if (room)
		virtio_net_send(&net->device, arp_write_reply(&net->station, &message, room));
}

static void input_ip(struct net *net, const uint8_t *frame, size_t length)
{
	struct ip_datagram datagram;
	uint8_t *room;
	size_t reply;

	if (ip_read(frame, length, &net->tally, &datagram) < 0)
		return;
	if (net->station.ip_be != 0 && datagram.destination_be != net->station.ip_be &&
		datagram.destination_be != UINT32_MAX) {
		net->foreign++;
		return;
	}
	room = net_room(net);
	reply = room ? echo_reply(&datagram, room) : 0;
	if (reply > 0)
		net_send(net, datagram.source_be, FRAME_ICMP, reply);
	else if (net->listener)
		net->listener(net->context, &datagram);
}

static void input(struct net *net, const uint8_t *frame, size_t length)
{
	static const uint8_t broadcast[FRAME_MAC_LENGTH] = {255, 255, 255, 255, 255, 255};
	const uint8_t *destination = frame + FRAME_DESTINATION;
	uint16_t kind = load16(frame + FRAME_KIND);

	if (memcmp(destination, net->station.mac, FRAME_MAC_LENGTH) != 0 &&
		memcmp(destination, broadcast, FRAME_MAC_LENGTH) != 0) {
		if (destination[0] & 1)
			net->groups++;
		else
			net->foreign++;
	} else if (kind == FRAME_KIND_ARP) {
		input_arp(net, frame, length);
	} else if (kind == FRAME_KIND_IPV4) {
		input_ip(net, frame, length);
	}
}

void net_poll(struct net *net)
{
	for (int i = 0; i < BURST; i++) {
		size_t length;
		const uint8_t *frame = virtio_net_receive(&net->device, &length);

		if (!frame)
			break;
		input(net, frame, length);
		virtio_net_release(&net->device);
	}
	virtio_net_flush(&net->device);
}

bool net_wait(struct net *net, const bool *done, uint32_t limit_us)
{
	uint64_t end = clock_us() + limit_us;

	do {
		net_poll(net);
		if (*done)
			return true;
		io_pause();
	} while (clock_us() < end);
	return false;
}

uint8_t *net_room(struct net *net)
{
	uint8_t *frame = virtio_net_room(&net->device);

	return frame ? frame + FRAME_PAYLOAD : NULL;
}

void net_send(struct net *net, uint32_t destination_be, uint8_t protocol, size_t length)
{
	uint8_t *frame = virtio_net_room(&net->device);

	if (frame)
		virtio_net_send(&net->device,
			ip_write(&net->station, destination_be, protocol, length, frame));
}

bool net_ask_gateway(struct net *net)
{
	uint8_t *room = virtio_net_room(&net->device);

	if (!room)
		return false;
	virtio_net_send(&net->device, arp_write_request(&net->station, net->gateway_be, room));
	virtio_net_flush(&net->device);
	return true;
}
