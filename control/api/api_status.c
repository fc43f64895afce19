/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/api/handlers.h"

static void count_ports(
	const struct api_network *network, unsigned int *ret_ports, unsigned int *ret_connected)
{
	struct api_port port;

	for (unsigned int from = 0; network->ops->port(network->context, from, &port) == 0;
		from = port.port + 1) {
		++*ret_ports;
		*ret_connected += port.connected;
	}
}

struct api_answer api_status_get(
	const struct api_network *network, const struct api_request *request)
{
	struct api_status status = {0};
	unsigned int ports = 0, connected = 0;
	char error[API_ERROR_CAPACITY];

	int result = network->ops->status(network->context, &status, error);
	if (result)
		return api_answer_errno(result, error);
	count_ports(network, &ports, &connected);
	return api_answer_json(200,
		json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s?, s:o, s:i, s:o, s:i, s:i, s:i, s:I, "
			  "s:I, s:I, s:I, s:i, s:i, s:o, s:I, s:I}",
			"name", status.name, "version", status.version, "uplink", status.uplink,
			"nat", status.nat, "tap", status.tap, "egress",
			status.egress[0] ? status.egress : NULL, "gateway",
			api_json_ipv4(status.gateway_be), "prefix", (int)status.prefix, "outside",
			api_json_ipv4(status.outside_be), "workers", (int)status.workers, "pid",
			status.pid, "monitor_pid", status.monitor_pid, "restarts",
			(json_int_t)status.restarts, "uptime_s", (json_int_t)status.uptime_s,
			"sessions", (json_int_t)status.sessions, "sessions_max",
			(json_int_t)status.sessions_max, "ports", (int)ports, "ports_connected",
			(int)connected, "dns", api_json_ipv4(status.dns_be), "dns_queries",
			(json_int_t)status.dns_queries, "dns_drops", (json_int_t)status.dns_drops));
}
