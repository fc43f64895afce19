/* SPDX-License-Identifier: BSD-3-Clause */
/* chnet: the command that people type. The table is all there is to it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/command.h"

static const struct command commands[] = {
	{"run", cmd_run, "run a VM with a network"},
	{"setup", cmd_setup, "set a network up once, for VMs of a user without rights"},
	{"cleanup", cmd_cleanup, "take away what setup made, and what killed networks left"},
	{"doctor", cmd_doctor, "what keeps a guest from its network, and what mends it"},
	{"selftest", cmd_selftest, "whether the network of a VM works here, and how fast"},
	{"status", cmd_status, "what a network is and how it does (vhost-user)"},
	{"ports", cmd_ports, "its ports, one guest each (vhost-user)"},
	{"port", cmd_port, "add | del: ports while it runs (vhost-user)"},
	{"flows", cmd_flows, "what its NAT translates (vhost-user)"},
	{"forward", cmd_forward, "add | del | list: host ports that lead to guests (vhost-user)"},
	{"version", cmd_version, "the version of this program"},
	{NULL, NULL, NULL},
};

static void help(void)
{
	puts("Usage: chnet VERB [ARGUMENT ...]\n"
	     "Networks Cloud Hypervisor guests from user space.\n\n"
	     "Verbs:");
	command_list(commands);
	puts("\n'chnet VERB --help' tells more about one of them.");
}

/* What was printed must have arrived: a full disk is a failure. */
static int finish(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	return code ? code : command_fail("cannot write to standard output");
}

int main(int argc, char *argv[])
{
	const char *name = argc > 1 ? argv[1] : "--help";
	static char wish[] = "--help";

	/* "help VERB ..." is "VERB ... --help". */
	if (strcmp(name, "help") == 0) {
		memmove(argv + 1, argv + 2, (size_t)(argc - 2) * sizeof(*argv));
		argv[argc - 1] = wish;
		name = argv[1];
	}
	const struct command *command = command_find(commands, name);

	if (command)
		return finish(command->function(argc - 1, argv + 1));
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		help();
		return finish(COMMAND_OK);
	}
	if (strcmp(name, "--version") == 0)
		return finish(cmd_version(1, argv));
	command_fail("%s: no such verb: 'chnet --help' lists all of them", name);
	return COMMAND_USAGE;
}
