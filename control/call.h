/* SPDX-License-Identifier: BSD-3-Clause */
/* What verbs share that are one call of the API of a network that runs. */
#pragma once

#include <jansson.h>

#include "control/usage.h"

/* Options of a verb that shows something (--name, --json), and of one that changes something
 * (--name); for its struct usage. */
extern const struct usage_option call_show_options[];
extern const struct usage_option call_change_options[];

/*
 * A verb with call_show_options and no operand: reads its command line, gets `path`, and prints the
 * answer by `show`, or as it is with --json. Returns the exit code; complains itself.
 */
int call_show(const struct usage *usage, int argc, char *argv[], const char *path,
	int (*show)(const json_t *answer));

/*
 * Reads the command line of a verb with call_change_options and one operand. Returns USAGE_GO_ON,
 * or the exit code to end with.
 */
int call_read(const struct usage *usage, int argc, char *argv[], const char **ret_network,
	const char **ret_operand);

/* Asks for a change; `body` is JSON or NULL. Returns the exit code; complains itself. */
int call_change(const char *network, const char *method, const char *path, const json_t *body);
