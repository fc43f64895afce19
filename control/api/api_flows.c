/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flows are read in pieces (api_ops.flows), each of which costs a worker a bounded time between two
 * breaths. A page ends when it is full or the table is; `next` is where the following page begins.
 * Flows that come or go meanwhile may be missed or not, but none is shown twice or torn.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "control/api/handlers.h"
#include "control/number.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000
#define PIECE 256

struct query {
	uint32_t limit;	 /* flows on a page */
	uint32_t after;	 /* where to begin */
	bool count_only; /* of all that match, none is shown */
	/* What a flow must have; the has_ ones say which of them matter. */
	uint32_t guest_be, remote_be;
	uint32_t protocol, guest_port, outside_port, remote_port;
	bool has_guest, has_remote, has_protocol, has_guest_port, has_outside_port, has_remote_port;
};

static int read_address(const char *text, uint32_t *ret_address_be, bool *ret_has)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		return -EINVAL;
	*ret_address_be = address.s_addr;
	*ret_has = true;
	return 0;
}

static int read_port(const char *text, uint32_t *ret_port, bool *ret_has)
{
	*ret_has = true;
	return number_read(text, 0, 65535, ret_port);
}

static int read_guest(struct query *query, const char *text)
{
	return read_address(text, &query->guest_be, &query->has_guest);
}

static int read_remote(struct query *query, const char *text)
{
	return read_address(text, &query->remote_be, &query->has_remote);
}

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {{"icmp", IPPROTO_ICMP}, {"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}};
#define PROTOCOL_COUNT (sizeof(protocols) / sizeof(protocols[0]))

static int read_protocol(struct query *query, const char *text)
{
	query->has_protocol = true;
	for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
		if (strcmp(text, protocols[i].name) != 0)
			continue;
		query->protocol = protocols[i].number;
		return 0;
	}
	return number_read(text, 0, 255, &query->protocol);
}

static int read_guest_port(struct query *query, const char *text)
{
	return read_port(text, &query->guest_port, &query->has_guest_port);
}

static int read_outside_port(struct query *query, const char *text)
{
	return read_port(text, &query->outside_port, &query->has_outside_port);
}

static int read_remote_port(struct query *query, const char *text)
{
	return read_port(text, &query->remote_port, &query->has_remote_port);
}

static int read_limit(struct query *query, const char *text)
{
	int error = number_read(text, 0, LIMIT_MAX, &query->limit);

	return error || query->limit == 0 ? -EINVAL : 0;
}

static int read_after(struct query *query, const char *text)
{
	return number_read(text, 0, UINT32_MAX - 1, &query->after);
}

static int read_count(struct query *query, const char *text)
{
	query->count_only = strcmp(text, "true") == 0;
	return query->count_only || strcmp(text, "false") == 0 ? 0 : -EINVAL;
}

static const struct {
	const char *name;
	const char *expected; /* completes "must be" */
	int (*read)(struct query *query, const char *text);
} parameters[] = {
	{"guest", "an IPv4 address", read_guest},
	{"remote", "an IPv4 address", read_remote},
	{"protocol", "tcp, udp, icmp or a number up to 255", read_protocol},
	{"guest_port", "a number up to 65535", read_guest_port},
	{"outside_port", "a number up to 65535", read_outside_port},
	{"remote_port", "a number up to 65535", read_remote_port},
	{"limit", "a number from 1 to 1000", read_limit},
	{"after", "the 'next' of an earlier answer", read_after},
	{"count", "true or false", read_count},
};
#define PARAMETER_COUNT (sizeof(parameters) / sizeof(parameters[0]))

static int read_query(
	const struct api_request *request, struct query *query, struct api_answer *ret_answer)
{
	for (unsigned int i = 0; i < request->argument_count; i++) {
		const struct api_argument *argument = &request->arguments[i];
		size_t p = 0;
		while (p < PARAMETER_COUNT && strcmp(parameters[p].name, argument->name) != 0)
			p++;
		if (p == PARAMETER_COUNT) {
			*ret_answer = api_answer_error(
				400, "'%.64s' is no argument of flows", argument->name);
			return -EINVAL;
		}
		if (parameters[p].read(query, argument->value)) {
			*ret_answer = api_answer_error(400, "%s=%.64s: must be %s",
				parameters[p].name, argument->value, parameters[p].expected);
			return -EINVAL;
		}
	}
	return 0;
}

static bool matches(const struct query *query, const struct api_flow *flow)
{
	return (!query->has_guest || flow->guest_be == query->guest_be) &&
	       (!query->has_remote || flow->remote_be == query->remote_be) &&
	       (!query->has_protocol || flow->protocol == query->protocol) &&
	       (!query->has_guest_port || flow->guest_port == query->guest_port) &&
	       (!query->has_outside_port || flow->outside_port == query->outside_port) &&
	       (!query->has_remote_port || flow->remote_port == query->remote_port);
}

static json_t *protocol_json(uint8_t number)
{
	for (size_t i = 0; i < PROTOCOL_COUNT; i++)
		if (protocols[i].number == number)
			return json_string(protocols[i].name);
	return json_sprintf("%u", number);
}

static json_t *flow_json(const struct api_flow *flow)
{
	return json_pack("{s:o, s:s, s:s, s:o, s:i, s:o, s:i, s:o, s:i, s:I, s:I, s:I, s:I}",
		"protocol", protocol_json(flow->protocol), "state", flow->state, "opened",
		flow->inbound ? "in" : "out", "guest", api_json_ipv4(flow->guest_be), "guest_port",
		(int)flow->guest_port, "outside", api_json_ipv4(flow->outside_be), "outside_port",
		(int)flow->outside_port, "remote", api_json_ipv4(flow->remote_be), "remote_port",
		(int)flow->remote_port, "bytes_out", (json_int_t)flow->bytes_out, "bytes_in",
		(json_int_t)flow->bytes_in, "age_s", (json_int_t)flow->age_s, "expires_s",
		(json_int_t)flow->expires_s);
}

/* Walks from *cursor on; appends up to query->limit flows to `list`, and counts in *count. */
static int collect(const struct api_network *network, const struct query *query, uint32_t *cursor,
	json_t *list, uint64_t *count, char *error)
{
	struct api_flow flows[PIECE];
	unsigned int found;

	while (*cursor != UINT32_MAX) {
		int result =
			network->ops->flows(network->context, cursor, flows, PIECE, &found, error);
		if (result)
			return result;
		for (unsigned int i = 0; i < found; i++) {
			if (!matches(query, &flows[i]))
				continue;
			if (!query->count_only && *count == query->limit) {
				*cursor = flows[i].number;
				return 0;
			}
			++*count;
			if (!query->count_only)
				json_array_append_new(list, flow_json(&flows[i]));
		}
	}
	return 0;
}

struct api_answer api_flows_get(
	const struct api_network *network, const struct api_request *request)
{
	struct query query = {.limit = LIMIT_DEFAULT};
	char error[API_ERROR_CAPACITY];
	struct api_answer answer;
	uint64_t count = 0;

	if (read_query(request, &query, &answer))
		return answer;
	uint32_t cursor = query.after;
	json_t *list = json_array();
	int result = collect(network, &query, &cursor, list, &count, error);
	if (result) {
		json_decref(list);
		return api_answer_errno(result, error);
	}
	if (query.count_only) {
		json_decref(list);
		return api_answer_json(200, json_pack("{s:I}", "count", (json_int_t)count));
	}
	return api_answer_json(
		200, json_pack("{s:o, s:o}", "flows", list, "next",
			     cursor == UINT32_MAX ? json_null() : json_integer(cursor)));
}
