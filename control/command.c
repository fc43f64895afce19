/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct command *command_find(const struct command table[], const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

void command_list(const struct command table[])
{
	for (; table->name; table++)
		printf("  %-10s %s\n", table->name, table->description);
}

int command_fail(const char *format, ...)
{
	va_list arguments;

	fputs("chnet: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return COMMAND_FAILED;
}

int command_group(const struct command table[], const char *group, const char *description,
	int argc, char *argv[])
{
	const char *name = argc > 1 ? argv[1] : "--help";
	const struct command *command = command_find(table, name);

	if (command)
		return command->function(argc - 1, argv + 1);
	if (strcmp(name, "--help") == 0) {
		printf("Usage: chnet %s VERB [ARGUMENT ...]\n%s.\n\nVerbs:\n", group, description);
		command_list(table);
		printf("\n'chnet %s VERB --help' tells more about one of them.\n", group);
		return COMMAND_OK;
	}
	command_fail(
		"%s %s: no such verb: 'chnet %s --help' lists all of them", group, name, group);
	return COMMAND_USAGE;
}
