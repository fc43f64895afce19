/* SPDX-License-Identifier: BSD-3-Clause */
/* Our address, and the gateway. */
#include <string.h>

#include "backend/bytes.h"
#include "guest/probe/check.h"
#include "guest/probe/clock.h"
#include "guest/probe/dhcp.h"
#include "guest/probe/echo.h"
#include "guest/probe/msix.h"
#include "guest/probe/number.h"
#include "guest/probe/tap_output.h"
#include "guest/probe/udp.h"

#define TRY_US 1000000
/* Without an answer to so many, nobody gives addresses here. */
#define DHCP_TRIES_AUTO 2
#define PING_IDENTIFIER 0x6e70

bool check_can(struct probe *probe, const char *name, bool server)
{
	struct text detail;

	if (server && probe->parameters.server_port == 0) {
		tap_output_skip(name, "probe.server= names nobody");
		return false;
	}
	if (!probe->net.gateway_known) {
		text_clear(&detail);
		text_add(&detail, "not tried, the gateway is silent");
		tap_output_result(false, name, &detail);
		return false;
	}
	return true;
}

/* ---- DHCP ------------------------------------------------------------------------------------ */

/* An exchange of DHCP. */
struct exchange {
	struct net *net;
	uint32_t xid_be;
	uint8_t wanted; /* kind of answer that is due */
	struct dhcp_lease lease;
	bool answered;
};

static void take_dhcp(void *context, const struct ip_datagram *datagram)
{
	struct exchange *exchange = context;
	struct udp_message message;
	struct dhcp_lease lease;

	if (exchange->answered || udp_read(datagram, &message) < 0 ||
		message.source != DHCP_SERVER_PORT || message.destination != DHCP_CLIENT_PORT)
		return;
	if (dhcp_read(message.data, message.length, exchange->net->station.mac, exchange->xid_be,
		    &lease) < 0 ||
		lease.kind != exchange->wanted)
		return;
	exchange->lease = lease;
	exchange->answered = true;
}

/* Asks until there is an answer of that kind. */
static bool ask(struct exchange *exchange, const struct dhcp_lease *offer, uint8_t wanted,
	unsigned int tries)
{
	exchange->wanted = wanted;
	exchange->answered = false;
	for (unsigned int i = 0; i < tries && !exchange->answered; i++) {
		uint8_t *room = net_room(exchange->net);

		if (room) {
			dhcp_write(exchange->net->station.mac, exchange->xid_be, offer,
				room + FRAME_UDP_HEADER);
			net_send(exchange->net, UINT32_MAX, FRAME_UDP,
				udp_write(DHCP_CLIENT_PORT, DHCP_SERVER_PORT, DHCP_MESSAGE, room));
		}
		net_wait(exchange->net, &exchange->answered, TRY_US);
	}
	return exchange->answered;
}

/* Asks for an address and takes it. */
static bool take_address(struct probe *probe, struct exchange *exchange)
{
	unsigned int tries = 1 + probe->parameters.patience_ms * 1000 / TRY_US;
	struct dhcp_lease offer;

	if (probe->parameters.dhcp == PARAMETERS_AUTO)
		tries = DHCP_TRIES_AUTO;
	if (!ask(exchange, NULL, DHCP_OFFER, tries))
		return false;
	offer = exchange->lease;
	return ask(exchange, &offer, DHCP_ACK, tries) && exchange->lease.ip_be == offer.ip_be;
}

static void show_lease(const struct dhcp_lease *lease, struct text *detail)
{
	text_ipv4(detail, lease->ip_be);
	text_add(detail, ", gateway ");
	text_ipv4(detail, lease->router_be);
	text_add(detail, ", DNS ");
	text_ipv4(detail, lease->dns_be);
	text_add(detail, ", ");
	text_number(detail, lease->lease_s);
	text_add(detail, " s");
}

bool check_dhcp(struct probe *probe)
{
	static const char name[] = "DHCP gives an address";
	struct net *net = &probe->net;
	struct exchange exchange = {.net = net, .xid_be = clock_seed()};
	struct text detail;
	bool good = false;

	text_clear(&detail);
	if (probe->parameters.dhcp != PARAMETERS_OFF) {
		net->listener = take_dhcp;
		net->context = &exchange;
		good = take_address(probe, &exchange) && exchange.lease.router_be != 0;
		net->listener = NULL;
	}
	net->station.ip_be = good ? exchange.lease.ip_be : probe->parameters.ip_be;
	if (good) {
		net->gateway_be = exchange.lease.router_be;
		show_lease(&exchange.lease, &detail);
		tap_output_result(true, name, &detail);
	} else if (probe->parameters.dhcp == PARAMETERS_ON) {
		text_add(&detail, "no usable answer");
		tap_output_result(false, name, &detail);
	} else {
		tap_output_skip(name, probe->parameters.dhcp == PARAMETERS_OFF
					      ? "not asked for, the address is static"
					      : "nobody answers, the address is static");
	}
	return true;
}

