/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/api/request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Deeper JSON than any of ours is refused by jansson itself (JSON_PARSER_MAX_DEPTH). */
#define TEXT_CAPACITY 1024

void api_answer_free(struct api_answer *answer)
{
	free(answer->body);
	answer->body = NULL;
	answer->size = 0;
}

struct api_answer api_answer_json(int status, json_t *json)
{
	struct api_answer answer = {.status = status, .type = "application/json"};

	answer.body = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	json_decref(json);
	if (answer.body)
		answer.size = strlen(answer.body);
	else
		answer.status = 500;
	return answer;
}

json_t *api_json_text(const char *text)
{
	json_t *json = json_string(text);
	char *copy = json ? NULL : strdup(text);

	if (!copy)
		return json;
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	json = json_string(copy);
	free(copy);
	return json;
}

struct api_answer api_answer_error(int status, const char *format, ...)
{
	char text[TEXT_CAPACITY];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return api_answer_json(status, json_pack("{s:o}", "error", api_json_text(text)));
}

struct api_answer api_answer_errno(int error, const char *sentence)
{
	static const struct {
		int error;
		int status;
	} table[] = {
		{-EINVAL, 400},
		{-EPERM, 403},
		{-EACCES, 403},
		{-ENOENT, 404},
		{-EEXIST, 409},
		{-EADDRINUSE, 409},
		{-EBUSY, 409},
		{-ENOSPC, 409},
		{-EOPNOTSUPP, 409},
		{-ETIMEDOUT, 503},
	};
	int status = 500;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].error == error)
			status = table[i].status;
	return api_answer_error(status, "%s", sentence);
}

json_t *api_request_object(const struct api_request *request, struct api_answer *ret_answer)
{
	json_error_t error;

	if (!request->body_size) {
		*ret_answer = api_answer_error(400, "the request has no body: send a JSON object");
		return NULL;
	}
	json_t *json =
		json_loadb(request->body, request->body_size, JSON_REJECT_DUPLICATES, &error);
	if (!json) {
		*ret_answer = api_answer_error(400, "the body is no JSON (line %d, column %d): %s",
			error.line, error.column, error.text);
		return NULL;
	}
	if (json_is_object(json))
		return json;
	json_decref(json);
	*ret_answer = api_answer_error(400, "the body is JSON, but no object: write {...}");
	return NULL;
}

int api_request_members(
	const json_t *object, const char *const names[], struct api_answer *ret_answer)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		const char *const *name = names;
		while (*name && strcmp(*name, key) != 0)
			name++;
		if (*name)
			continue;
		*ret_answer = api_answer_error(400, "'%.64s' is no member that is known here", key);
		return -EINVAL;
	}
	return 0;
}

json_t *api_json_ipv4(uint32_t address_be)
{
	char text[INET_ADDRSTRLEN];

	if (!address_be)
		return json_null();
	inet_ntop(AF_INET, &address_be, text, sizeof(text));
	return json_string(text);
}
