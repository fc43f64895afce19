/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/handlers.h"
#include "control/number.h"

static json_t *mac_json(const uint8_t m[6])
{
	return json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static json_t *hostname_json(const char *name)
{
	return *name ? api_json_text(name) : json_null();
}

static json_t *leases_json(const struct api_port *port)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < port->lease_count; i++) {
		const struct api_lease *lease = &port->leases[i];
		json_array_append_new(list,
			json_pack("{s:o, s:o, s:o, s:I}", "ip", api_json_ipv4(lease->ip_be), "mac",
				mac_json(lease->mac), "hostname", hostname_json(lease->hostname),
				"expires_s", (json_int_t)lease->expires_s));
	}
	return list;
}

static json_t *port_json(const struct api_port *port)
{
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:s, s:b, s:s, s:b, s:b, s:b, s:I, s:I, s:I, "
			 "s:I, s:I, s:o}",
		"port", (int)port->port, "socket", api_json_text(port->socket), "mac",
		port->has_mac ? mac_json(port->mac) : json_null(), "ip", api_json_ipv4(port->ip_be),
		"hostname", hostname_json(port->hostname), "profile", port->profile, "ctrl_vq",
		port->ctrl_vq, "mode", port->mode, "connected", port->connected, "receiving",
		port->receiving, "sending", port->sending, "rx_packets",
		(json_int_t)port->rx_packets, "rx_bytes", (json_int_t)port->rx_bytes, "tx_packets",
		(json_int_t)port->tx_packets, "tx_bytes", (json_int_t)port->tx_bytes, "drops",
		(json_int_t)port->drops, "leases", leases_json(port));
}

struct api_answer api_ports_get(
	const struct api_network *network, const struct api_request *request)
{
	json_t *list = json_array();
	struct api_port port;

	for (unsigned int from = 0; network->ops->port(network->context, from, &port) == 0;
		from = port.port + 1)
		json_array_append_new(list, port_json(&port));
	return api_answer_json(200, json_pack("{s:o}", "ports", list));
}

/* Settings of a new port, in the order in which they are written: chnet-vhost's --socket. */
static const struct setting {
	const char *member;
	const char *key; /* with what goes before the value */
	bool is_switch;	 /* of JSON true or false; else text */
} settings[] = {
	{"socket", "", false},
	{"mac", ",mac=", false},
	{"ip", ",ip=", false},
	{"hostname", ",hostname=", false},
	{"profile", ",profile=", false},
	{"ctrl_vq", ",ctrl-vq=", true},
	{"mode", ",mode=", false},
};
#define SETTING_COUNT (sizeof(settings) / sizeof(settings[0]))

/* The text that a member stands for; NULL when it is of the wrong kind. */
static const char *setting_text(const struct setting *setting, const json_t *value)
{
	if (setting->is_switch)
		return json_is_boolean(value) ? (json_is_true(value) ? "on" : "off") : NULL;
	const char *text = json_string_value(value);
	/* A comma would begin another setting; jansson takes no zero byte within. */
	return text && *text && !strchr(text, ',') ? text : NULL;
}

/* Writes what `object` says as one text. False with *ret_answer set when it cannot be. */
static bool write_spec(
	const json_t *object, char spec[API_SPEC_CAPACITY], struct api_answer *ret_answer)
{
	size_t length = 0;

	spec[0] = 0;
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		const struct setting *setting = &settings[i];
		const json_t *value = json_object_get(object, setting->member);
		if (!value || json_is_null(value))
			continue;
		const char *text = setting_text(setting, value);
		if (!text) {
			*ret_answer = api_answer_error(400, "'%s' must be %s", setting->member,
				setting->is_switch ? "true or false"
						   : "a text that is not empty and without commas");
			return false;
		}
		length += (size_t)snprintf(
			spec + length, API_SPEC_CAPACITY - length, "%s%s", setting->key, text);
		if (length >= API_SPEC_CAPACITY) {
			*ret_answer = api_answer_error(400, "'%s' is too long", setting->member);
			return false;
		}
	}
	/* The network chooses a path. */
	if (!length)
		snprintf(spec, API_SPEC_CAPACITY, ",");
	return true;
}

struct api_answer api_ports_post(
	const struct api_network *network, const struct api_request *request)
{
	const char *names[SETTING_COUNT + 1] = {NULL};
	char spec[API_SPEC_CAPACITY], error[API_ERROR_CAPACITY];
	struct api_answer answer;
	struct api_port port;
	unsigned int number;

	for (size_t i = 0; i < SETTING_COUNT; i++)
		names[i] = settings[i].member;
	json_t *object = api_request_object(request, &answer);
	if (!object)
		return answer;
	bool good = api_request_members(object, names, &answer) == 0 &&
		    write_spec(object, spec, &answer);
	json_decref(object);
	if (!good)
		return answer;
	int result = network->ops->port_add(network->context, spec, &number, error);
	if (result)
		return api_answer_errno(result, error);
	result = network->ops->port(network->context, number, &port);
	if (result)
		return api_answer_error(500, "the new port has gone again");
	return api_answer_json(201, port_json(&port));
}

struct api_answer api_ports_delete(
	const struct api_network *network, const struct api_request *request)
{
	char error[API_ERROR_CAPACITY];
	uint32_t number;

	if (number_read(request->rest, 0, INT32_MAX, &number))
		return api_answer_error(
			400, "'%.32s' is no port: write its number, as /v1/ports/0", request->rest);
	int result = network->ops->port_remove(network->context, number, error);
	if (result)
		return api_answer_errno(result, error);
	return (struct api_answer){.status = 204};
}
