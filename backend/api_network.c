/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters are read from the memory that the worker writes; what else is the worker's is read in
 * bounded pieces by worker_call(). Changes: api_change.h.
 */
#include "backend/api_network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend/api_change.h"
#include "backend/control_line.h"
#include "backend/dns_counters.h"
#include "backend/log.h"
#include "backend/options_change.h"
#include "guest/services/dhcp_lease.h"

static bool has_nat(const struct api_view *view)
{
	return view->worker->nat != NULL;
}

static const char *nat_kind(const struct api_view *view)
{
	if (!view->worker->network.has_uplink)
		return "none";
	return has_nat(view) ? "user" : "kernel";
}

/* What the DNS server has counted; `counters` may be NULL. */
static void count_dns(const struct dns_counters *counters, struct api_status *status)
{
	if (!counters)
		return;
	status->dns_queries = __atomic_load_n(&counters->queries_udp, __ATOMIC_RELAXED) +
			      __atomic_load_n(&counters->queries_tcp, __ATOMIC_RELAXED);
	for (unsigned int reason = 0; reason < DNS_DROP_COUNT; reason++)
		status->dns_drops += __atomic_load_n(&counters->drops[reason], __ATOMIC_RELAXED);
}

static int status(void *context, struct api_status *ret_status, char *error)
{
	const struct api_view *view = context;
	const struct dataplane_config *config = view->config;
	const struct options *options = &view->guests->options;
	const struct network *network = &view->worker->network;
	struct control_answer answer = {.text = ""};

	if (config->control_fd >= 0) {
		int result = control_line_ask(config->control_fd, CONTROL_EGRESS, 0, NULL, &answer,
			error, API_ERROR_CAPACITY);
		if (result)
			return result;
	}
	*ret_status = (struct api_status){
		.name = options->name,
		.version = CHNET_VERSION,
		.uplink = network->has_uplink ? "tap" : "none",
		.nat = nat_kind(view),
		.tap = network->has_uplink ? options->tap : NULL,
		.gateway_be = network->gateway_be,
		.prefix = network->prefix,
		.outside_be = has_nat(view) ? network->outside_be : 0,
		.workers = 1,
		.pid = getpid(),
		.monitor_pid = getppid(),
		.restarts = config->restarts,
		.uptime_s = (worker_clock_ns() - config->started_ns) / 1000000000,
		.sessions = __atomic_load_n(&config->stats->nat.sessions_live, __ATOMIC_RELAXED),
		.sessions_max = has_nat(view) ? options->sessions : 0,
		.dns_be = config->dns_be,
	};
	count_dns(config->dns, ret_status);
	snprintf(ret_status->egress, sizeof(ret_status->egress), "%.15s", answer.text);
	return 0;
}

static const char *profile_name(enum options_profile profile)
{
	switch (profile) {
	case OPTIONS_PROFILE_AUTO:
		return "auto";
	case OPTIONS_PROFILE_REDOX:
		return "redox";
	case OPTIONS_PROFILE_FULL:
		return "full";
	}
	return "auto";
}

_Static_assert(API_LEASES_MAX == DHCP_LEASES_PORT, "a port shows all of its leases");
_Static_assert(API_NAME_CAPACITY == DHCP_NAME_CAPACITY, "names fit");

/* The worker writes them meanwhile; one that it is just writing is left out. */
static void show_leases(const struct dhcp_table *table, struct api_port *port)
{
	uint64_t now_s = worker_clock_ns() / 1000000000;

	for (unsigned int i = 0; table && i < DHCP_LEASES_MAX; i++) {
		struct dhcp_lease lease;
		if (!dhcp_lease_read(table, i, &lease) || lease.port != port->port ||
			lease.state != DHCP_STATE_HELD || lease.end_s <= now_s ||
			port->lease_count == API_LEASES_MAX)
			continue;
		struct api_lease *shown = &port->leases[port->lease_count++];
		memcpy(shown->mac, lease.mac, sizeof(shown->mac));
		memcpy(shown->hostname, lease.name, sizeof(shown->hostname));
		shown->ip_be = lease.ip_be;
		shown->expires_s = (uint32_t)(lease.end_s - now_s);
	}
}

