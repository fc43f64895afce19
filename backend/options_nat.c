/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the user-space NAT is told. Limits are those of the RFCs: their authors found what breaks
 * below them, so a value that breaks a guest's connections is refused with the place to read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/options_value.h"
#include "control/number.h"

#define SESSIONS_MIN 1024
#define SESSIONS_MAX 16777216
#define NEW_SESSIONS_MAX 1000000
/* The outside address of a NAT behind a TAP is nobody else's, so all of its ports are ours: an
 * inside port below 1024 gets an outside port below 1024 (RFC 4787, REQ-3 a). */
#define PORT_LOW 1
#define PORT_HIGH 65535
/* Of the host's own address only those that no service has by custom. */
#define OUTSIDE_PORTS_LOW 1024
/* Fewer would give a guest that opens a page and a few datagrams no port. */
#define OUTSIDE_PORTS_MIN 64
/* A year: deadlines are kept as 32-bit differences. */
#define TIMEOUT_MAX 31536000

int options_filter_parse(struct options_parser *parser, const char *value)
{
	static const struct options_word words[] = {
		{"endpoint-independent", NAT_FILTER_ENDPOINT_INDEPENDENT},
		{"address", NAT_FILTER_ADDRESS},
		{"address-and-port", NAT_FILTER_ADDRESS_AND_PORT},
		{NULL, 0},
	};
	int filter;

	if (options_read_word(words, value, &filter) < 0)
		return options_refuse(parser,
			"'%s' is no filter: take endpoint-independent, address or address-and-port",
			value);
	parser->options->filter = (enum nat_filter)filter;
	return 0;
}

static const struct {
	const char *name;
	size_t offset;	    /* of the member of struct nat_timeouts */
	uint32_t least;	    /* seconds */
	const char *reason; /* why not less; NULL: no session ends before it began */
} timeouts[] = {
	{"udp", offsetof(struct nat_timeouts, udp_s), 120,
		"RFC 4787, REQ-5: no mapping may end within two minutes"},
	{"udp-well-known", offsetof(struct nat_timeouts, udp_well_known_s), 1, NULL},
	{"udp-unanswered", offsetof(struct nat_timeouts, udp_unanswered_s), 1, NULL},
	{"tcp-established", offsetof(struct nat_timeouts, tcp_established_s), 7440,
		"RFC 5382, REQ-5: a keep-alive comes every two hours"},
	{"tcp-partial", offsetof(struct nat_timeouts, tcp_partial_s), 240,
		"RFC 5382, REQ-5: a handshake may take four minutes"},
	{"tcp-closing", offsetof(struct nat_timeouts, tcp_closing_s), 240,
		"RFC 5382, REQ-5: the last segments may take four minutes"},
	{"icmp", offsetof(struct nat_timeouts, icmp_s), 60,
		"RFC 5508, REQ-2: a query's answer may take a minute"},
	{"syn-hold", offsetof(struct nat_timeouts, syn_hold_s), 6,
		"RFC 5382, REQ-4: both sides may be opening the connection"},
	{"other", offsetof(struct nat_timeouts, other_s), 1, NULL},
};
#define TIMEOUT_COUNT (sizeof(timeouts) / sizeof(timeouts[0]))
_Static_assert(TIMEOUT_COUNT * sizeof(uint32_t) == sizeof(struct nat_timeouts), "all of them");

