/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/options_value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/number.h"

/* A port number with its terminating zero. */
#define PORT_TEXT 6

const struct options_word options_switch[] = {{"on", true}, {"off", false}, {NULL, 0}};

void options_at(struct options_parser *parser, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(parser->where, sizeof(parser->where), format, arguments);
	va_end(arguments);
}

int options_refuse(struct options_parser *parser, const char *format, ...)
{
	va_list arguments;
	int length = snprintf(parser->error, parser->error_size, "%s: ", parser->where);

	if (length < 0 || (size_t)length >= parser->error_size)
		return -EINVAL;
	va_start(arguments, format);
	vsnprintf(parser->error + length, parser->error_size - (size_t)length, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int options_read_mac(const char *text, uint8_t ret_mac[6])
{
	uint8_t mac[6];

	if (strlen(text) != OPTIONS_MAC_TEXT - 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(mac); i++) {
		int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);
		if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

int options_read_ipv4(const char *text, uint32_t *ret_address_be)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		return -EINVAL;
	*ret_address_be = address.s_addr;
	return 0;
}

int options_read_word(const struct options_word *words, const char *text, int *ret_value)
{
	for (; words->name; words++) {
		if (strcmp(words->name, text) == 0) {
			*ret_value = words->value;
			return 0;
		}
	}
	return -EINVAL;
}

int options_read_ports(
	struct options_parser *parser, const char *text, uint16_t *ret_low, uint16_t *ret_high)
{
	const char *dash = strchr(text, '-');
	size_t length = dash ? (size_t)(dash - text) : strlen(text);
	char first[PORT_TEXT] = "";
	uint32_t low, high;

	if (length < sizeof(first))
		memcpy(first, text, length);
	if (number_read(first, 1, UINT16_MAX, &low) < 0)
		return options_refuse(
			parser, "'%.*s' is not a port from 1 to 65535", (int)length, text);
	high = low;
	if (dash && number_read(dash + 1, 1, UINT16_MAX, &high) < 0)
		return options_refuse(parser, "'%s' is not a port from 1 to 65535", dash + 1);
	if (high < low)
		return options_refuse(parser,
			"'%s' ends before it begins: write the lower port "
			"first",
			text);
	*ret_low = (uint16_t)low;
	*ret_high = (uint16_t)high;
	return 0;
}

bool options_is_lan(const struct options *options, uint32_t address_be)
{
	uint32_t mask = UINT32_MAX << (32 - options->prefix);

	return (ntohl(address_be) & mask) == ntohl(options->lan_be);
}

const char *options_address_use(const struct options *options, uint32_t address_be)
{
	uint32_t mask = UINT32_MAX << (32 - options->prefix);

	if (address_be == options->host_ip_be)
		return "the gateway's address";
	if (address_be == options->outside_be)
		return "the NAT's own address";
	if (address_be == options->lan_be)
		return "the LAN's network address";
	if ((ntohl(address_be) | mask) == UINT32_MAX)
		return "the LAN's broadcast address";
	return NULL;
}

const char *options_show_ipv4(uint32_t address_be, char *buffer)
{
	struct in_addr address = {.s_addr = address_be};

	return inet_ntop(AF_INET, &address, buffer, INET_ADDRSTRLEN);
}

const char *options_show_mac(const uint8_t mac[6], char *buffer)
{
	snprintf(buffer, OPTIONS_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
	return buffer;
}

int options_read_path(
	struct options_parser *parser, const char *text, char ret_path[OPTIONS_PATH_CAPACITY])
{
	size_t length = strlen(text);

	if (length == 0 || text[length - 1] == '/')
		return options_refuse(parser, "names no file: write the path of the socket to "
					      "make, as /run/chnet/guest1.sock");
	if (length >= OPTIONS_PATH_CAPACITY)
		return options_refuse(parser,
			"the path is %zu bytes long and the kernel allows %d: take a shorter one",
			length, OPTIONS_PATH_CAPACITY - 1);
	memcpy(ret_path, text, length + 1);
	return 0;
}
