/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/call.h"

#include <stdbool.h>

#include "control/client.h"
#include "control/command.h"
#include "control/output.h"

struct values {
	const char *name;
	bool json;
};

const struct usage_option call_show_options[] = {
	USAGE_NETWORK(struct values, name),
	USAGE_JSON(struct values, json),
	{0},
};

const struct usage_option call_change_options[] = {
	USAGE_NETWORK(struct values, name),
	{0},
};

int call_show(const struct usage *usage, int argc, char *argv[], const char *path,
	int (*show)(const json_t *answer))
{
	struct values values = {.name = USAGE_NETWORK_DEFAULT};
	char error[CLIENT_ERROR_CAPACITY];
	json_t *answer = NULL;

	int code = usage_read(usage, argc, argv, &values, NULL);
	if (code != USAGE_GO_ON)
		return code;
	if (client_json(values.name, "GET", path, NULL, &answer, error) < 0)
		return command_fail("%s", error);
	code = values.json ? output_json(answer) : show(answer);
	json_decref(answer);
	return code;
}

int call_read(const struct usage *usage, int argc, char *argv[], const char **ret_network,
	const char **ret_operand)
{
	struct values values = {.name = USAGE_NETWORK_DEFAULT};
	struct usage_operands operands = {0};

	int code = usage_read(usage, argc, argv, &values, &operands);
	if (code != USAGE_GO_ON)
		return code;
	*ret_network = values.name;
	*ret_operand = operands.texts[0];
	return code;
}

int call_change(const char *network, const char *method, const char *path, const json_t *body)
{
	char error[CLIENT_ERROR_CAPACITY];
	json_t *answer = NULL;

	int result = client_json(network, method, path, body, &answer, error);
	json_decref(answer);
	return result < 0 ? command_fail("%s", error) : COMMAND_OK;
}
