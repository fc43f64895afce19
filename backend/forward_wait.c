/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of our own: those that waited for the MAC of an inside address, the ARP requests that ask
 * for it, what the NAT has to say, and what a port has to say to a sender. Everything here is rare:
 * after a restart, or when a guest was silent for long.
 */
#include "backend/forward.h"
#include "guest/services/arp.h"

void forward_wait(struct worker *worker, struct packet *p, uint32_t address_be)
{
	if (neighbour_wait(worker->neighbour, address_be, p, worker->now_ns))
		forward_drop(worker, p, DROP_NEIGHBOUR_WAIT_FULL);
}

/* Asks every guest who has the addresses that frames wait for. */
static void ask(struct worker *worker)
{
	uint32_t addresses[WORKER_EXTRA];
	uint16_t count = neighbour_ask(worker->neighbour, worker->now_ns, addresses, WORKER_EXTRA);
	for (uint16_t i = 0; i < count; i++) {
		struct packet *p = &worker->extra[i];
		arp_request(p, &worker->arp_gateway, addresses[i]);
		p->port = PORT_UPLINK;
		p->slot = 0;
		forward_flood(worker, p);
	}
	if (count)
		worker_flush(worker);
}

/* Sends the frames whose wait is over. */
static void release(struct worker *worker)
{
	struct packet *packets[WORKER_EXTRA];
	uint16_t ports[WORKER_EXTRA];
	uint16_t count;
	while ((count = neighbour_take(worker->neighbour, packets, ports, WORKER_EXTRA))) {
		for (uint16_t i = 0; i < count; i++) {
			ethernet_store(packets[i]->head + ETHERNET_SOURCE_OFFSET,
				worker->network.gateway_mac);
			worker_send(worker, ports[i], packets[i]);
		}
		worker_flush(worker);
	}
}

/* Sends what the NAT made itself: fragments that waited for their first. */
static void release_nat(struct worker *worker)
{
	struct packet *packets[WORKER_EXTRA];
	enum nat_verdict verdicts[WORKER_EXTRA];
	uint16_t count;
	while ((count = nat_take(worker->nat, packets, verdicts, WORKER_EXTRA))) {
		forward_verdicts(worker, packets, verdicts, count);
		worker_flush(worker);
	}
}

/* Sends what a port had to say to the sender of a frame, as a frame of that port's guest. */
static void release_path_error(struct worker *worker)
{
	struct packet answer = worker->path_error.packet;
	struct packet *const one[] = {&answer};
	struct port *port = worker->ports[answer.port].port;

	worker->path_error.waits = false;
	if (port)
		forward_from_guest(worker, port, one, 1);
}

void forward_extra(struct worker *worker)
{
	if (__builtin_expect(worker->path_error.waits, false))
		release_path_error(worker);
	if (worker->nat)
		release_nat(worker);
	release(worker);
	if (worker->now_ns >= neighbour_next_ns(worker->neighbour))
		ask(worker);
}

void forward_tick(struct worker *worker)
{
	l2_tick(worker->l2, worker->now_ns);
	if (worker->nat)
		nat_tick(worker->nat, worker->now_ns);
	forward_extra(worker);
}

bool forward_has_state(const struct worker *worker)
{
	return (worker->nat && worker->stats->nat.sessions_live) ||
	       neighbour_next_ns(worker->neighbour) != UINT64_MAX;
}
