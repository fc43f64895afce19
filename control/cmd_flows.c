/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "control/client.h"
#include "control/command.h"
#include "control/number.h"
#include "control/output.h"
#include "control/usage.h"

#define QUERY_CAPACITY 400
#define LIMIT_MAX 1000 /* flows in one answer */

struct values {
	const char *name;
	const char *guest;
	const char *remote;
	const char *protocol;
	const char *guest_port;
	const char *outside_port;
	const char *remote_port;
	const char *limit;
	const char *after;
	bool count;
	bool json;
};

static const struct usage_option options[] = {
	USAGE_NETWORK(struct values, name),
	{"--guest", "ADDRESS", "only of this guest", USAGE_TEXT, offsetof(struct values, guest)},
	{"--remote", "ADDRESS", "only with this remote address", USAGE_TEXT,
		offsetof(struct values, remote)},
	{"--protocol", "PROTOCOL", "only tcp, udp, icmp or a number", USAGE_TEXT,
		offsetof(struct values, protocol)},
	{"--guest-port", "N", "only with this port of the guest", USAGE_TEXT,
		offsetof(struct values, guest_port)},
	{"--outside-port", "N", "only with this outside port", USAGE_TEXT,
		offsetof(struct values, outside_port)},
	{"--remote-port", "N", "only with this port of the remote", USAGE_TEXT,
		offsetof(struct values, remote_port)},
	{"--limit", "N", "at most N, up to 1000 [100]", USAGE_TEXT, offsetof(struct values, limit)},
	{"--after", "N", "go on where an earlier list stopped", USAGE_TEXT,
		offsetof(struct values, after)},
	{"--count", NULL, "print how many there are", USAGE_FLAG, offsetof(struct values, count)},
	USAGE_JSON(struct values, json),
	{0},
};

static const struct usage usage = {
	.verb = "flows",
	.description =
		"Lists what the NAT translates: who speaks with whom, and as what the remote\n"
		"side sees the guest. TTL is the time until it is forgotten, if nothing comes.",
	.options = options,
	.examples = "  chnet flows --guest 172.16.0.2 --protocol tcp\n"
		    "  chnet flows --count",
};

static bool is_address(const char *text)
{
	struct in_addr address;

	return inet_pton(AF_INET, text, &address) == 1;
}

static bool is_port(const char *text)
{
	uint32_t number;

	return number_read(text, 0, UINT16_MAX, &number) == 0;
}

static bool is_protocol(const char *text)
{
	uint32_t number;

	return strcmp(text, "tcp") == 0 || strcmp(text, "udp") == 0 || strcmp(text, "icmp") == 0 ||
	       number_read(text, 0, UINT8_MAX, &number) == 0;
}

static bool is_limit(const char *text)
{
	uint32_t number;

	return number_read(text, 1, LIMIT_MAX, &number) == 0;
}

static bool is_place(const char *text)
{
	uint32_t number;

	return number_read(text, 0, UINT32_MAX - 1, &number) == 0;
}

/* What the values must be: as GET /v1/flows has it (api_flows.c), in the words of the options. */
static int check(const struct values *values)
{
	const struct {
		const char *option;
		const char *value;
		bool (*is_good)(const char *text);
		const char *expected; /* completes "must be" */
	} checks[] = {
		{"--guest", values->guest, is_address, "an IPv4 address"},
		{"--remote", values->remote, is_address, "an IPv4 address"},
		{"--protocol", values->protocol, is_protocol,
			"tcp, udp, icmp or a number up to 255"},
		{"--guest-port", values->guest_port, is_port, "a number up to 65535"},
		{"--outside-port", values->outside_port, is_port, "a number up to 65535"},
		{"--remote-port", values->remote_port, is_port, "a number up to 65535"},
		{"--limit", values->limit, is_limit, "a number from 1 to 1000"},
		{"--after", values->after, is_place, "a number that an earlier list named"},
	};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (checks[i].value && !checks[i].is_good(checks[i].value))
			return usage_refuse(&usage, "%s %s: must be %s", checks[i].option,
				checks[i].value, checks[i].expected);
	return USAGE_GO_ON;
}

