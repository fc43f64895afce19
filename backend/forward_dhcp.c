/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DHCP of guests. chnet is the LAN's only DHCP server: what clients say is answered here and goes
 * neither to the host nor to other guests, and what guests say as servers goes nowhere. RedoxOS
 * takes any datagram to its client port for the answer that it waits for.
 */
#include <netinet/ip.h>
#include <string.h>

#include "backend/ethernet.h"
#include "backend/forward.h"
#include "guest/services/dhcp_packet.h"

#define NS_PER_S 1000000000

bool forward_dhcp_taken(void *context, uint32_t ip_be, const uint8_t mac[DHCP_MAC_LENGTH])
{
	struct worker *worker = context;
	uint64_t known;
	uint16_t port;

	return neighbour_lookup(worker->neighbour, ip_be, worker->now_ns, &known, &port) == 0 &&
	       known != ethernet_load(mac);
}

static void serve(struct worker *worker, const struct packet *p)
{
	struct dhcp_frame *frame = &worker->dhcp_frame;
	uint8_t mac[ETHERNET_ADDRESS_LENGTH];

	worker->stats->worker.dhcp_requests++;
	ethernet_store(mac, worker->network.gateway_mac);
	switch (dhcp_packet_serve(
		worker->dhcp, p, mac, (uint32_t)(worker->now_ns / NS_PER_S), frame)) {
	case DHCP_VERDICT_REPLY:
		frame->packet.port = PORT_UPLINK;
		worker_send(worker, p->port, &frame->packet);
		/* There is one such frame. */
		worker_flush(worker);
		worker->stats->worker.dhcp_replies++;
		break;
	case DHCP_VERDICT_SILENT:
		break;
	case DHCP_VERDICT_MALFORMED:
		forward_drop(worker, p, DROP_DHCP_MALFORMED);
		break;
	case DHCP_VERDICT_REFUSED:
		forward_drop(worker, p, DROP_DHCP_REFUSED);
		break;
	case DHCP_VERDICT_NO_ADDRESS:
		forward_drop(worker, p, DROP_DHCP_NO_ADDRESS);
		break;
	}
}

bool forward_dhcp(struct worker *worker, const struct packet *p)
{
	const struct network *network = &worker->network;
	uint16_t port = dhcp_packet_port(p);
	uint32_t to_be;

	if ((port != DHCP_PORT_SERVER && port != DHCP_PORT_CLIENT) || !worker->dhcp)
		return false;
	memcpy(&to_be, p->head + p->l3_offset + offsetof(struct iphdr, daddr), sizeof(to_be));
	bool group = p->flags & PACKET_BROADCAST || to_be == INADDR_BROADCAST;
	if (port == DHCP_PORT_CLIENT && (group || network_is_inside(network, to_be))) {
		forward_drop(worker, p, DROP_DHCP_SERVER);
		return true;
	}
	if (port == DHCP_PORT_SERVER && (group || to_be == network->gateway_be)) {
		serve(worker, p);
		return true;
	}
	return false;
}
