/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --forward PROTOCOL:[ADDRESS:]PORT[-PORT]=GUEST:PORT[-PORT]: ports of the host that lead to a
 * guest.
 *
 * What can be judged alone, or against earlier forwards, is checked where it is read; the guest's
 * address is checked against the LAN in options_forward_check(), since --host-ip may follow.
 * Whether the host uses a port itself is the monitor's to find out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/options_value.h"

#define EXAMPLE "write as tcp:8080=172.16.0.2:80, or udp:5000-5010=172.16.0.2:5000-5010"

/* One side of a forward. */
struct end {
	uint32_t address_be; /* 0: none was given */
	uint16_t low;	     /* host byte order */
	uint16_t high;
};

/* Reads "[ADDRESS:]PORT[-PORT]". */
static int read_end(struct options_parser *parser, char *text, struct end *ret_end)
{
	struct end end = {.address_be = 0};
	char *colon = strrchr(text, ':');

	if (colon) {
		*colon = 0;
		if (options_read_ipv4(text, &end.address_be) < 0)
			return options_refuse(
				parser, "'%s' is not an IPv4 address: " EXAMPLE, text);
	}
	int error = options_read_ports(parser, colon ? colon + 1 : text, &end.low, &end.high);
	if (error)
		return error;
	*ret_end = end;
	return 0;
}

/* Can a host have this address, and listen there? */
static bool is_unicast(uint32_t address_be)
{
	uint32_t address = ntohl(address_be);

	return address == 0 || (address >> 24 != 0 && address >> 28 < 0xe);
}

static int read_protocol(struct options_parser *parser, const char *text, uint8_t *ret_protocol)
{
	static const struct options_word words[] = {
		{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {NULL, 0}};
	int protocol;

	if (options_read_word(words, text, &protocol) < 0)
		return options_refuse(parser, "'%s' is neither tcp nor udp: " EXAMPLE, text);
	*ret_protocol = (uint8_t)protocol;
	return 0;
}

/* `text` is changed. */
static int read_forward(struct options_parser *parser, char *text, struct host_forward *ret_forward)
{
	char *colon = strchr(text, ':'), *equals = strchr(text, '=');
	struct host_forward forward = {.count = 0};
	struct end listen = {.low = 0}, to = {.low = 0};

	if (!colon || !equals || equals < colon)
		return options_refuse(parser, "is no forward: " EXAMPLE);
	*colon = 0;
	*equals = 0;
	int error = read_protocol(parser, text, &forward.protocol);
	if (!error)
		error = read_end(parser, colon + 1, &listen);
	if (!error)
		error = read_end(parser, equals + 1, &to);
	if (error)
		return error;
	if (!is_unicast(listen.address_be))
		return options_refuse(parser, "'%s' is no address of a host: " EXAMPLE, colon + 1);
	if (to.address_be == 0)
		return options_refuse(parser, "names no guest: " EXAMPLE);
	if (listen.high - listen.low != to.high - to.low)
		return options_refuse(parser,
			"leads %d ports to %d: write ranges of the same length, as "
			"tcp:5000-5010=172.16.0.2:5000-5010",
			listen.high - listen.low + 1, to.high - to.low + 1);
	forward.listen_be.s_addr = listen.address_be;
	forward.listen_port = listen.low;
	forward.to_be.s_addr = to.address_be;
	forward.to_port = to.low;
	forward.count = (uint16_t)(to.high - to.low + 1);
	*ret_forward = forward;
	return 0;
}

/*
 * Ports belong to one forward each, whatever the addresses: behind them is one outside address of
 * the NAT.
 */
static int check_overlap(struct options_parser *parser, const struct host_forward *forward)
{
	const struct options *options = parser->options;

	for (unsigned int i = 0; i < options->forward_count; i++) {
		const struct host_forward *other = &options->forwards[i];
		uint16_t low = forward->listen_port > other->listen_port ? forward->listen_port
									 : other->listen_port;
		char text[INET_ADDRSTRLEN];

		if (forward->protocol == other->protocol &&
			low < forward->listen_port + forward->count &&
			low < other->listen_port + other->count)
			return options_refuse(parser,
				"port %u already leads to port %u of %s: a port can lead to one "
				"place only",
				low, other->to_port + (low - other->listen_port),
				options_show_ipv4(other->to_be.s_addr, text));
	}
	return 0;
}

int options_forward_parse(struct options_parser *parser, const char *value)
{
	struct options *options = parser->options;
	struct host_forward forward = {.count = 0};

	if (options->forward_count == OPTIONS_FORWARDS_MAX)
		return options_refuse(parser,
			"is one forward too many: a network has up to %d; a range counts as one",
			OPTIONS_FORWARDS_MAX);
	char *copy = strdup(value);
	if (!copy)
		return options_refuse(parser, "out of memory");
	int error = read_forward(parser, copy, &forward);
	free(copy);
	if (!error)
		error = check_overlap(parser, &forward);
	if (error)
		return error;
	options->forwards[options->forward_count++] = forward;
	return 0;
}

int options_forward_check(struct options_parser *parser)
{
	const struct options *options = parser->options;
	char text[INET_ADDRSTRLEN], lan[INET_ADDRSTRLEN];

	options_show_ipv4(options->lan_be, lan);
	for (unsigned int i = 0; i < options->forward_count; i++) {
		const struct host_forward *forward = &options->forwards[i];
		const char *use = options_address_use(options, forward->to_be.s_addr);

		options_at(parser, "--forward %s:%u",
			forward->protocol == IPPROTO_TCP ? "tcp" : "udp", forward->listen_port);
		options_show_ipv4(forward->to_be.s_addr, text);
		if (!options_is_lan(options, forward->to_be.s_addr))
			return options_refuse(parser,
				"%s is outside the LAN %s/%u: take a guest's address", text, lan,
				options->prefix);
		if (use)
			return options_refuse(
				parser, "%s is %s: take a guest's address", text, use);
	}
	return 0;
}
