/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --socket PATH[,KEY=VALUE…]: one guest's port.
 *
 * What can be judged alone is checked where it is read. Addresses are checked against the LAN and
 * against the other sockets in options_socket_check(), since --host-ip may follow the --socket.
 */
#include "backend/options_value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct options_word profiles[] = {
	{"auto", OPTIONS_PROFILE_AUTO},
	{"redox", OPTIONS_PROFILE_REDOX},
	{"full", OPTIONS_PROFILE_FULL},
	{NULL, 0},
};

/* Of the VMM, as in Cloud Hypervisor's vhost_mode=: does it listen? */
static const struct options_word modes[] = {
	{"client", false},
	{"server", true},
	{NULL, 0},
};

/* `shown` is how the user wrote it: "mac=…" or "GUEST_MAC=…". */
static int read_mac(struct options_parser *parser, struct options_socket *socket, const char *shown,
	const char *value)
{
	static const uint8_t zeros[6];
	uint8_t mac[6];

	if (options_read_mac(value, mac) < 0)
		return options_refuse(parser,
			"'%s' is not a MAC address: write six hexadecimal bytes, as "
			"52:54:00:12:34:56",
			shown);
	if (mac[0] & 1)
		return options_refuse(parser,
			"'%s' is a multicast address: the first byte must be even, as in "
			"52:54:00:12:34:56",
			shown);
	if (memcmp(mac, zeros, sizeof(mac)) == 0)
		return options_refuse(
			parser, "'%s' is no address: take one such as 52:54:00:12:34:56", shown);
	memcpy(socket->mac, mac, sizeof(mac));
	socket->has_mac = true;
	return 0;
}

static int read_ip(struct options_parser *parser, struct options_socket *socket, const char *shown,
	const char *value)
{
	uint32_t address_be;

	if (options_read_ipv4(value, &address_be) < 0 || address_be == 0)
		return options_refuse(parser,
			"'%s' is not an IPv4 address: write it as 172.16.0.2, without a prefix "
			"length",
			shown);
	socket->ip_be = address_be;
	return 0;
}

/* The one name that is not a guest's: dns_names.h. */
#define HOST_NAME "host"

static int read_hostname(struct options_parser *parser, struct options_socket *socket,
	const char *shown, const char *value)
{
	char name[DHCP_NAME_CAPACITY];

	if (!dhcp_name_read((const uint8_t *)value, strlen(value), name))
		return options_refuse(parser,
			"'%s' is not a host's name: take up to %d letters, digits and hyphens, no "
			"hyphen at an end",
			shown, DHCP_NAME_CAPACITY - 1);
	if (strcmp(name, HOST_NAME) == 0)
		return options_refuse(parser, "'%s' is the name of the host: take another", shown);
	memcpy(socket->hostname, name, sizeof(name));
	return 0;
}

static int read_ctrl_vq(struct options_parser *parser, struct options_socket *socket,
	const char *shown, const char *value)
{
	int on;

	if (options_read_word(options_switch, value, &on) < 0)
		return options_refuse(parser, "'%s' is neither ctrl-vq=on nor ctrl-vq=off", shown);
	socket->ctrl_vq = on;
	return 0;
}

static int read_profile(struct options_parser *parser, struct options_socket *socket,
	const char *shown, const char *value)
{
	int profile;

	if (options_read_word(profiles, value, &profile) < 0)
		return options_refuse(
			parser, "'%s' is no profile: take auto, redox or full", shown);
	socket->profile = (enum options_profile)profile;
	return 0;
}

static int read_mode(struct options_parser *parser, struct options_socket *socket,
	const char *shown, const char *value)
{
	int listens;

	if (options_read_word(modes, value, &listens) < 0)
		return options_refuse(parser,
			"'%s' is no mode of a VMM: take mode=client when the VMM connects to us, "
			"mode=server when it listens and we connect",
			shown);
	socket->vmm_listens = listens;
	return 0;
}

static const struct {
	const char *name; /* with its '=' */
	int (*read)(struct options_parser *parser, struct options_socket *socket, const char *shown,
		const char *value);
} keys[] = {
	{"mac=", read_mac},
	{"ip=", read_ip},
	{"hostname=", read_hostname},
	{"ctrl-vq=", read_ctrl_vq},
	{"profile=", read_profile},
	{"mode=", read_mode},
};
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static int read_key(struct options_parser *parser, struct options_socket *socket, const char *text,
	unsigned int *seen)
{
	for (unsigned int i = 0; i < KEY_COUNT; i++) {
		size_t length = strlen(keys[i].name);
		if (strncmp(text, keys[i].name, length) != 0)
			continue;
		if (*seen & 1U << i)
			return options_refuse(
				parser, "%s is given twice: leave one out", keys[i].name);
		*seen |= 1U << i;
		return keys[i].read(parser, socket, text, text + length);
	}
	return options_refuse(parser,
		"'%s' is not a setting of a socket: use mac=, ip=, hostname=, ctrl-vq=, "
		"profile= or mode=",
		text);
}

