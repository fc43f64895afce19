/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/parameters.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define PREFIX "probe."
#define IPV4(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define BYTES_MAX (256U << 20)
#define TIME_MS_MAX 60000
#define PINGS_MAX 10000

/* A value as it lies in the command line. */
struct value {
	const char *at;
	const char *end;
};

static bool is(const char *at, const char *end, const char *word)
{
	return strlen(word) == (size_t)(end - at) && memcmp(at, word, strlen(word)) == 0;
}

static int read_ipv4(struct value *value, uint32_t *ret_address_be)
{
	return text_read_ipv4(&value->at, value->end, ret_address_be);
}

/* ADDRESS:PORT */
static int read_server(struct value *value, struct parameters *parameters)
{
	uint32_t address_be, port;

	if (read_ipv4(value, &address_be) < 0 || value->at == value->end || *value->at++ != ':')
		return -EINVAL;
	if (text_read_number(&value->at, value->end, &port) < 0 || port == 0 || port > UINT16_MAX)
		return -EINVAL;
	parameters->server_be = address_be;
	parameters->server_port = (uint16_t)port;
	return 0;
}

static int read_choice(struct value *value, enum parameters_choice *ret_choice)
{
	static const char *const names[] = {
		[PARAMETERS_AUTO] = "auto",
		[PARAMETERS_ON] = "on",
		[PARAMETERS_OFF] = "off",
	};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!is(value->at, value->end, names[i]))
			continue;
		*ret_choice = (enum parameters_choice)i;
		value->at = value->end;
		return 0;
	}
	return -EINVAL;
}

static int read_number(struct value *value, uint32_t least, uint32_t most, uint32_t *ret_number)
{
	uint32_t number;

	if (text_read_number(&value->at, value->end, &number) < 0 || number < least ||
		number > most)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

/* Reads one value. */
static int read_value(
	const char *name, const char *name_end, struct value *value, struct parameters *parameters)
{
	int r = -EINVAL;

	if (is(name, name_end, "ip"))
		r = read_ipv4(value, &parameters->ip_be);
	else if (is(name, name_end, "gateway"))
		r = read_ipv4(value, &parameters->gateway_be);
	else if (is(name, name_end, "server"))
		r = read_server(value, parameters);
	else if (is(name, name_end, "dhcp"))
		r = read_choice(value, &parameters->dhcp);
	else if (is(name, name_end, "paging"))
		r = read_choice(value, &parameters->paging);
	else if (is(name, name_end, "bytes"))
		r = read_number(value, 1, BYTES_MAX, &parameters->bytes);
	else if (is(name, name_end, "time_ms"))
		r = read_number(value, 1, TIME_MS_MAX, &parameters->time_ms);
	else if (is(name, name_end, "patience_ms"))
		r = read_number(value, 1, TIME_MS_MAX, &parameters->patience_ms);
	else if (is(name, name_end, "pings"))
		r = read_number(value, 1, PINGS_MAX, &parameters->pings);
	return r == 0 && value->at == value->end ? 0 : -EINVAL;
}

/* Reads one word; one without our prefix is not ours. */
static int read_word(const char *word, const char *end, struct parameters *parameters)
{
	const char *name = word + strlen(PREFIX), *equals = name;
	struct value value;

	if ((size_t)(end - word) < strlen(PREFIX) || memcmp(word, PREFIX, strlen(PREFIX)) != 0)
		return 0;
	while (equals < end && *equals != '=')
		equals++;
	if (equals == end)
		return -EINVAL;
	value = (struct value){.at = equals + 1, .end = end};
	return read_value(name, equals, &value, parameters);
}

int parameters_read(
	const char *line, size_t length, struct parameters *ret_parameters, struct text *complaint)
{
	struct parameters parameters = {
		.ip_be = htonl(IPV4(172, 16, 0, 2)),
		.gateway_be = htonl(IPV4(172, 16, 0, 1)),
		.bytes = 16U << 20,
		.time_ms = 2000,
		.patience_ms = 5000,
		.pings = 20,
	};
	const char *end = line + length;

	for (const char *word = line; word < end;) {
		const char *word_end = word;

		while (word_end < end && *word_end != ' ')
			word_end++;
		if (read_word(word, word_end, &parameters) < 0) {
			text_clear(complaint);
			for (; word < word_end; word++)
				text_add(complaint, (const char[]){*word, '\0'});
			return -EINVAL;
		}
		word = word_end + (word_end < end);
	}
	*ret_parameters = parameters;
	return 0;
}
