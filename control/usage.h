/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line of a verb, declared: its options in a table, from which both the reading and
 * --help are made.
 *
 * Conventions, the same as chnet-vhost's: options are long (--name), a value follows after a space
 * or '='; an option given twice takes its last value; options and operands may be mixed; everything
 * after "--" is an operand. A wrong command line is one line on standard error that says what to
 * write, and exit code 2. Every verb has --help.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum usage_kind {
	USAGE_FLAG,   /* bool: there or not */
	USAGE_TEXT,   /* const char *: a value, taken from argv */
	USAGE_NUMBER, /* uint32_t: a decimal number */
	USAGE_TEXTS,  /* struct usage_texts: may be given several times */
};

#define USAGE_TEXTS_MAX 64

struct usage_texts {
	const char *texts[USAGE_TEXTS_MAX]; /* from argv */
	unsigned int count;
};

/* One option; the last one of a table has no name. */
struct usage_option {
	const char *name;  /* with its dashes */
	const char *value; /* what --help calls its value; NULL for USAGE_FLAG */
	const char *help;  /* one line */
	enum usage_kind kind;
	size_t offset; /* of the variable in the verb's structure of values */
};

/* Options that most verbs have, for members of their structure of values. */
#define USAGE_NETWORK_DEFAULT "default"
#define USAGE_NETWORK(type, member)                                                            \
	{                                                                                      \
		"--name", "NET", "the network's name [" USAGE_NETWORK_DEFAULT "]", USAGE_TEXT, \
			offsetof(type, member)                                                 \
	}
#define USAGE_JSON(type, member)                                                              \
	{                                                                                     \
		"--json", NULL, "print what the API said", USAGE_FLAG, offsetof(type, member) \
	}

struct usage {
	const char *verb;     /* as typed after "chnet", such as "port add" */
	const char *operands; /* as --help shows them; NULL: none are taken */
	unsigned int operands_min;
	unsigned int operands_max;
	const char *description; /* sentences, lines of at most 78 characters, no last newline */
	const struct usage_option *options; /* NULL: none but --help */
	const char *examples;		    /* lines, or NULL */
};

/* What usage_read() returns when the verb is to be carried out. */
#define USAGE_GO_ON (-1)

struct usage_operands {
	char **texts; /* of argv, which is rearranged: operands come last */
	unsigned int count;
};

/*
 * Reads argv[1..argc-1] into `values` (the structure that the options' offsets are for; holds the
 * defaults before) and *ret_operands (may be NULL when the verb takes none). Returns USAGE_GO_ON,
 * or the exit code to end with at once: 0 after --help, COMMAND_USAGE after an error line.
 */
int usage_read(const struct usage *usage, int argc, char *argv[], void *values,
	struct usage_operands *ret_operands);

/* For what a verb finds wrong with a value itself: one line with the verb in front; COMMAND_USAGE.
 */
int usage_refuse(const struct usage *usage, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
