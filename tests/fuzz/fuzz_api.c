/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests of any kind at the API's handlers. The first bytes choose a method and a path (a real
 * one, or bytes of the input), lines of the rest are arguments, and what is left is the body.
 *
 * Whatever comes: an answer with a status that the API has; JSON, but for /metrics; an error with
 * one sentence; and no change of the network unless the answer says that it was made.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/check.h"
#include "tests/unit/control/api_double.h"

static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "HEAD", "", "get"};
static const char *const paths[] = {"/v1/status", "/v1/ports", "/v1/ports/", "/v1/flows",
	"/v1/forwards", "/v1/forwards/", "/v1/counters", "/v1/log-level", "/metrics", ""};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Cuts one line off; terminated. */
static char *take_line(char **rest)
{
	char *line = *rest, *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*end = 0;
	*rest = end + 1;
	return line;
}

static void check_answer(const struct api_answer *answer, const struct api_double *twin)
{
	CHECK(answer->status >= 200 && answer->status < 600);
	if (answer->status == 204) {
		CHECK(!answer->body);
		return;
	}
	CHECK(answer->type && answer->body && answer->size == strlen(answer->body));
	if (strcmp(answer->type, "application/json") != 0)
		return;
	json_t *json = json_loadb(answer->body, answer->size, 0, NULL);
	CHECK(json_is_object(json));
	const char *error = json_string_value(json_object_get(json, "error"));
	CHECK(!error == (answer->status < 300));
	CHECK(!error || (*error && !strchr(error, '\n')));
	if (answer->status >= 400)
		CHECK(!twin->asked[0] || twin->refuse);
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct api_double twin = {.flow_count = 300, .level = "info"};
	const struct api_network network = api_double_network(&twin);
	struct api_request request = {0};
	char path[256] = "";
	struct api_answer answer = {0};

	if (size < 4)
		return 0;
	char *text = malloc(size - 3), *rest = text;
	memcpy(text, data + 4, size - 4);
	text[size - 4] = 0;
	request.method = methods[data[0] % COUNT(methods)];
	strcpy(path, paths[data[1] % COUNT(paths)]);
	twin.refuse = data[2] & 1 ? -22 : 0;
	twin.no_nat = data[2] & 2;
	const char *more = data[2] & 4 ? take_line(&rest) : NULL;
	if (more)
		strncat(path, more, sizeof(path) - strlen(path) - 1);
	request.path = path;
	for (unsigned int i = 0; i < data[3] % (API_ARGUMENTS_MAX + 1); i++) {
		char *line = take_line(&rest);
		if (!line)
			break;
		char *equals = strchr(line, '=');
		if (equals)
			*equals = 0;
		request.arguments[request.argument_count++] =
			(struct api_argument){.name = line, .value = equals ? equals + 1 : ""};
	}
	request.body = rest;
	request.body_size = size - 4 - (size_t)(rest - text);

	api_handle(&network, &request, &answer);
	check_answer(&answer, &twin);
	api_answer_free(&answer);
	free(text);
	return 0;
}