/* One "NAME=SECONDS"; `equals` is the '=' in it, or NULL. */
static int read_timeout(struct options_parser *parser, const char *text, const char *equals)
{
	size_t length = equals ? (size_t)(equals - text) : 0;
	uint32_t seconds, *to;
	size_t i = 0;

	while (i < TIMEOUT_COUNT &&
		(strlen(timeouts[i].name) != length || memcmp(timeouts[i].name, text, length) != 0))
		i++;
	if (i == TIMEOUT_COUNT)
		return options_refuse(parser,
			"'%s' is no time-out: write as udp=300; there are udp, udp-well-known, "
			"udp-unanswered, tcp-established, tcp-partial, tcp-closing, icmp, syn-hold "
			"and other",
			text);
	to = (uint32_t *)(void *)((char *)&parser->options->timeouts + timeouts[i].offset);
	if (*to != 0)
		return options_refuse(
			parser, "%s= is given twice: leave one out", timeouts[i].name);
	if (number_read(equals + 1, 0, TIMEOUT_MAX, &seconds) < 0)
		return options_refuse(parser,
			"'%s' is not a number of seconds up to %d: write as udp=300", text,
			TIMEOUT_MAX);
	if (seconds < timeouts[i].least)
		return options_refuse(parser, "'%s' is too short: take %u or more%s%s%s", text,
			timeouts[i].least, timeouts[i].reason ? " (" : "",
			timeouts[i].reason ? timeouts[i].reason : "",
			timeouts[i].reason ? ")" : "");
	*to = seconds;
	return 0;
}

int options_timeout_parse(struct options_parser *parser, const char *value)
{
	char *copy = strdup(value), *rest = copy, *text;
	int error = 0;

	if (!copy)
		return options_refuse(parser, "out of memory");
	while (!error && (text = strsep(&rest, ",")))
		error = read_timeout(parser, text, strchr(text, '='));
	free(copy);
	return error;
}

int options_sessions_parse(struct options_parser *parser, const char *value)
{
	if (number_read(value, SESSIONS_MIN, SESSIONS_MAX, &parser->options->sessions) < 0)
		return options_refuse(parser,
			"'%s' is not a number from %d to %d: the default is %d", value,
			SESSIONS_MIN, SESSIONS_MAX, OPTIONS_SESSIONS_DEFAULT);
	return 0;
}

int options_sessions_per_guest_parse(struct options_parser *parser, const char *value)
{
	if (number_read(value, 0, SESSIONS_MAX, &parser->options->sessions_per_guest) < 0)
		return options_refuse(parser,
			"'%s' is not a number up to %d: the default is 0, a fair share", value,
			SESSIONS_MAX);
	return 0;
}

int options_new_sessions_parse(struct options_parser *parser, const char *value)
{
	if (number_read(value, 0, NEW_SESSIONS_MAX, &parser->options->new_sessions_per_guest) < 0)
		return options_refuse(parser,
			"'%s' is not a number up to %d: the default is %d a second, and 0 is no "
			"limit",
			value, NEW_SESSIONS_MAX, OPTIONS_NEW_SESSIONS_DEFAULT);
	return 0;
}

int options_outside_ports_parse(struct options_parser *parser, const char *value)
{
	struct options *options = parser->options;
	uint16_t low, high;

	if (!strchr(value, '-'))
		return options_refuse(
			parser, "'%s' is no block of ports: write as 50000-59999", value);
	int error = options_read_ports(parser, value, &low, &high);
	if (error)
		return error;
	if (low < OUTSIDE_PORTS_LOW)
		return options_refuse(parser,
			"ports below %d belong to services of the host: take a block such as "
			"50000-59999",
			OUTSIDE_PORTS_LOW);
	if (high - low + 1 < OUTSIDE_PORTS_MIN)
		return options_refuse(parser,
			"%d ports are too few for a network: take %d or more, such as 50000-59999",
			high - low + 1, OUTSIDE_PORTS_MIN);
	options->outside_low = low;
	options->outside_high = high;
	return 0;
}

struct nat_config options_nat_config(const struct options *options)
{
	bool block = options->outside_low != 0;

	return (struct nat_config){
		.inside_be = options->lan_be,
		.inside_prefix = options->prefix,
		.outside_be = options->outside_be,
		.gateway_be = options->host_ip_be,
		.port_low = block ? options->outside_low : PORT_LOW,
		.port_high = block ? options->outside_high : PORT_HIGH,
		.filter = options->filter,
		.answer_syn = true,
		.sessions = options->sessions,
		.sessions_per_guest = options->sessions_per_guest,
		.new_sessions_per_guest = options->new_sessions_per_guest,
		.timeouts = options->timeouts,
	};
}
