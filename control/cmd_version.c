/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include "control/command.h"
#include "control/usage.h"

static const struct usage usage = {
	.verb = "version",
	.description = "Prints the version of this program.",
};

int cmd_version(int argc, char *argv[])
{
	int code = usage_read(&usage, argc, argv, NULL, NULL);

	if (code != USAGE_GO_ON)
		return code;
	puts("chnet " CHNET_VERSION);
	return COMMAND_OK;
}
