/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/client.h"
#include "control/command.h"
#include "control/host/host_record.h"
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

/* Whether root has set that network up; a user cannot take it away. */
static bool is_roots(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), RUN_PATH_ROOT "/%s" HOST_RECORD_SUFFIX, name);
	return geteuid() != 0 && access(path, F_OK) == 0;
}

int cmd_cleanup(int argc, char *argv[])
{
	struct values values = {.name = "default"};
	char directory[512], error[CLIENT_ERROR_CAPACITY];
	unsigned int count = 0;

	int code = usage_read(&usage, argc, argv, &values, NULL);
	if (code != USAGE_GO_ON)
		return code;
	if (client_check_name(values.name, error) < 0)
		return usage_refuse(&usage, "%s", error);
	bool named = strcmp(values.name, "default") != 0;
	bool roots = is_roots(values.name);
	int r = run_path(directory, sizeof(directory), error, sizeof(error));
	bool has_own = r == 0;
	if (r == 0)
		r = leftovers_remove(directory, values.name, stdout, &count, error, sizeof(error));
	/* A user without a run directory has nothing else to take away. */
	if (r < 0 && (has_own || !roots))
		return command_fail("%s", error);
	if (roots)
		return command_fail("the network %s was set up by root: sudo chnet cleanup%s%s",
			values.name, named ? " --name " : "", named ? values.name : "");
	if (count == 0)
		puts("nothing to remove");
	return COMMAND_OK;
}
