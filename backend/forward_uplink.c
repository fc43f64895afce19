/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decides frames from the host.
 *
 *   to the NAT's MAC:
 *     IPv4 to its outside address ----------------------> NAT, then the guest it belongs to
 *     ARP for its outside address ----------------------> our own answer
 *     anything else ------------------------------------> dropped: no route
 *   group: ARP for the NAT's outside address -----------> our own answer
 *          anything else -------------------------------> every guest
 *   to a MAC that lives behind the uplink itself -------> dropped: same port
 *   to a known MAC -------------------------------------> that guest
 *   to an unknown MAC ----------------------------------> every guest
 */
#include <netinet/ip.h>

#include "backend/bytes.h"
#include "backend/forward.h"
#include "backend/parse.h"
#include "backend/parse_vnet.h"
#include "guest/services/arp.h"

static bool is_for_nat(const struct worker *worker, const struct packet *p)
{
	return worker->nat && ethernet_destination(p) == worker->network.nat_mac;
}

static void group(struct worker *worker, struct packet *p)
{
	if ((p->flags & PACKET_ARP) && arp_answer(p, &worker->arp_own, worker->arp_own.ip_be != 0))
		worker_send(worker, PORT_UPLINK, p);
	else
		forward_flood(worker, p);
}

static void decide(struct worker *worker, struct packet *p)
{
	if (p->flags & PACKET_BROADCAST) {
		group(worker, p);
		return;
	}
	uint16_t to = l2_lookup(worker->l2, ethernet_destination(p));
	if (to == PORT_NONE)
		forward_flood(worker, p);
	else if (to == PORT_UPLINK)
		forward_drop(worker, p, DROP_SAME_PORT);
	else
		worker_send(worker, to, p);
}

void forward_from_uplink(struct worker *worker, struct packet *const packets[], uint16_t count)
{
	struct packet *in[PORT_BURST];
	enum nat_verdict verdicts[PORT_BURST];
	uint16_t in_count = 0;

	for (uint16_t i = 0; i < count; i++) {
		struct packet *p = packets[i];
		p->port = PORT_UPLINK;
		parse_packet(p);
		if (parse_vnet_host(p)) {
			forward_drop(worker, p, DROP_VNET_HEADER);
			continue;
		}
		if (!is_for_nat(worker, p)) {
			decide(worker, p);
			continue;
		}
		if ((p->flags & PACKET_IPV4) &&
			load32_be(p->head + p->l3_offset + offsetof(struct iphdr, daddr)) ==
				worker->network.outside_be)
			in[in_count++] = p;
		else if ((p->flags & PACKET_ARP) && arp_answer(p, &worker->arp_own, 1))
			worker_send(worker, PORT_UPLINK, p); /* asked again, of whom it knows */
		else
			forward_drop(worker, p, DROP_NO_ROUTE);
	}
	if (in_count) {
		nat_in_burst(worker->nat, in, verdicts, in_count, worker->now_ns);
		forward_verdicts(worker, in, verdicts, in_count);
	}
	worker_flush(worker);
	forward_extra(worker);
}
