/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/forward.h"

#include <errno.h>
#include <netinet/ip.h>
#include <string.h>

void forward_drop(struct worker *worker, const struct packet *p, unsigned int reason)
{
	stats_drop(&worker->stats->ports[p->port], reason, 1);
}

void forward_flood(struct worker *worker, struct packet *p)
{
	for (uint16_t i = 0; i < worker->guest_count; i++)
		if (i != p->port && worker->ports[i].port)
			worker_send(worker, i, p);
}

static uint32_t destination(const struct packet *p)
{
	uint32_t address;
	memcpy(&address, p->head + p->l3_offset + offsetof(struct iphdr, daddr), sizeof(address));
	return address;
}

static void set_ethernet(struct packet *p, uint64_t to, uint64_t from)
{
	ethernet_store(p->head, to);
	ethernet_store(p->head + ETHERNET_SOURCE_OFFSET, from);
}

void forward_world(struct worker *worker, struct packet *p)
{
	set_ethernet(p, worker->network.gateway_mac, worker->network.nat_mac);
	worker_send(worker, PORT_UPLINK, p);
}

void forward_inside(struct worker *worker, struct packet *p)
{
	uint32_t address = destination(p);
	if (address == worker->network.gateway_be) {
		forward_world(worker, p); /* the host itself, behind a forwarded port */
		return;
	}
	uint64_t mac;
	uint16_t port;
	switch (neighbour_lookup(worker->neighbour, address, worker->now_ns, &mac, &port)) {
	case 0:
		set_ethernet(p, mac, worker->network.gateway_mac);
		worker_send(worker, port, p);
		break;
	case -ENOENT:
		forward_wait(worker, p, address);
		break;
	default: /* nobody can have it */
		forward_drop(worker, p, DROP_NEIGHBOUR_UNKNOWN);
		break;
	}
}

void forward_verdicts(struct worker *worker, struct packet *const packets[],
	const enum nat_verdict verdicts[], uint16_t count)
{
	for (uint16_t i = 0; i < count; i++) {
		switch (verdicts[i]) {
		case NAT_VERDICT_WORLD:
			forward_world(worker, packets[i]);
			break;
		case NAT_VERDICT_INSIDE:
			forward_inside(worker, packets[i]);
			break;
		case NAT_VERDICT_KEPT:
			break;
		case NAT_VERDICT_DROP:
			forward_drop(worker, packets[i], DROP_NAT + packets[i]->reason);
			break;
		}
	}
}
