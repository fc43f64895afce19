/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/services/dhcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* One message being served. */
struct exchange {
	struct dhcp_server *server;
	struct dhcp_request request;
	uint16_t port;
	uint32_t now_s;
	struct dhcp_output *output;
};

/* hostname= of the port wins over what the guest calls itself. */
static const char *name_of(const struct exchange *exchange)
{
	const struct dhcp_lan *lan = &exchange->server->lan;
	const char *name = lan->ports[exchange->port].name;

	return name[0] ? name : exchange->request.name;
}

static enum dhcp_verdict reply(
	const struct exchange *exchange, enum dhcp_type type, uint32_t yiaddr_be, uint32_t lease_s)
{
	const struct dhcp_server *server = exchange->server;
	const struct dhcp_request *request = &exchange->request;
	struct dhcp_output *output = exchange->output;
	const struct dhcp_answer answer = {
		.type = type,
		.yiaddr_be = yiaddr_be,
		.server_be = server->lan.gateway_be,
		.lease_s = lease_s,
		.lan_be = server->lan.lan_be,
		.prefix = server->lan.prefix,
		.router_be = server->lan.gateway_be,
		.dns_be = server->dns_be,
		.mtu = server->mtu,
		.name = name_of(exchange),
		.domain = DHCP_DOMAIN,
	};

	output->length = dhcp_message_write(request, &answer, output->message);
	bool has_address = request->ciaddr_be != 0 && type != DHCP_NAK;
	output->destination_be = has_address ? request->ciaddr_be : INADDR_BROADCAST;
	if (!has_address && (request->broadcast || type == DHCP_NAK))
		memset(output->mac, 0xff, sizeof(output->mac));
	else
		memcpy(output->mac, request->mac, sizeof(output->mac));
	return DHCP_VERDICT_REPLY;
}

static enum dhcp_verdict nak(const struct exchange *exchange)
{
	return reply(exchange, DHCP_NAK, 0, 0);
}

static int choose(
	const struct exchange *exchange, uint32_t wanted_be, struct dhcp_lease **ret_lease)
{
	return dhcp_lease_choose(exchange->server->table, &exchange->server->lan, exchange->port,
		exchange->request.mac, wanted_be, exchange->now_s, ret_lease);
}

static enum dhcp_verdict discover(const struct exchange *exchange)
{
	struct dhcp_lease *lease;

	if (choose(exchange, exchange->request.requested_be, &lease))
		return DHCP_VERDICT_NO_ADDRESS;
	/* A lease that the client has still is not shortened by its question. */
	if (lease->state != DHCP_STATE_HELD || lease->end_s < exchange->now_s + DHCP_OFFER_S)
		dhcp_lease_set(lease, DHCP_STATE_OFFERED, exchange->now_s + DHCP_OFFER_S,
			name_of(exchange));
	return reply(exchange, DHCP_OFFER, lease->ip_be, DHCP_LEASE_S);
}

/* The client chose another server's offer: ours is open again, and remembered. */
static enum dhcp_verdict lost(const struct exchange *exchange)
{
	struct dhcp_lease *lease = dhcp_lease_find(exchange->server->table, exchange->request.mac);

	if (lease && lease->state == DHCP_STATE_OFFERED)
		dhcp_lease_set(lease, DHCP_STATE_RELEASED, exchange->now_s, NULL);
	return DHCP_VERDICT_SILENT;
}

static enum dhcp_verdict request(const struct exchange *exchange)
{
	const struct dhcp_request *request = &exchange->request;
	uint32_t wanted_be = request->requested_be ? request->requested_be : request->ciaddr_be;
	struct dhcp_lease *lease;

	if (wanted_be == 0)
		return DHCP_VERDICT_MALFORMED;
	if (request->server_be && request->server_be != exchange->server->lan.gateway_be)
		return lost(exchange);
	/* No room is a reason to say NAK: the client stops to use the address. */
	if (choose(exchange, wanted_be, &lease))
		return nak(exchange);
	if (lease->ip_be != wanted_be)
		return nak(exchange);
	dhcp_lease_set(lease, DHCP_STATE_HELD, exchange->now_s + DHCP_LEASE_S, name_of(exchange));
	return reply(exchange, DHCP_ACK, lease->ip_be, DHCP_LEASE_S);
}

static enum dhcp_verdict decline(const struct exchange *exchange)
{
	const struct dhcp_request *request = &exchange->request;
	const struct dhcp_lan *lan = &exchange->server->lan;
	struct dhcp_lease *lease = dhcp_lease_find(exchange->server->table, request->mac);

	/* What is bound to the port stays its own: there is no other for it. */
	if (lease && lease->ip_be == request->requested_be &&
		lease->ip_be != lan->ports[exchange->port].ip_be)
		dhcp_lease_set(lease, DHCP_STATE_DECLINED, exchange->now_s + DHCP_DECLINE_S, "");
	return DHCP_VERDICT_SILENT;
}

static enum dhcp_verdict release(const struct exchange *exchange)
{
	const struct dhcp_request *request = &exchange->request;
	struct dhcp_lease *lease = dhcp_lease_find(exchange->server->table, request->mac);

	if (lease && lease->ip_be == request->ciaddr_be)
		dhcp_lease_set(lease, DHCP_STATE_RELEASED, exchange->now_s, NULL);
	return DHCP_VERDICT_SILENT;
}

static enum dhcp_verdict inform(const struct exchange *exchange)
{
	return reply(exchange, DHCP_ACK, 0, 0);
}

static enum dhcp_verdict (*const serve[])(const struct exchange *exchange) = {
	[DHCP_DISCOVER] = discover,
	[DHCP_REQUEST] = request,
	[DHCP_DECLINE] = decline,
	[DHCP_RELEASE] = release,
	[DHCP_INFORM] = inform,
};

enum dhcp_verdict dhcp_serve(struct dhcp_server *server, uint16_t port,
	const uint8_t mac[DHCP_MAC_LENGTH], const uint8_t *message, size_t length, uint32_t now_s,
	struct dhcp_output *ret_output)
{
	struct exchange exchange = {
		.server = server, .port = port, .now_s = now_s, .output = ret_output};
	int error = dhcp_message_read(message, length, &exchange.request);

	if (error == -EPROTONOSUPPORT || port >= DHCP_PORTS_MAX)
		return DHCP_VERDICT_REFUSED;
	if (error)
		return DHCP_VERDICT_MALFORMED;
	if (memcmp(exchange.request.mac, mac, DHCP_MAC_LENGTH) != 0 || (mac[0] & 1) != 0)
		return DHCP_VERDICT_REFUSED;
	uint8_t type = exchange.request.type;
	if (type >= sizeof(serve) / sizeof(serve[0]) || !serve[type])
		return DHCP_VERDICT_MALFORMED;
	return serve[type](&exchange);
}
