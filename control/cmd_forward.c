/* SPDX-License-Identifier: BSD-3-Clause */
/* chnet forward add | del | list */
#include <curl/curl.h>
#include <stdio.h>

#include "control/call.h"
#include "control/command.h"
#include "control/output.h"

#define SPEC_HELP                                                                          \
	"SPEC is PROTOCOL:[ADDRESS:]PORT[-PORT]=GUEST:PORT[-PORT], as for chnet-vhost's\n" \
	"--forward."

static const struct usage add_usage = {
	.verb = "forward add",
	.operands = "SPEC",
	.operands_min = 1,
	.operands_max = 1,
	.description = "Leads ports of the host to a guest, at once.\n" SPEC_HELP,
	.options = call_change_options,
	.examples = "  chnet forward add tcp:8080=172.16.0.2:80\n"
		    "  chnet forward add udp:5000-5010=172.16.0.2:5000-5010",
};

static int add(int argc, char *argv[])
{
	const char *network, *spec;

	int code = call_read(&add_usage, argc, argv, &network, &spec);
	if (code != USAGE_GO_ON)
		return code;
	json_t *body = json_pack("{s:s}", "forward", spec);
	if (!body)
		return command_fail("forward add: what you wrote is no UTF-8");
	code = call_change(network, "POST", "/v1/forwards", body);
	json_decref(body);
	return code;
}

static const struct usage del_usage = {
	.verb = "forward del",
	.operands = "SPEC",
	.operands_min = 1,
	.operands_max = 1,
	.description = "Ends a forward; connections that are there go on.\n" SPEC_HELP
		       " 'chnet forward list' shows what there is.",
	.options = call_change_options,
};

static int del(int argc, char *argv[])
{
	const char *network, *spec;
	char path[400];

	int code = call_read(&del_usage, argc, argv, &network, &spec);
	if (code != USAGE_GO_ON)
		return code;
	char *escaped = curl_easy_escape(NULL, spec, 0);
	int length = escaped ? snprintf(path, sizeof(path), "/v1/forwards/%s", escaped) : -1;
	curl_free(escaped);
	if (length < 0 || (size_t)length >= sizeof(path))
		return usage_refuse(&del_usage, "'%s' is no forward", spec);
	return call_change(network, "DELETE", path, NULL);
}

static const struct usage list_usage = {
	.verb = "forward list",
	.description = "Lists the forwards, one SPEC each line.",
	.options = call_show_options,
};

static int show(const json_t *answer)
{
	json_t *forward;
	size_t i;

	json_array_foreach(json_object_get(answer, "forwards"), i, forward)
		puts(output_member_text(forward, "forward"));
	return COMMAND_OK;
}

static int list(int argc, char *argv[])
{
	return call_show(&list_usage, argc, argv, "/v1/forwards", show);
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
