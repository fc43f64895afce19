/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One table says for each option its name, argument, environment variable, help text and parser;
 * everything else walks that table. Options are read first, then the variables of options that were
 * not given (so that a bad variable which an option overrules does no harm), then what depends on
 * several values is checked.
 */
#include "backend/options.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "backend/options_value.h"
#include "control/number.h"

/* Reads an inherited descriptor of the option `name`; `shell` is how a shell opens it. */
static int read_fd(struct options_parser *parser, const char *value, const char *name,
	const char *shell, int *ret_fd)
{
	uint32_t fd;

	if (number_read(value, 3, INT32_MAX, &fd) < 0)
		return options_refuse(parser,
			"'%s' is not a descriptor of 3 or more: write as in '%s 3 3%s'", value,
			name, shell);
	if (fcntl((int)fd, F_GETFD) < 0)
		return options_refuse(
			parser, "is not open: write as in '%s %u %u%s'", name, fd, fd, shell);
	*ret_fd = (int)fd;
	return 0;
}

static int parse_ready_fd(struct options_parser *parser, const char *value)
{
	return read_fd(parser, value, "--ready-fd", ">FILE", &parser->options->ready_fd);
}

static int parse_lifeline_fd(struct options_parser *parser, const char *value)
{
	return read_fd(parser, value, "--lifeline-fd", "<FIFO", &parser->options->lifeline_fd);
}

static int parse_log_level(struct options_parser *parser, const char *value)
{
	if (log_level_parse(value, &parser->options->log_level) < 0)
		return options_refuse(
			parser, "'%s' is no level: take error, warning, info or debug", value);
	return 0;
}

static int parse_log_sessions(struct options_parser *parser, const char *value)
{
	(void)value;
	parser->options->log_sessions = true;
	return 0;
}

enum flag {
	NO_VALUE = 1 << 0,  /* takes none */
	NEEDS_NAT = 1 << 1, /* means nothing without the user-space NAT */
	NEEDS_TAP = 1 << 2, /* means nothing without an uplink */
};

static const struct {
	const char *name;
	const char *argument;	    /* for --help; NULL when there is none */
	const char *variable;	    /* environment variable that it wins over; or NULL */
	const char *help;	    /* lines of at most 53 characters */
	enum options_action action; /* not OPTIONS_RUN: ends parsing */
	int (*parse)(struct options_parser *parser, const char *value); /* NULL: only `action` */
	unsigned int flags;						/* enum flag */
} table[] = {
	{"--socket", "PATH[,KEY=VALUE...]", NULL,
		"the vhost-user socket of one guest, up to 64 times;\n"
		"with mac=MAC, ip=IP it can use no other address;\n"
		"hostname=NAME, ctrl-vq=on|off, profile=NAME;\n"
		"mode=server: the VMM listens there and we connect",
		OPTIONS_RUN, options_socket_parse, 0},
	{"--uplink", "tap|none", NULL, "the way to the world [tap]", OPTIONS_RUN,
		options_uplink_parse, 0},
	{"--tap", "NAME", "TAP_NAME", "the TAP interface to make [tap0]", OPTIONS_RUN,
		options_tap_parse, 0},
	{"--host-ip", "ADDRESS[/LEN]", "HOST_IP", "the gateway, which is the host [172.16.0.1/24]",
		OPTIONS_RUN, options_host_ip_parse, 0},
	{"--nat", "user|kernel", NULL, "who translates the guests' addresses [user]", OPTIONS_RUN,
		options_nat_parse, 0},
	{"--nat-filter", "endpoint-independent|address|address-and-port", NULL,
		"who may send to a guest's open port: anyone, hosts\n"
		"it has sent to, or those ports of hosts [address]",
		OPTIONS_RUN, options_filter_parse, NEEDS_NAT},
	{"--nat-timeout", "NAME=SECONDS[,NAME=SECONDS...]", NULL,
		"when idle sessions end: udp [300], icmp [60],\n"
		"udp-well-known [300], udp-unanswered [30],\n"
		"tcp-established [7440], tcp-partial [240],\n"
		"tcp-closing [240], other [600]; syn-hold [6]: when an\n"
		"unwanted SYN is answered",
		OPTIONS_RUN, options_timeout_parse, NEEDS_NAT},
	{"--dhcp", "on|off", NULL, "give guests that ask an address [on]", OPTIONS_RUN,
		options_dhcp_parse, 0},
	{"--dns", "on|off", NULL, "serve DNS to guests at the gateway [on]", OPTIONS_RUN,
		options_dns_parse, 0},
	{"--sessions", "N", NULL, "room for N sessions in the user-space NAT [262144]", OPTIONS_RUN,
		options_sessions_parse, 0},
	{"--sessions-per-guest", "N", NULL, "of them for one guest [0: a fair share]", OPTIONS_RUN,
		options_sessions_per_guest_parse, NEEDS_NAT},
	{"--new-sessions-per-guest", "N", NULL, "a second, bursts of as many [10000]; 0: no limit",
		OPTIONS_RUN, options_new_sessions_parse, NEEDS_NAT},
	{"--log-sessions", NULL, NULL, "a line for each session that comes or goes", OPTIONS_RUN,
		parse_log_sessions, NO_VALUE | NEEDS_NAT},
	{"--outside-ports", "LOW-HIGH", NULL,
		"a block of the host's ports for the NAT alone: the\n"
		"host then keeps no connections of guests",
		OPTIONS_RUN, options_outside_ports_parse, NEEDS_NAT},
	{"--forward", "tcp|udp:[ADDRESS:]PORT[-PORT]=GUEST:PORT[-PORT]", NULL,
		"lead ports of the host to a guest, up to 128 times;\n"
		"ADDRESS: only at that one of the host's",
		OPTIONS_RUN, options_forward_parse, NEEDS_TAP},
	{"--name", "NET", NULL, "the network's name [default]", OPTIONS_RUN, options_name_parse, 0},
	{"--api", "PATH", NULL, "the socket of the API [NAME.sock in /run/chnet]", OPTIONS_RUN,
		options_api_parse, 0},
	{"--ready-fd", "N", NULL, "write \"ready\" to descriptor N when guests can connect",
		OPTIONS_RUN, parse_ready_fd, 0},
	{"--lifeline-fd", "N", NULL, "end when nobody has descriptor N open for writing",
		OPTIONS_RUN, parse_lifeline_fd, 0},
	{"--log-level", "LEVEL", NULL, "error, warning, info or debug [info]", OPTIONS_RUN,
		parse_log_level, 0},
	{"--help", NULL, NULL, "this text", OPTIONS_HELP, NULL, NO_VALUE},
	{"--version", NULL, NULL, "the version", OPTIONS_VERSION, NULL, NO_VALUE},
};
#define TABLE_COUNT (sizeof(table) / sizeof(table[0]))