/* ---- the gateway ----------------------------------------------------------------------------- */

bool check_arp(struct probe *probe)
{
	static const char name[] = "the gateway answers ARP";
	struct net *net = &probe->net;
	uint64_t start = clock_us();
	struct text detail;

	/* The answer to the very first request, without an address, does not count. */
	net->gateway_known = false;
	while (!net->gateway_known &&
		clock_us() - start < (uint64_t)probe->parameters.patience_ms * 1000) {
		net_ask_gateway(net);
		net_wait(net, &net->gateway_known, TRY_US);
	}
	text_clear(&detail);
	text_ipv4(&detail, net->gateway_be);
	text_add(&detail, net->gateway_known ? " is at " : " is silent");
	if (net->gateway_known)
		text_mac(&detail, net->station.gateway_mac);
	tap_output_result(net->gateway_known, name, &detail);
	return true;
}

/* Waits for the interrupt of an answer that is here already. */
static bool wait_interrupt(uint32_t limit_us)
{
	uint64_t start = clock_us();

	while (!msix_is_pending())
		if (clock_us() - start > limit_us)
			return false;
	return true;
}

bool check_interrupt(struct probe *probe)
{
	static const char name[] = "an answer comes with an interrupt";
	struct net *net = &probe->net;
	struct text detail;
	bool good;

	if (!net->device.interrupts) {
		tap_output_skip(name, "the device or the processor has no MSI-X");
		return true;
	}
	if (!check_can(probe, name, false))
		return true;
	ring_want_interrupts(&net->device.rx, true);
	net->gateway_known = false;
	net_ask_gateway(net);
	good = net_wait(net, &net->gateway_known, TRY_US) && wait_interrupt(TRY_US);
	ring_want_interrupts(&net->device.rx, false);
	text_clear(&detail);
	text_add(&detail, good		       ? "by MSI-X"
			  : net->gateway_known ? "the answer came without"
					       : "no answer came");
	net->gateway_known = true;
	tap_output_result(good, name, &detail);
	return true;
}

/* One echo request. */
struct ping {
	uint16_t sequence;
	bool answered;
};

static void take_echo(void *context, const struct ip_datagram *datagram)
{
	struct ping *ping = context;

	if (echo_answers(datagram, PING_IDENTIFIER, ping->sequence))
		ping->answered = true;
}

/* Sends one and waits; microseconds, or UINT32_MAX. */
static uint32_t ping_once(struct net *net, struct ping *ping)
{
	uint8_t *room = net_room(net);
	uint64_t start = clock_us();

	ping->answered = false;
	if (room)
		net_send(net, net->gateway_be, FRAME_ICMP,
			echo_write(PING_IDENTIFIER, ping->sequence, room));
	if (!net_wait(net, &ping->answered, TRY_US))
		return UINT32_MAX;
	return (uint32_t)(clock_us() - start);
}

bool check_ping(struct probe *probe)
{
	static const char name[] = "the gateway answers pings";
	struct net *net = &probe->net;
	struct ping ping = {0};
	uint32_t sum = 0, answered = 0, silent = 0;
	struct text detail;

	if (!check_can(probe, name, false))
		return true;
	net->listener = take_echo;
	net->context = &ping;
	for (uint32_t i = 0; i < probe->parameters.pings && silent < 3; i++) {
		uint32_t us;

		ping.sequence = (uint16_t)i;
		us = ping_once(net, &ping);
		silent = us == UINT32_MAX ? silent + 1 : 0;
		if (us == UINT32_MAX)
			continue;
		answered++;
		sum += us;
	}
	net->listener = NULL;
	text_clear(&detail);
	text_number(&detail, answered);
	text_add(&detail, " of ");
	text_number(&detail, probe->parameters.pings);
	tap_output_result(answered == probe->parameters.pings, name, &detail);
	if (answered > 0)
		tap_output_tenths("ping_us", number_divide((uint64_t)sum * 10, answered));
	return true;
}
