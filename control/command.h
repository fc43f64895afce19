/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The verbs of `chnet`: one file each (cmd_NAME.c), one function each, called with argv[0] the
 * verb's name. Results go to standard output, complaints to standard error.
 *
 * A verb declares its command line in a struct usage (usage.h), from which --help is made; so the
 * manual pages and the completion can be checked against `chnet VERB --help`.
 */
#pragma once

/* Exit codes of every verb that has no others of its own (`run` ends as the guest's VMM does). */
enum command_exit {
	COMMAND_OK = 0,
	COMMAND_FAILED = 1, /* one line on standard error says why */
	COMMAND_USAGE = 2,  /* the command line was wrong */
};

/* One line of a table of verbs; the last one has no name. */
struct command {
	const char *name;
	int (*function)(int argc, char *argv[]);
	const char *description; /* one line, no full stop */
};

/* The verb of that name, or NULL. */
const struct command *command_find(const struct command table[], const char *name);

/* Prints the table's verbs, one line each. */
void command_list(const struct command table[]);

/*
 * A verb that is a group of others ("port add"): runs the one that argv[1] names. `group` is its
 * name for messages, `description` the first line of its --help.
 */
int command_group(const struct command table[], const char *group, const char *description,
	int argc, char *argv[]);

/* Prints one line "chnet: …" on standard error and returns COMMAND_FAILED. */
int command_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

int cmd_flows(int argc, char *argv[]);
int cmd_forward(int argc, char *argv[]);
int cmd_port(int argc, char *argv[]);
int cmd_ports(int argc, char *argv[]);
int cmd_cleanup(int argc, char *argv[]);
int cmd_doctor(int argc, char *argv[]);
int cmd_run(int argc, char *argv[]);
int cmd_selftest(int argc, char *argv[]);
int cmd_setup(int argc, char *argv[]);
int cmd_status(int argc, char *argv[]);
int cmd_version(int argc, char *argv[]);