static int port(void *context, unsigned int from, struct api_port *ret_port)
{
	const struct api_view *view = context;
	const struct options *options = &view->guests->options;

	while (from < options->socket_count && !options_change_has_socket(options, from))
		from++;
	if (from >= options->socket_count)
		return -ENOENT;
	const struct options_socket *socket = &options->sockets[from];
	const struct port_stats *stats = &view->config->stats->ports[from];
	struct vhost_port_state state;
	vhost_port_look(&view->guests->ports[from], &state);
	*ret_port = (struct api_port){
		.port = from,
		.socket = socket->path,
		.has_mac = socket->has_mac,
		.ip_be = socket->ip_be,
		.hostname = socket->hostname,
		.profile = profile_name(socket->profile),
		.ctrl_vq = socket->ctrl_vq,
		.mode = socket->vmm_listens ? "server" : "client",
		.connected = state.connected,
		.receiving = state.running[VHOST_QUEUE_RECEIVE],
		.sending = state.running[VHOST_QUEUE_TRANSMIT],
		.rx_packets = __atomic_load_n(&stats->rx_packets, __ATOMIC_RELAXED),
		.rx_bytes = __atomic_load_n(&stats->rx_bytes, __ATOMIC_RELAXED),
		.tx_packets = __atomic_load_n(&stats->tx_packets, __ATOMIC_RELAXED),
		.tx_bytes = __atomic_load_n(&stats->tx_bytes, __ATOMIC_RELAXED),
		.drops = stats_drops(stats),
	};
	memcpy(ret_port->mac, socket->mac, sizeof(ret_port->mac));
	show_leases(view->config->leases, ret_port);
	return 0;
}

/* A piece of the table, copied by the worker. */
struct piece {
	uint32_t cursor;
	uint32_t count;
	uint64_t now_ns;
	struct nat_flow flows[NAT_FLOW_STEPS / 4];
};
#define PIECE_MAX (sizeof(((struct piece *)0)->flows) / sizeof(struct nat_flow))

static void copy_piece(struct worker *worker, void *argument)
{
	struct piece *piece = argument;

	piece->count =
		nat_flow_list(worker->nat, worker->now_ns, &piece->cursor, piece->flows, PIECE_MAX);
}

static struct api_flow show_flow(const struct nat_flow *flow)
{
	return (struct api_flow){
		.number = flow->number,
		.protocol = flow->protocol,
		.inbound = flow->inbound,
		.state = flow->state,
		.guest_be = flow->inside_be,
		.outside_be = flow->outside_be,
		.remote_be = flow->remote_be,
		.guest_port = ntohs(flow->inside_port_be),
		.outside_port = ntohs(flow->outside_port_be),
		.remote_port = ntohs(flow->remote_port_be),
		.bytes_out = flow->bytes_out,
		.bytes_in = flow->bytes_in,
		.age_s = flow->age_s,
		.expires_s = (int64_t)flow->left_s,
	};
}

static int flows(void *context, uint32_t *cursor, struct api_flow shown[], unsigned int max,
	unsigned int *ret_count, char *error)
{
	const struct api_view *view = context;
	struct piece piece = {.cursor = *cursor};

	if (!has_nat(view)) {
		snprintf(error, API_ERROR_CAPACITY,
			"this network has no user-space NAT, so there are no flows to show");
		return -EOPNOTSUPP;
	}
	worker_call(view->worker, copy_piece, &piece);
	uint32_t count = piece.count < max ? piece.count : max;
	for (uint32_t i = 0; i < count; i++)
		shown[i] = show_flow(&piece.flows[i]);
	*cursor = count < piece.count ? piece.flows[count].number : piece.cursor;
	*ret_count = count;
	return 0;
}

static int forward(void *context, unsigned int number, char spec[API_SPEC_CAPACITY])
{
	const struct api_view *view = context;
	const struct options *options = &view->guests->options;

	if (number >= options->forward_count)
		return -ENOENT;
	_Static_assert(API_SPEC_CAPACITY >= OPTIONS_FORWARD_TEXT, "a forward fits");
	options_show_forward(&options->forwards[number], spec);
	return 0;
}

struct list {
	struct api_counter *counters;
	size_t max;
	size_t count;
};

static void append(void *context, const struct stats_counter *counter)
{
	struct list *list = context;

	if (list->count < list->max)
		list->counters[list->count] = (struct api_counter){
			.group = counter->group,
			.port = counter->port,
			.name = counter->name,
			.drop = counter->drop,
			.gauge = counter->gauge,
			.value = counter->value,
		};
	list->count++;
}

static size_t counters(void *context, struct api_counter list[], size_t max)
{
	const struct api_view *view = context;
	const struct options *options = &view->guests->options;
	struct list filled = {.counters = list, .max = max};
	struct stats_shown shown = {
		.nat = has_nat(view),
		.uplink = view->worker->network.has_uplink,
	};

	for (unsigned int i = 0; i < options->socket_count; i++)
		if (options_change_has_socket(options, i))
			shown.ports |= UINT64_C(1) << i;
	stats_walk(view->config->stats, &shown, append, &filled);
	if (view->config->dns)
		dns_counters_walk(view->config->dns, append, &filled);
	return filled.count;
}

static const char *log_level(void *context)
{
	return log_level_name(log_get_level());
}

struct api_network api_network_of(struct api_view *view)
{
	static const struct api_ops ops = {
		.status = status,
		.port = port,
		.port_add = api_change_port_add,
		.port_remove = api_change_port_remove,
		.flows = flows,
		.forward = forward,
		.forward_add = api_change_forward_add,
		.forward_remove = api_change_forward_remove,
		.counters = counters,
		.log_level = log_level,
		.log_level_set = api_change_log_level_set,
	};

	return (struct api_network){.ops = &ops, .context = view};
}
