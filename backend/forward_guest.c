/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decides frames from guests.
 *
 *   lies, or speaks with another's address --------------------> dropped
 *   DHCP of a client ------------------------------------------> our own answer (forward_dhcp.c)
 *   DHCP of a server ------------------------------------------> dropped
 *   group:
 *     ARP for the gateway ---------------------------------------> the host (or our own answer)
 *     ARP for the NAT's outside address -------------------------> our own answer
 *     anything else ---------------------------------------------> every other guest, and the host
 *   to the gateway's MAC, or the NAT's:
 *     ARP for the NAT's outside address -------------------------> our own answer
 *     IPv4 to the world, or to the NAT itself, with a NAT of ours -> NAT
 *     anything else ---------------------------------------------> the host, as it is
 *     with no uplink: ARP and echo for the gateway --------------> our own answer
 *                     anything else -----------------------------> dropped: no route
 *   to a known MAC ----------------------------------------------> that guest
 *   to an unknown MAC -------------------------------------------> every other guest
 */
#include <netinet/ip.h>

#include "backend/bytes.h"
#include "backend/forward.h"
#include "backend/parse.h"
#include "backend/parse_vnet.h"
#include "guest/services/arp.h"
#include "guest/services/icmp_echo.h"

/* Frames of one burst that go through the NAT. */
struct nat_batch {
	struct packet *packets[PORT_BURST];
	uint16_t count;
};

/* May the guest speak so? Learns where it lives if it may. */
static bool admit(struct worker *worker, const struct packet *p)
{
	switch (binding_check(&worker->binding, p->port, p)) {
	case BINDING_OK:
		break;
	case BINDING_UNREADABLE:
		forward_drop(worker, p, DROP_MALFORMED);
		return false;
	case BINDING_SPOOFED_MAC:
		forward_drop(worker, p, DROP_SPOOFED_MAC);
		return false;
	case BINDING_SPOOFED_IP:
		forward_drop(worker, p, DROP_SPOOFED_IP);
		return false;
	}
	if (l2_learn(worker->l2, ethernet_source(p), p->port, worker->now_ns) == L2_LEARNED_LIMIT)
		worker->stats->worker.macs_refused++;
	return true;
}

/* Remembers which MAC has which address of the LAN. */
static void learn_address(struct worker *worker, const struct packet *p)
{
	struct neighbour_table *table = worker->neighbour;
	uint64_t mac = ethernet_source(p);
	if (p->flags & PACKET_IPV4)
		neighbour_learn_ipv4(table,
			load32_be(p->head + p->l3_offset + offsetof(struct iphdr, saddr)), mac,
			p->port, worker->now_ns);
	else if (p->flags & PACKET_ARP)
		neighbour_learn_arp(table, arp_sender_ip(p), mac, p->port, worker->now_ns);
}

/*
 * The source of an IPv4 frame that was admitted and learnt. Neither depends on anything else, so
 * the frames of one burst that follow it from there need not be asked again.
 */
struct speaker {
	uint64_t mac;	/* ethernet.h; UINT64_MAX: nobody yet */
	uint32_t ip_be; /* IPv4 address */
};

static inline bool speaker_of(const struct packet *p, struct speaker *ret_speaker)
{
	if ((p->flags & (PACKET_IPV4 | PACKET_MALFORMED)) != PACKET_IPV4)
		return false;
	*ret_speaker = (struct speaker){
		.mac = ethernet_source(p),
		.ip_be = load32_be(p->head + p->l3_offset + offsetof(struct iphdr, saddr)),
	};
	return true;
}

/* admit() and learn_address(), unless `last` spoke again; then it is whom was admitted. */
static inline bool admit_and_learn(
	struct worker *worker, const struct packet *p, struct speaker *last)
{
	struct speaker now;
	bool is_ipv4 = speaker_of(p, &now);
	if (is_ipv4 && now.mac == last->mac && now.ip_be == last->ip_be)
		return true;
	if (!admit(worker, p))
		return false;
	learn_address(worker, p);
	if (is_ipv4)
		*last = now;
	return true;
}

/* ARP that is for the network and nobody else; true when p was dealt with. */
static bool answer_arp(struct worker *worker, struct packet *p)
{
	const struct network *network = &worker->network;
	if (arp_answer(p, &worker->arp_own, worker->arp_own.ip_be != 0)) {
		worker_send(worker, p->port, p);
		return true;
	}
	if (network->has_uplink && arp_target_ip(p) == network->gateway_be) {
		worker_send(worker, PORT_UPLINK, p);
		return true;
	}
	return false;
}

static void group(struct worker *worker, struct packet *p)
{
	if ((p->flags & PACKET_ARP) && answer_arp(worker, p))
		return;
	forward_flood(worker, p);
	if (worker->network.has_uplink)
		worker_send(worker, PORT_UPLINK, p);
}

/* To the gateway's MAC where no host stands behind it: we are the router. */
static void to_router(struct worker *worker, struct packet *p)
{
	if ((p->flags & PACKET_ARP) && answer_arp(worker, p))
		return;
	if (icmp_echo_answer(p, worker->network.gateway_be))
		worker_send(worker, p->port, p);
	else
		forward_drop(worker, p, DROP_NO_ROUTE);
}

static void to_gateway(struct worker *worker, struct packet *p, struct nat_batch *nat)
{
	const struct network *network = &worker->network;
	if (!network->has_uplink) {
		to_router(worker, p);
		return;
	}
	if ((p->flags & PACKET_ARP) && answer_arp(worker, p))
		return;
	if (worker->nat && (p->flags & PACKET_IPV4)) {
		uint32_t to = load32_be(p->head + p->l3_offset + offsetof(struct iphdr, daddr));
		if (!network_is_inside(network, to) || to == network->outside_be) {
			nat->packets[nat->count++] = p;
			return;
		}
	}
	worker_send(worker, PORT_UPLINK, p);
}

static void decide(struct worker *worker, struct packet *p, struct nat_batch *nat)
{
	const struct network *network = &worker->network;
	if (p->l4_protocol == IPPROTO_UDP && forward_dhcp(worker, p))
		return;
	if (p->flags & PACKET_BROADCAST) {
		group(worker, p);
		return;
	}
	uint64_t mac = ethernet_destination(p);
	if (mac == network->gateway_mac || mac == network->nat_mac) {
		to_gateway(worker, p, nat);
		return;
	}
	uint16_t to = l2_lookup(worker->l2, mac);
	if (to == PORT_NONE)
		forward_flood(worker, p);
	else if (to == p->port)
		forward_drop(worker, p, DROP_SAME_PORT);
	else
		worker_send(worker, to, p);
}

void forward_from_guest(
	struct worker *worker, struct port *from, struct packet *const packets[], uint16_t count)
{
	struct nat_batch nat = {.count = 0};
	enum nat_verdict verdicts[PORT_BURST];
	struct speaker speaker = {.mac = UINT64_MAX};

	for (uint16_t i = 0; i < count; i++) {
		struct packet *p = packets[i];
		p->port = from->index;
		p->slot = 0;
		parse_packet(p);
		if (parse_vnet(p)) {
			forward_drop(worker, p, DROP_VNET_HEADER);
			continue;
		}
		if (admit_and_learn(worker, p, &speaker))
			decide(worker, p, &nat);
	}
	if (nat.count) {
		nat_out_burst(worker->nat, nat.packets, verdicts, nat.count, worker->now_ns);
		forward_verdicts(worker, nat.packets, verdicts, nat.count);
	}
	worker_flush(worker);
	forward_extra(worker);
}