int options_socket_parse(struct options_parser *parser, const char *value)
{
	struct options *options = parser->options;
	struct options_socket socket = {.profile = OPTIONS_PROFILE_AUTO};
	unsigned int seen = 0;
	char *saved = NULL;

	unsigned int index = 0;

	/* A port that went has left its place. */
	while (index < options->socket_count && options->sockets[index].path[0])
		index++;
	if (index == OPTIONS_SOCKETS_MAX)
		return options_refuse(parser, "is one socket too many: a network has up to %d",
			OPTIONS_SOCKETS_MAX);
	char *copy = strdup(value);
	if (!copy)
		return options_refuse(parser, "out of memory");
	char *comma = strchr(copy, ',');
	if (comma)
		*comma = 0;
	int error = options_read_path(parser, copy, socket.path);
	char *text = comma ? strtok_r(comma + 1, ",", &saved) : NULL;
	for (; !error && text; text = strtok_r(NULL, ",", &saved))
		error = read_key(parser, &socket, text, &seen);
	free(copy);
	if (error)
		return error;
	options->sockets[index] = socket;
	if (index == options->socket_count)
		options->socket_count++;
	return 0;
}

bool options_has_vmm_socket(const struct options *options)
{
	for (unsigned int i = 0; i < options->socket_count; i++)
		if (options->sockets[i].vmm_listens)
			return true;
	return false;
}

static bool ip_taken(const struct options *options, uint32_t address_be)
{
	if (address_be == options->host_ip_be || address_be == options->outside_be)
		return true;
	for (unsigned int i = 0; i < options->socket_count; i++) {
		if (options->sockets[i].ip_be == address_be)
			return true;
	}
	return false;
}

/* Room for advice(). */
#define ADVICE_CAPACITY 64

/* What to do about a refused address: names the lowest one that a guest may still have. */
static const char *advice(const struct options *options, char *buffer)
{
	char text[INET_ADDRSTRLEN];
	uint32_t address = ntohl(options->lan_be) + 1;
	uint32_t broadcast = ntohl(options->lan_be) | UINT32_MAX >> options->prefix;

	while (ip_taken(options, htonl(address)))
		address++;
	if (address < broadcast)
		snprintf(buffer, ADVICE_CAPACITY, "take an address such as %s",
			options_show_ipv4(htonl(address), text));
	else
		snprintf(buffer, ADVICE_CAPACITY, "the LAN is full, take a larger one");
	return buffer;
}

static int check_ip(struct options_parser *parser, const struct options_socket *socket)
{
	const struct options *options = parser->options;
	char text[INET_ADDRSTRLEN], lan[INET_ADDRSTRLEN], buffer[ADVICE_CAPACITY];
	const char *what = options_address_use(options, socket->ip_be);

	options_show_ipv4(socket->ip_be, text);
	options_show_ipv4(options->lan_be, lan);
	if (!options_is_lan(options, socket->ip_be))
		return options_refuse(parser,
			"ip=%s is outside the LAN %s/%u: %s, or another "
			"LAN with --host-ip",
			text, lan, options->prefix, advice(options, buffer));
	if (what)
		return options_refuse(
			parser, "ip=%s is %s: %s", text, what, advice(options, buffer));
	return 0;
}

/* GUEST_MAC and GUEST_IP apply to the first socket, unless it says otherwise itself. */
static int read_environment(struct options_parser *parser)
{
	struct options_socket *first = &parser->options->sockets[0];
	const char *mac = getenv("GUEST_MAC"), *ip = getenv("GUEST_IP");
	int error = 0;

	if (mac && *mac && !first->has_mac) {
		options_at(parser, "GUEST_MAC in the environment");
		error = read_mac(parser, first, mac, mac);
	}
	if (!error && ip && *ip && !first->ip_be) {
		options_at(parser, "GUEST_IP in the environment");
		error = read_ip(parser, first, ip, ip);
		if (!error)
			error = check_ip(parser, first);
	}
	return error;
}

static int check_pair(struct options_parser *parser, const struct options_socket *socket,
	const struct options_socket *earlier)
{
	char text[OPTIONS_MAC_TEXT], buffer[ADVICE_CAPACITY];

	if (!socket->path[0] || !earlier->path[0])
		return 0;
	if (strcmp(socket->path, earlier->path) == 0)
		return options_refuse(
			parser, "is given twice: each guest needs a socket of its own");
	if (socket->has_mac && earlier->has_mac &&
		memcmp(socket->mac, earlier->mac, sizeof(socket->mac)) == 0)
		return options_refuse(parser,
			"mac=%s is already that of --socket %s: each guest needs its own",
			options_show_mac(socket->mac, text), earlier->path);
	if (socket->hostname[0] && strcmp(socket->hostname, earlier->hostname) == 0)
		return options_refuse(parser,
			"hostname=%s is already that of --socket %s: each guest needs its own",
			socket->hostname, earlier->path);
	if (socket->ip_be && socket->ip_be == earlier->ip_be)
		return options_refuse(parser, "ip=%s is already that of --socket %s: %s",
			options_show_ipv4(socket->ip_be, text), earlier->path,
			advice(parser->options, buffer));
	return 0;
}

int options_socket_check_all(struct options_parser *parser)
{
	const struct options *options = parser->options;
	int error = 0;

	for (unsigned int i = 0; !error && i < options->socket_count; i++) {
		const struct options_socket *socket = &options->sockets[i];
		options_at(parser, "--socket %s", socket->path);
		if (socket->ip_be)
			error = check_ip(parser, socket);
		for (unsigned int j = 0; !error && j < i; j++)
			error = check_pair(parser, socket, &options->sockets[j]);
	}
	return error;
}

int options_socket_check(struct options_parser *parser)
{
	int error = read_environment(parser);

	return error ? error : options_socket_check_all(parser);
}
