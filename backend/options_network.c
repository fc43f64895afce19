/* SPDX-License-Identifier: BSD-3-Clause */
/* Options that say what the network is: its uplink, addresses, services and names. */
#include <ctype.h>
#include <string.h>

#include "backend/options_value.h"
#include "control/number.h"

int options_uplink_parse(struct options_parser *parser, const char *value)
{
	static const struct options_word words[] = {
		{"tap", OPTIONS_UPLINK_TAP}, {"none", OPTIONS_UPLINK_NONE}, {NULL, 0}};
	int uplink;

	if (options_read_word(words, value, &uplink) < 0)
		return options_refuse(parser, "'%s' is no uplink: take tap or none", value);
	parser->options->uplink = (enum options_uplink)uplink;
	return 0;
}

int options_nat_parse(struct options_parser *parser, const char *value)
{
	static const struct options_word words[] = {
		{"user", OPTIONS_NAT_USER}, {"kernel", OPTIONS_NAT_KERNEL}, {NULL, 0}};
	int nat;

	if (options_read_word(words, value, &nat) < 0)
		return options_refuse(parser, "'%s' is no NAT: take user or kernel", value);
	parser->options->nat = (enum options_nat)nat;
	return 0;
}

/* The kernel takes more, but a '%' is a pattern to it, and the rest breaks tools that print names.
 */
int options_tap_parse(struct options_parser *parser, const char *value)
{
	size_t length = strlen(value);

	if (length >= OPTIONS_TAP_CAPACITY)
		return options_refuse(parser,
			"the name is %zu bytes long and the kernel allows %d: take a shorter one",
			length, OPTIONS_TAP_CAPACITY - 1);
	bool good = length > 0 && strcmp(value, ".") != 0 && strcmp(value, "..") != 0;
	for (const char *c = value; *c; c++)
		good = good && (isalnum((unsigned char)*c) || strchr("._-", *c));
	if (!good)
		return options_refuse(
			parser, "'%s' is not an interface name: take one such as tap0", value);
	memcpy(parser->options->tap, value, length + 1);
	return 0;
}

int options_host_ip_parse(struct options_parser *parser, const char *value)
{
	struct options *options = parser->options;
	uint32_t address_be, prefix = 24;
	char text[INET_ADDRSTRLEN + 1] = "";
	const char *slash = strchr(value, '/');
	size_t length = slash ? (size_t)(slash - value) : strlen(value);

	if (length < sizeof(text))
		memcpy(text, value, length);
	if (options_read_ipv4(text, &address_be) < 0)
		return options_refuse(
			parser, "'%s' is not an IPv4 address: write it as 172.16.0.1/24", value);
	if (slash && number_read(slash + 1, 16, 30, &prefix) < 0)
		return options_refuse(parser,
			"'%s' is not a prefix length from 16 to 30: write it as 172.16.0.1/24",
			slash + 1);
	uint32_t address = ntohl(address_be), hosts = UINT32_MAX >> prefix;
	if (address >> 24 == 0 || address >> 24 == 127 || address >> 28 >= 0xe)
		return options_refuse(parser,
			"%s is not an address of a LAN: take a private one such as 172.16.0.1",
			text);
	if ((address & hosts) == 0 || (address & hosts) == hosts)
		return options_refuse(parser,
			"%s is the network or broadcast address of its /%u: take a host's, such as "
			"172.16.0.1/24",
			text, prefix);
	options->host_ip_be = address_be;
	options->prefix = (uint8_t)prefix;
	return 0;
}

static int parse_switch(struct options_parser *parser, const char *value, bool *ret_on)
{
	int on;

	if (options_read_word(options_switch, value, &on) < 0)
		return options_refuse(parser, "'%s' is neither on nor off", value);
	*ret_on = on;
	return 0;
}

int options_dhcp_parse(struct options_parser *parser, const char *value)
{
	return parse_switch(parser, value, &parser->options->dhcp);
}

int options_dns_parse(struct options_parser *parser, const char *value)
{
	return parse_switch(parser, value, &parser->options->dns);
}

int options_name_parse(struct options_parser *parser, const char *value)
{
	size_t length = strlen(value);
	bool good = length > 0 && length < OPTIONS_NAME_CAPACITY && isalnum((unsigned char)*value);

	for (const char *c = value; *c; c++)
		good = good && (isalnum((unsigned char)*c) || strchr("._-", *c));
	if (!good)
		return options_refuse(parser,
			"'%s' is no name: take up to %d letters, digits, '.', '_' and '-', a "
			"letter or digit first",
			value, OPTIONS_NAME_CAPACITY - 1);
	memcpy(parser->options->name, value, length + 1);
	return 0;
}

int options_api_parse(struct options_parser *parser, const char *value)
{
	return options_read_path(parser, value, parser->options->api);
}
