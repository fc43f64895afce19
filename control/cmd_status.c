/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <stdio.h>

#include "control/client.h"
#include "control/command.h"
#include "control/usage.h"

struct values {
	const char *name;
	bool json;
};

static const struct usage_option options[] = {
	{"--name", "NET", "the network's name [default]", USAGE_TEXT,
		offsetof(struct values, name)},
	{"--json", NULL, "print what the API said", USAGE_FLAG, offsetof(struct values, json)},
	{0},
};

static const struct usage usage = {
	.verb = "status",
	.description = "Shows what a network is and how it does.",
	.options = options,
};

int cmd_status(int argc, char *argv[])
{
	struct values values = {.name = "default"};
	char error[CLIENT_ERROR_CAPACITY];
	json_t *status = NULL;
	const char *key;
	json_t *value;

	int code = usage_read(&usage, argc, argv, &values, NULL);
	if (code != USAGE_GO_ON)
		return code;
	if (client_json(values.name, "GET", "/v1/status", NULL, &status, error) < 0)
		return command_fail("%s", error);
	if (values.json) {
		json_dumpf(status, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		json_object_foreach(status, key, value)
		{
			printf("%-12s ", key);
			json_dumpf(value, stdout, JSON_ENCODE_ANY);
			putchar('\n');
		}
	}
	json_decref(status);
	return COMMAND_OK;
}
