/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/run/network_view.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "backend/options_value.h"
#include "control/client.h"

_Static_assert(PLAN_ERROR_SIZE >= CLIENT_ERROR_CAPACITY, "its errors fit into ours");

/* Reads /v1/status. */
static int read_status(const char *name, struct network_view *view, char *error)
{
	json_t *status = NULL;
	const char *gateway, *tap;
	int r = client_json(name, "GET", "/v1/status", NULL, &status, error);

	if (r < 0)
		return r;
	gateway = json_string_value(json_object_get(status, "gateway"));
	if (gateway && strlen(gateway) < INET_ADDRSTRLEN) {
		snprintf(view->standing.host_ip, sizeof(view->standing.host_ip), "%s/%d", gateway,
			(int)json_integer_value(json_object_get(status, "prefix")));
		tap = json_string_value(json_object_get(status, "tap"));
		snprintf(view->standing.tap, sizeof(view->standing.tap), "%s", tap ? tap : "");
		view->monitor = (pid_t)json_integer_value(json_object_get(status, "monitor_pid"));
	} else {
		snprintf(error, PLAN_ERROR_SIZE, "the network %s does not tell its gateway", name);
		r = -EPROTO;
	}
	json_decref(status);
	return r;
}

/* Reads /v1/ports. */
static int read_ports(const char *name, struct network_view *view, char *error)
{
	json_t *answer = NULL, *port;
	size_t i;
	int r = client_json(name, "GET", "/v1/ports", NULL, &answer, error);

	if (r < 0)
		return r;
	json_array_foreach(json_object_get(answer, "ports"), i, port)
	{
		const char *mac = json_string_value(json_object_get(port, "mac"));
		const char *ip = json_string_value(json_object_get(port, "ip"));
		struct plan_taken *taken;

		if (view->taken_count == OPTIONS_SOCKETS_MAX)
			break;
		taken = &view->taken[view->taken_count++];
		taken->has_mac = mac && options_read_mac(mac, taken->mac) == 0;
		if (!ip || options_read_ipv4(ip, &taken->ip_be) < 0)
			taken->ip_be = 0;
	}
	json_decref(answer);
	return 0;
}

int network_view_read(const char *name, struct network_view *ret_view, char *error)
{
	struct network_view view = {0};
	int r = read_status(name, &view, error);

	if (r == 0)
		r = read_ports(name, &view, error);
	if (r < 0)
		return r;
	*ret_view = view;
	return 0;
}

int network_view_plan(const struct network_view *view, const struct plan_wishes *wishes,
	const char *backend_path, struct plan *ret_plan, char *error)
{
	struct plan_wishes there;

	if (wishes->forward_count) {
		snprintf(error, PLAN_ERROR_SIZE,
			"the network %s runs already: add forwards to it with 'chnet forward add'",
			wishes->network);
		return -EEXIST;
	}
	int r = standing_adopt(&view->standing, wishes, &there, error);
	if (r < 0)
		return r;
	return plan_make(&there, backend_path, view->taken, view->taken_count, ret_plan, error);
}
