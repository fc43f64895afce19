/* SPDX-License-Identifier: BSD-3-Clause */
/* DHCP on the data path: a guest's frame in, the answer's frame out. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/packet.h"
#include "guest/services/dhcp.h"

/* The frame of an answer, and the memory that it lies in. */
struct dhcp_frame {
	struct packet packet;
	struct iovec segment; /* what is in use of `output`; packet.segments points here */
	struct dhcp_output output;
};

/* UDP from or to these ports in either direction. */
#define DHCP_PORT_SERVER 67
#define DHCP_PORT_CLIENT 68

/* The UDP destination port of the parsed packet `p`, host byte order; 0 when it has none. */
static inline uint16_t dhcp_packet_port(const struct packet *p)
{
	const uint16_t wanted = PACKET_IPV4 | PACKET_L4;
	const uint8_t *port = p->head + p->l4_offset + 2;

	if (p->l4_protocol != 17 || (p->flags & wanted) != wanted)
		return 0;
	return (uint16_t)(port[0] << 8 | port[1]);
}

/*
 * Serves `p`, a parsed UDP datagram to DHCP_PORT_SERVER from a guest at p->port, not changing it.
 * With DHCP_VERDICT_REPLY, *ret_frame is the answer, to be sent to that port, without offloads and
 * with complete checksums; a VLAN tag is kept. `server_mac` is its Ethernet source. Fragments and
 * datagrams with wrong checksums are DHCP_VERDICT_MALFORMED.
 */
enum dhcp_verdict dhcp_packet_serve(struct dhcp_server *server, const struct packet *p,
	const uint8_t server_mac[DHCP_MAC_LENGTH], uint32_t now_s, struct dhcp_frame *ret_frame);