/* Adds "NAME=VALUE" to the path, escaped. False when it does not fit. */
static bool add(char path[QUERY_CAPACITY], const char *name, const char *value)
{
	size_t length = strlen(path);

	if (!value)
		return true;
	char *escaped = curl_easy_escape(NULL, value, 0);
	int more = escaped ? snprintf(path + length, QUERY_CAPACITY - length, "%c%s=%s",
				     strchr(path, '?') ? '&' : '?', name, escaped)
			   : QUERY_CAPACITY;
	curl_free(escaped);
	return (size_t)more < QUERY_CAPACITY - length;
}

static bool write_path(const struct values *values, char path[QUERY_CAPACITY])
{
	snprintf(path, QUERY_CAPACITY, "/v1/flows");
	return add(path, "guest", values->guest) && add(path, "remote", values->remote) &&
	       add(path, "protocol", values->protocol) &&
	       add(path, "guest_port", values->guest_port) &&
	       add(path, "outside_port", values->outside_port) &&
	       add(path, "remote_port", values->remote_port) && add(path, "limit", values->limit) &&
	       add(path, "after", values->after) &&
	       add(path, "count", values->count ? "true" : NULL);
}

static const struct output_column columns[] = {
	{.name = "PROTO"},
	{.name = "GUEST"},
	{.name = "OUTSIDE"},
	{.name = "REMOTE"},
	{.name = "STATE", .may_be_cut = true},
	{.name = "OUT", .is_number = true},
	{.name = "IN", .is_number = true},
	{.name = "AGE", .is_number = true},
	{.name = "TTL", .is_number = true},
};

static void show_end(
	struct output *output, const json_t *flow, const char *address, const char *port)
{
	char text[64];

	snprintf(text, sizeof(text), "%s:%lld", output_member_text(flow, address),
		(long long)output_member_number(flow, port));
	output_text(output, text);
}

static int show(const json_t *answer)
{
	struct output *output = output_new(columns, sizeof(columns) / sizeof(columns[0]));
	const json_t *next = json_object_get(answer, "next");
	json_t *flow;
	size_t i;

	json_array_foreach(json_object_get(answer, "flows"), i, flow)
	{
		char text[OUTPUT_BYTES_TEXT];
		output_row(output);
		output_text(output, output_member_text(flow, "protocol"));
		show_end(output, flow, "guest", "guest_port");
		show_end(output, flow, "outside", "outside_port");
		show_end(output, flow, "remote", "remote_port");
		output_text(output, output_member_text(flow, "state"));
		output_text(output, output_bytes(output_member_number(flow, "bytes_out"), text));
		output_text(output, output_bytes(output_member_number(flow, "bytes_in"), text));
		output_number(output, output_member_number(flow, "age_s"));
		output_number(output, output_member_number(flow, "expires_s"));
	}
	int code = output_print(output);
	if (json_is_integer(next))
		printf("There are more: --after %lld\n", (long long)json_integer_value(next));
	return code;
}

int cmd_flows(int argc, char *argv[])
{
	struct values values = {.name = USAGE_NETWORK_DEFAULT};
	char error[CLIENT_ERROR_CAPACITY], path[QUERY_CAPACITY];
	json_t *answer = NULL;

	int code = usage_read(&usage, argc, argv, &values, NULL);
	if (code == USAGE_GO_ON)
		code = check(&values);
	if (code != USAGE_GO_ON)
		return code;
	if (!write_path(&values, path))
		return usage_refuse(&usage, "a value is too long");
	if (client_json(values.name, "GET", path, NULL, &answer, error) < 0)
		return command_fail("%s", error);
	if (values.json)
		code = output_json(answer);
	else if (values.count)
		printf("%lld\n", (long long)output_member_number(answer, "count"));
	else
		code = show(answer);
	json_decref(answer);
	return code == USAGE_GO_ON ? COMMAND_OK : code;
}
