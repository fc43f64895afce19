/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <stdio.h>

#include "control/client.h"
#include "control/command.h"
#include "control/host/run_path.h"
#include "control/run/leftovers.h"
#include "control/usage.h"

struct values {
	const char *name;
};

static const struct usage_option options[] = {
	{"--name", "NET", "the network whose set-up is taken away [default]", USAGE_TEXT,
		offsetof(struct values, name)},
	{0},
};

static const struct usage usage = {
	.verb = "cleanup",
	.description =
		"Takes away what 'chnet setup' made, exactly, whatever networks left that were\n"
		"killed, and the leases of networks that have ended. Networks that run, and\n"
		"what others need, stay.",
	.options = options,
};

int cmd_cleanup(int argc, char *argv[])
{
	struct values values = {.name = "default"};
	char directory[512], error[CLIENT_ERROR_CAPACITY];
	unsigned int count;

	int code = usage_read(&usage, argc, argv, &values, NULL);
	if (code != USAGE_GO_ON)
		return code;
	if (client_check_name(values.name, error) < 0)
		return usage_refuse(&usage, "%s", error);
	if (run_path(directory, sizeof(directory), error, sizeof(error)) < 0 ||
		leftovers_remove(directory, values.name, stdout, &count, error, sizeof(error)) < 0)
		return command_fail("%s", error);
	if (count == 0)
		puts("nothing to remove");
	return COMMAND_OK;
}
