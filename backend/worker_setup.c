/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making a worker, which may allocate, and giving it ports and taking them away, which does not.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "backend/forward.h"
#include "backend/worker.h"

#define NS_PER_S 1000000000

/* No guest speaks as the gateway or as the NAT. */
static int reserve(struct worker *worker)
{
	const struct network *network = &worker->network;
	const uint64_t macs[] = {network->gateway_mac, network->nat_mac};
	const uint32_t ips[] = {network->gateway_be, network->outside_be};
	for (unsigned int i = 0; i < 2; i++) {
		int error = binding_reserve_mac(&worker->binding, macs[i]);
		if (!error)
			error = l2_reserve(worker->l2, macs[i], PORT_UPLINK);
		if (!error && ips[i])
			error = binding_reserve_ip(&worker->binding, ips[i]);
		if (error)
			return error;
	}
	return 0;
}

static void name_hosts(struct worker *worker)
{
	const struct network *network = &worker->network;
	worker->arp_gateway.ip_be = network->gateway_be;
	ethernet_store(worker->arp_gateway.mac, network->gateway_mac);
	worker->arp_own = worker->arp_gateway;
	if (network->has_uplink) {
		/* The host answers for the gateway. Without a NAT of ours, 0.0.0.0: for nobody. */
		worker->arp_own.ip_be = network->outside_be;
		ethernet_store(worker->arp_own.mac, network->nat_mac);
	}
}

static int make_tables(struct worker *worker)
{
	const struct network *network = &worker->network;
	const uint32_t reserved[] = {network->gateway_be, network->outside_be};
	const struct neighbour_config config = {
		.lan_be = network->lan_be,
		.prefix = network->prefix,
		.reserved_be = reserved,
		.reserved_count = network->outside_be ? 2 : 1,
	};
	uint64_t seed;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	name_hosts(worker);
	binding_init(&worker->binding);
	int error = l2_new(seed, &worker->l2);
	if (!error)
		error = neighbour_new(&config, &worker->neighbour);
	return error ? error : reserve(worker);
}

int worker_new(const struct network *network, struct quiesce *quiesce, struct stats *stats,
	unsigned int guests, struct worker **ret_worker)
{
	struct worker *worker = aligned_alloc(64, (sizeof(*worker) + 63) & ~(size_t)63);
	if (!worker)
		return -ENOMEM;
	memset(worker, 0, sizeof(*worker));
	worker->quiesce = quiesce;
	worker->network = *network;
	worker->stats = stats;
	worker->guest_count = (uint16_t)guests;
	for (unsigned int i = 0; i < PORT_BURST; i++)
		worker->burst[i] = &worker->packets[i];
	worker->path_error.now_ns = &worker->now_ns;
	int error = worker_call_init(&worker->call);
	if (error) {
		free(worker);
		return error;
	}
	error = make_tables(worker);
	if (!error && network->has_uplink)
		error = slots_new(&worker->slots);
	if (error) {
		worker_free(worker);
		return error;
	}
	*ret_worker = worker;
	return 0;
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	free(worker->dhcp);
	nat_free(worker->nat);
	neighbour_free(worker->neighbour);
	l2_free(worker->l2);
	slots_free(worker->slots);
	worker_call_fini(&worker->call);
	free(worker);
}

void worker_add_port(struct worker *worker, struct port *port)
{
	worker->ports[port->index].port = port;
	worker->ports[port->index].outbox.port = port;
	worker->ports[port->index].outbox.slots = worker->slots;
	if (port->index != PORT_UPLINK && port->index >= worker->guest_count)
		worker->guest_count = (uint16_t)(port->index + 1);
}

/* What the DHCP server knows of a port, and tells its readers. */
static void set_dhcp_port(struct worker *worker, uint16_t port, const struct dhcp_port *told)
{
	if (!worker->dhcp)
		return;
	worker->dhcp->lan.ports[port] = *told;
	worker->dhcp->table->ports[port] = *told;
}

static struct dhcp_port get_dhcp_port(const struct worker *worker, uint16_t port)
{
	return worker->dhcp ? worker->dhcp->lan.ports[port] : (struct dhcp_port){0};
}

/* Gives up what a port is bound to. */
static void unbind(struct worker *worker, uint16_t port)
{
	struct binding *binding = &worker->binding;

	if (binding->ip_be[port])
		neighbour_unset(worker->neighbour, binding->ip_be[port]);
	if (binding->mac[port])
		l2_release(worker->l2, binding->mac[port]);
	binding_set(binding, port, 0, 0);
	set_dhcp_port(worker, port, &(struct dhcp_port){0});
}

int worker_bind_port(struct worker *worker, uint16_t port, const uint8_t *mac, uint32_t ip_be)
{
	uint64_t address = mac ? ethernet_load(mac) : 0;
	int error = binding_set(&worker->binding, port, address, ip_be);
	if (error)
		return error;
	if (mac)
		error = l2_reserve(worker->l2, address, port);
	if (!error && mac && ip_be)
		error = neighbour_set_static(worker->neighbour, ip_be, address, port);
	struct dhcp_port told = get_dhcp_port(worker, port);
	told.ip_be = ip_be;
	if (error) {
		unbind(worker, port);
		return error;
	}
	set_dhcp_port(worker, port, &told);
	if (mac && worker->dhcp)
		dhcp_lease_settle(worker->dhcp->table, &worker->dhcp->lan, port, mac);
	return 0;
}

void worker_empty_port(struct worker *worker, uint16_t port)
{
	if (worker->dhcp)
		dhcp_lease_leave(worker->dhcp->table, port, (uint32_t)(worker->now_ns / NS_PER_S));
}

void worker_remove_port(struct worker *worker, uint16_t port)
{
	struct worker_port *gone = &worker->ports[port];

	worker->held_count -= gone->outbox.held != 0;
	outbox_clear(&gone->outbox);
	for (uint16_t slot = 0; gone->active && slot < worker->active_count; slot++)
		if (worker->active[slot] == port)
			worker->active[slot--] = worker->active[--worker->active_count];
	*gone = (struct worker_port){0};
	unbind(worker, port);
	worker_empty_port(worker, port);
	l2_forget_port(worker->l2, port);
	neighbour_forget_port(worker->neighbour, port);
}

int worker_serve_dhcp(struct worker *worker, struct dhcp_table *table, uint32_t dns_be)
{
	const struct network *network = &worker->network;
	struct dhcp_server *server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	*server = (struct dhcp_server){
		.table = table,
		.lan =
			{
				.lan_be = network->lan_be,
				.prefix = network->prefix,
				.gateway_be = network->gateway_be,
				.outside_be = network->outside_be,
				.taken = forward_dhcp_taken,
				.context = worker,
			},
		.dns_be = dns_be,
		.mtu = NETWORK_MTU,
	};
	dhcp_table_adopt(table, &server->lan);
	free(worker->dhcp);
	worker->dhcp = server;
	return 0;
}

void worker_name_port(struct worker *worker, uint16_t port, const char *name)
{
	struct dhcp_port told = get_dhcp_port(worker, port);

	snprintf(told.name, sizeof(told.name), "%s", name);
	set_dhcp_port(worker, port, &told);
}
