/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "control/api/handlers.h"

struct api_answer api_forwards_get(
	const struct api_network *network, const struct api_request *request)
{
	char spec[API_SPEC_CAPACITY];
	json_t *list = json_array();

	for (unsigned int i = 0; network->ops->forward(network->context, i, spec) == 0; i++)
		json_array_append_new(list, json_pack("{s:s}", "forward", spec));
	return api_answer_json(200, json_pack("{s:o}", "forwards", list));
}

struct api_answer api_forwards_post(
	const struct api_network *network, const struct api_request *request)
{
	static const char *const names[] = {"forward", NULL};
	char error[API_ERROR_CAPACITY];
	struct api_answer answer;

	json_t *object = api_request_object(request, &answer);
	if (!object)
		return answer;
	if (api_request_members(object, names, &answer))
		goto out;
	const char *spec = json_string_value(json_object_get(object, "forward"));
	if (!spec || strlen(spec) >= API_SPEC_CAPACITY) {
		answer = api_answer_error(
			400, "'forward' must be a text such as \"tcp:8080=172.16.0.2:80\"");
		goto out;
	}
	int result = network->ops->forward_add(network->context, spec, error);
	answer = result ? api_answer_errno(result, error)
			: api_answer_json(201, json_pack("{s:s}", "forward", spec));
out:
	json_decref(object);
	return answer;
}

struct api_answer api_forwards_delete(
	const struct api_network *network, const struct api_request *request)
{
	char error[API_ERROR_CAPACITY];

	if (strlen(request->rest) >= API_SPEC_CAPACITY)
		return api_answer_error(400, "that is too long for a forward");
	int result = network->ops->forward_remove(network->context, request->rest, error);
	if (result)
		return api_answer_errno(result, error);
	return (struct api_answer){.status = 204};
}