void options_help(FILE *file)
{
	fputs("Usage: chnet-vhost --socket PATH [--socket PATH ...] [OPTION ...]\n"
	      "Networks Cloud Hypervisor guests from user space: switch, gateway, NAT.\n"
	      "Runs in the foreground and as root; leaves nothing behind when it ends.\n\n",
		file);
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		const char *argument = table[i].argument ? table[i].argument : "";
		int width = fprintf(file, "  %s %s", table[i].name, argument);
		fprintf(file, "%*s", width < 26 ? 26 - width : 0, "");
		for (const char *line = table[i].help; line;) {
			const char *end = strchr(line, '\n');
			if (width > 25 || line != table[i].help)
				fprintf(file, "\n%26s", "");
			width = 0;
			fprintf(file, "%.*s", end ? (int)(end - line) : (int)strlen(line), line);
			line = end ? end + 1 : NULL;
		}
		fputc('\n', file);
	}
	fputs("\nEnvironment, where no option says otherwise: TAP_NAME, HOST_IP, and GUEST_MAC,\n"
	      "GUEST_IP for the first socket. SIGUSR1 prints the counters, SIGTERM ends.\n\n"
	      "Examples:\n"
	      "  chnet-vhost --socket /run/guest1.sock,mac=52:54:00:12:34:56,ip=172.16.0.2\n"
	      "  cloud-hypervisor --memory size=1G,shared=on --net \\\n"
	      "    vhost_user=true,socket=/run/guest1.sock,mac=52:54:00:12:34:56 ...\n"
	      "  chnet-vhost --socket /run/guest1.sock --forward tcp:8080=172.16.0.2:80\n"
	      "  chnet-vhost --uplink none --socket /tmp/a.sock --socket /tmp/b.sock\n",
		file);
}

static int find(const char *argument, size_t length)
{
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		if (strlen(table[i].name) == length && memcmp(table[i].name, argument, length) == 0)
			return (int)i;
	}
	return -1;
}

