/* SPDX-License-Identifier: BSD-3-Clause */
/* chnet forward add | del | list */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>

#include "control/client.h"
#include "control/command.h"
#include "control/output.h"
#include "control/usage.h"

#define SPEC_HELP                                                                          \
	"SPEC is PROTOCOL:[ADDRESS:]PORT[-PORT]=GUEST:PORT[-PORT], as for chnet-vhost's\n" \
	"--forward."

struct values {
	const char *name;
	bool json;
};

static const struct usage_option change_options[] = {
	USAGE_NETWORK(struct values, name),
	{0},
};

static const struct usage add_usage = {
	.verb = "forward add",
	.operands = "SPEC",
	.operands_min = 1,
	.operands_max = 1,
	.description = "Leads ports of the host to a guest, at once.\n" SPEC_HELP,
	.options = change_options,
	.examples = "  chnet forward add tcp:8080=172.16.0.2:80\n"
		    "  chnet forward add udp:5000-5010=172.16.0.2:5000-5010",
};

static int add(int argc, char *argv[])
{
	struct values values = {.name = USAGE_NETWORK_DEFAULT};
	struct usage_operands operands = {0};
	char error[CLIENT_ERROR_CAPACITY];
	json_t *answer = NULL;

	int code = usage_read(&add_usage, argc, argv, &values, &operands);
	if (code != USAGE_GO_ON)
		return code;
	json_t *body = json_pack("{s:s}", "forward", operands.texts[0]);
	if (!body)
		return command_fail("forward add: what you wrote is no UTF-8");
	int result = client_json(values.name, "POST", "/v1/forwards", body, &answer, error);
	json_decref(body);
	json_decref(answer);
	return result < 0 ? command_fail("%s", error) : COMMAND_OK;
}

static const struct usage del_usage = {
	.verb = "forward del",
	.operands = "SPEC",
	.operands_min = 1,
	.operands_max = 1,
	.description = "Ends a forward; connections that are there go on.\n" SPEC_HELP
		       " 'chnet forward list' shows what there is.",
	.options = change_options,
};

static int del(int argc, char *argv[])
{
	struct values values = {.name = USAGE_NETWORK_DEFAULT};
	struct usage_operands operands = {0};
	char error[CLIENT_ERROR_CAPACITY], path[400];
	json_t *answer = NULL;

	int code = usage_read(&del_usage, argc, argv, &values, &operands);
	if (code != USAGE_GO_ON)
		return code;
	char *escaped = curl_easy_escape(NULL, operands.texts[0], 0);
	int length = escaped ? snprintf(path, sizeof(path), "/v1/forwards/%s", escaped) : -1;
	curl_free(escaped);
	if (length < 0 || (size_t)length >= sizeof(path))
		return usage_refuse(&del_usage, "'%s' is no forward", operands.texts[0]);
	int result = client_json(values.name, "DELETE", path, NULL, &answer, error);
	json_decref(answer);
	return result < 0 ? command_fail("%s", error) : COMMAND_OK;
}

static const struct usage_option list_options[] = {
	USAGE_NETWORK(struct values, name),
	USAGE_JSON(struct values, json),
	{0},
};

static const struct usage list_usage = {
	.verb = "forward list",
	.description = "Lists the forwards, one SPEC each line.",
	.options = list_options,
};

static int list(int argc, char *argv[])
{
	struct values values = {.name = USAGE_NETWORK_DEFAULT};
	char error[CLIENT_ERROR_CAPACITY];
	json_t *answer = NULL, *forward;
	size_t i;

	int code = usage_read(&list_usage, argc, argv, &values, NULL);
	if (code != USAGE_GO_ON)
		return code;
	if (client_json(values.name, "GET", "/v1/forwards", NULL, &answer, error) < 0)
		return command_fail("%s", error);
	if (values.json) {
		code = output_json(answer);
	} else {
		code = COMMAND_OK;
		json_array_foreach(json_object_get(answer, "forwards"), i, forward)
			puts(output_member_text(forward, "forward"));
	}
	json_decref(answer);
	return code;
}

static const struct command verbs[] = {
	{"add", add, "lead ports of the host to a guest"},
	{"del", del, "end that"},
	{"list", list, "what leads where"},
	{NULL, NULL, NULL},
};

int cmd_forward(int argc, char *argv[])
{
	return command_group(verbs, "forward", "Leads ports of the host to guests", argc, argv);
}
