/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/api/handlers.h"

struct api_answer api_log_level_get(
	const struct api_network *network, const struct api_request *request)
{
	return api_answer_json(
		200, json_pack("{s:s}", "log_level", network->ops->log_level(network->context)));
}

struct api_answer api_log_level_put(
	const struct api_network *network, const struct api_request *request)
{
	static const char *const names[] = {"log_level", NULL};
	char error[API_ERROR_CAPACITY];
	struct api_answer answer;

	json_t *object = api_request_object(request, &answer);
	if (!object)
		return answer;
	const char *level = json_string_value(json_object_get(object, "log_level"));
	if (api_request_members(object, names, &answer) == 0) {
		int result =
			level ? network->ops->log_level_set(network->context, level, error) : 0;
		if (!level)
			answer = api_answer_error(400, "'log_level' must be \"error\", "
						       "\"warning\", \"info\" or \"debug\"");
		else
			answer = result ? api_answer_errno(result, error)
					: api_log_level_get(network, request);
	}
	json_decref(object);
	return answer;
}