/* Reads argv; sets a bit in *given for each option met. */
static int read_arguments(struct options_parser *parser, int argc, char *const argv[],
	unsigned int *given, enum options_action *action)
{
	for (int i = 1; i < argc; i++) {
		const char *argument = argv[i], *equals = strchr(argument, '=');
		size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
		const char *value = equals ? equals + 1 : NULL;
		int entry = find(argument, length);

		options_at(parser, "%.*s", (int)length, argument);
		if (entry < 0)
			return options_refuse(parser,
				argument[0] == '-'
					? "unknown option: 'chnet-vhost --help' lists all of them"
					: "not an option: write as in 'chnet-vhost --socket PATH'");
		if (table[entry].flags & NO_VALUE) {
			if (value)
				return options_refuse(
					parser, "takes no value: leave '=%s' out", value);
		} else {
			if (!value && i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0)
				value = argv[++i];
			if (!value)
				return options_refuse(parser, "needs a value: write %s %s",
					table[entry].name, table[entry].argument);
		}
		if (!table[entry].parse) {
			*action = table[entry].action;
			return 0;
		}
		options_at(parser, "%s%s%s", table[entry].name, value && *value ? " " : "",
			value ? value : "");
		*given |= 1U << entry;
		int error = table[entry].parse(parser, value);
		if (error)
			return error;
	}
	return 0;
}

static int read_variables(struct options_parser *parser, unsigned int given)
{
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		const char *value = table[i].variable ? getenv(table[i].variable) : NULL;
		if (!value || !*value || given & 1U << i)
			continue;
		options_at(parser, "%s in the environment", table[i].variable);
		int error = table[i].parse(parser, value);
		if (error)
			return error;
	}
	return 0;
}

/* Options that would do nothing are mistakes. */
static int check_needs(struct options_parser *parser, unsigned int given)
{
	const struct options *options = parser->options;

	for (size_t i = 0; i < TABLE_COUNT; i++) {
		if (!(given & 1U << i) || !(table[i].flags & (NEEDS_NAT | NEEDS_TAP)))
			continue;
		options_at(parser, "%s", table[i].name);
		if (options->uplink == OPTIONS_UPLINK_NONE)
			return options_refuse(parser, "needs an uplink: leave '--uplink none' out");
		if (table[i].flags & NEEDS_NAT && options->nat != OPTIONS_NAT_USER)
			return options_refuse(
				parser, "is for the user-space NAT: leave '--nat kernel' out");
	}
	options_at(parser, "--log-sessions");
	if (options->log_sessions && options->log_level < LOG_LEVEL_INFO)
		return options_refuse(
			parser, "writes lines of level info: take --log-level info or debug");
	return 0;
}

/* What depends on several values. */
static int complete(struct options_parser *parser, unsigned int given)
{
	struct options *options = parser->options;
	uint32_t hosts = UINT32_MAX >> options->prefix, host_ip = ntohl(options->host_ip_be);
	char text[INET_ADDRSTRLEN];

	options_at(parser, "--socket");
	if (options->socket_count == 0)
		return options_refuse(
			parser, "missing: give one for each guest, as --socket /run/guest1.sock");
	options->lan_be = htonl(host_ip & ~hosts);
	uint32_t outside = (host_ip | hosts) - 1;
	if (outside == host_ip)
		outside--;
	options->outside_be = options->nat == OPTIONS_NAT_USER ? htonl(outside) : 0;
	options_at(parser, "--host-ip %s/%u", options_show_ipv4(options->host_ip_be, text),
		options->prefix);
	/* Two addresses: the gateway's and the NAT's. */
	if (options->prefix == 30 && options->nat == OPTIONS_NAT_USER)
		return options_refuse(parser,
			"leaves no address for a guest beside the gateway's and the NAT's: "
			"take a prefix length from 16 to 29, or --nat kernel");
	int error = options_socket_check(parser);
	if (!error)
		error = check_needs(parser, given);
	if (!error)
		error = options_forward_check(parser);
	return error;
}

int options_parse(int argc, char *const argv[], struct options *ret_options,
	enum options_action *ret_action, char *error, size_t size)
{
	struct options options = {
		.uplink = OPTIONS_UPLINK_TAP,
		.nat = OPTIONS_NAT_USER,
		.dhcp = true,
		.dns = true,
		.tap = "tap0",
		.host_ip_be = htonl(0xac100001), /* 172.16.0.1 */
		.prefix = 24,
		.sessions = OPTIONS_SESSIONS_DEFAULT,
		.new_sessions_per_guest = OPTIONS_NEW_SESSIONS_DEFAULT,
		.filter = NAT_FILTER_ADDRESS,
		.name = "default",
		.ready_fd = -1,
		.lifeline_fd = -1,
		.log_level = LOG_LEVEL_INFO,
	};
	struct options_parser parser = {.options = &options, .error = error, .error_size = size};
	enum options_action action = OPTIONS_RUN;
	unsigned int given = 0;

	int result = read_arguments(&parser, argc, argv, &given, &action);
	if (!result && action == OPTIONS_RUN)
		result = read_variables(&parser, given);
	if (!result && action == OPTIONS_RUN)
		result = complete(&parser, given);
	if (result)
		return result;
	*ret_options = options;
	*ret_action = action;
	return 0;
}
