/* SPDX-License-Identifier: BSD-3-Clause */
/* chnet port add | del */
#include <stdbool.h>
#include <stdio.h>

#include "control/call.h"
#include "control/client.h"
#include "control/command.h"
#include "control/number.h"
#include "control/output.h"
#include "control/usage.h"

struct add_values {
	const char *name;
	const char *mac;
	const char *ip;
	const char *hostname;
	const char *profile;
	const char *mode;
	bool ctrl_vq;
	bool json;
};

static const struct usage_option add_options[] = {
	USAGE_NETWORK(struct add_values, name),
	{"--mac", "MAC", "the only MAC address that the guest may use", USAGE_TEXT,
		offsetof(struct add_values, mac)},
	{"--ip", "ADDRESS", "the only IPv4 address that the guest may use", USAGE_TEXT,
		offsetof(struct add_values, ip)},
	{"--hostname", "NAME", "the guest's name, for other guests and DHCP", USAGE_TEXT,
		offsetof(struct add_values, hostname)},
	{"--profile", "PROFILE", "auto, redox or full: what is kept from it [auto]", USAGE_TEXT,
		offsetof(struct add_values, profile)},
	{"--mode", "MODE", "VMM's: client: connects; server: listens [client]", USAGE_TEXT,
		offsetof(struct add_values, mode)},
	{"--ctrl-vq", NULL, "offer a control queue, which the VMM must serve", USAGE_FLAG,
		offsetof(struct add_values, ctrl_vq)},
	USAGE_JSON(struct add_values, json),
	{0},
};

static const struct usage add_usage = {
	.verb = "port add",
	.operands = "[SOCKET]",
	.operands_max = 1,
	.description =
		"Adds a port for one more guest while the network runs, and prints its number\n"
		"and its vhost-user socket, to which the guest's VMM can connect at once, or at\n"
		"which it listens. Without SOCKET the network chooses a path in its run\n"
		"directory.",
	.options = add_options,
	.examples = "  chnet port add --mac 52:54:00:12:34:57 --ip 172.16.0.3",
};

static int add(int argc, char *argv[])
{
	struct add_values values = {.name = USAGE_NETWORK_DEFAULT};
	struct usage_operands operands = {0};
	char error[CLIENT_ERROR_CAPACITY];
	json_t *answer = NULL;

	int code = usage_read(&add_usage, argc, argv, &values, &operands);
	if (code != USAGE_GO_ON)
		return code;
	json_t *body = json_pack("{s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:b}", "socket",
		operands.count ? operands.texts[0] : NULL, "mac", values.mac, "ip", values.ip,
		"hostname", values.hostname, "profile", values.profile, "mode", values.mode,
		"ctrl_vq", values.ctrl_vq);
	if (!body)
		return command_fail("port add: what you wrote is no UTF-8");
	int result = client_json(values.name, "POST", "/v1/ports", body, &answer, error);
	json_decref(body);
	if (result < 0)
		return command_fail("%s", error);
	if (values.json)
		code = output_json(answer);
	else
		code = printf("port %lld: %s\n", (long long)output_member_number(answer, "port"),
			       output_member_text(answer, "socket")) < 0
			       ? COMMAND_FAILED
			       : COMMAND_OK;
	json_decref(answer);
	return code;
}

static const struct usage del_usage = {
	.verb = "port del",
	.operands = "PORT",
	.operands_min = 1,
	.operands_max = 1,
	.description =
		"Takes a port away while the network runs: its guest is cut off at once, the\n"
		"others do not notice. 'chnet ports' shows the numbers.",
	.options = call_change_options,
};

static int del(int argc, char *argv[])
{
	const char *network, *text;
	char path[64];
	uint32_t number;

	int code = call_read(&del_usage, argc, argv, &network, &text);
	if (code != USAGE_GO_ON)
		return code;
	if (number_read(text, 0, UINT32_MAX, &number) < 0)
		return usage_refuse(&del_usage, "%s: not a number: 'chnet ports' shows them", text);
	snprintf(path, sizeof(path), "/v1/ports/%u", number);
	return call_change(network, "DELETE", path, NULL);
}

static const struct command verbs[] = {
	{"add", add, "a port for one more guest"},
	{"del", del, "take a port away"},
	{NULL, NULL, NULL},
};

int cmd_port(int argc, char *argv[])
{
	return command_group(
		verbs, "port", "Adds and deletes ports while a network runs", argc, argv);
}
