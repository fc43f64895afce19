/* SPDX-License-Identifier: BSD-3-Clause */
/* Which handler a request is for: 404 for an unknown path, 405 for a method that it has not. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "control/api/handlers.h"

typedef struct api_answer handler(
	const struct api_network *network, const struct api_request *request);

/* A path that ends with '/' has an item's name behind it. */
static const struct route {
	const char *path;
	const char *method;
	const char *allow; /* all methods of this path */
	handler *handle;
} routes[] = {
	{"/v1/status", "GET", "GET", api_status_get},
	{"/v1/ports", "GET", "GET, POST", api_ports_get},
	{"/v1/ports", "POST", "GET, POST", api_ports_post},
	{"/v1/ports/", "DELETE", "DELETE", api_ports_delete},
	{"/v1/flows", "GET", "GET", api_flows_get},
	{"/v1/forwards", "GET", "GET, POST", api_forwards_get},
	{"/v1/forwards", "POST", "GET, POST", api_forwards_post},
	{"/v1/forwards/", "DELETE", "DELETE", api_forwards_delete},
	{"/v1/counters", "GET", "GET", api_counters_get},
	{"/v1/log-level", "GET", "GET, PUT", api_log_level_get},
	{"/v1/log-level", "PUT", "GET, PUT", api_log_level_put},
	{"/metrics", "GET", "GET", api_metrics_get},
};

/* What of `path` is left behind the route's; NULL when it is another path. */
static const char *match(const struct route *route, const char *path)
{
	size_t length = strlen(route->path);

	if (strncmp(path, route->path, length) != 0)
		return NULL;
	bool is_item = route->path[length - 1] == '/';
	return is_item == (path[length] != 0) ? path + length : NULL;
}

void api_handle(const struct api_network *network, const struct api_request *request,
	struct api_answer *ret_answer)
{
	struct api_request routed = *request;
	const char *allow = NULL;

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		routed.rest = match(&routes[i], request->path);
		if (!routed.rest)
			continue;
		allow = routes[i].allow;
		if (strcmp(request->method, routes[i].method) != 0)
			continue;
		if (request->argument_count && routes[i].handle != api_flows_get) {
			*ret_answer = api_answer_error(
				400, "%s takes no arguments after '?'", routes[i].path);
			return;
		}
		*ret_answer = routes[i].handle(network, &routed);
		return;
	}
	if (allow) {
		*ret_answer = api_answer_error(
			405, "%.16s is no method of this path: use %s", request->method, allow);
		ret_answer->allow = allow;
	} else {
		*ret_answer = api_answer_error(404,
			"there is no path '%.64s' here: docs/api.md lists all of them",
			request->path);
	}
}
