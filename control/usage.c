/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/usage.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "control/command.h"
#include "control/number.h"

#define HELP_COLUMN 26

/* Where the value of an option belongs. */
#define VARIABLE(type, values, option) ((type *)(void *)((char *)(values) + (option)->offset))

int usage_refuse(const struct usage *usage, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "chnet %s: ", usage->verb);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return COMMAND_USAGE;
}

static void help_option(const char *name, const char *value, const char *help)
{
	int width = printf("  %s%s%s", name, value ? " " : "", value ? value : "");

	if (width >= HELP_COLUMN) {
		putchar('\n');
		width = 0;
	}
	printf("%*s%s\n", HELP_COLUMN - width, "", help);
}

static void print_help(const struct usage *usage)
{
	printf("Usage: chnet %s [OPTION ...]%s%s\n%s\n\nOptions:\n", usage->verb,
		usage->operands ? " " : "", usage->operands ? usage->operands : "",
		usage->description);
	for (const struct usage_option *option = usage->options; option && option->name; option++)
		help_option(option->name, option->value, option->help);
	help_option("--help", NULL, "this text");
	if (usage->examples)
		printf("\nExamples:\n%s\n", usage->examples);
}

static const struct usage_option *find(
	const struct usage *usage, const char *argument, size_t length)
{
	for (const struct usage_option *option = usage->options; option && option->name; option++)
		if (strlen(option->name) == length && memcmp(option->name, argument, length) == 0)
			return option;
	return NULL;
}

static int read_number(const struct usage *usage, const struct usage_option *option,
	const char *text, uint32_t *ret_number)
{
	if (number_read(text, 0, UINT32_MAX, ret_number) < 0)
		return usage_refuse(usage, "%s %s: not a number: write %s %s", option->name, text,
			option->name, option->value);
	return USAGE_GO_ON;
}

static int store(const struct usage *usage, const struct usage_option *option, const char *value,
	void *values)
{
	switch (option->kind) {
	case USAGE_FLAG:
		*VARIABLE(bool, values, option) = true;
		break;
	case USAGE_TEXT:
		*VARIABLE(const char *, values, option) = value;
		break;
	case USAGE_NUMBER:
		return read_number(usage, option, value, VARIABLE(uint32_t, values, option));
	case USAGE_TEXTS: {
		struct usage_texts *texts = VARIABLE(struct usage_texts, values, option);
		if (texts->count == USAGE_TEXTS_MAX)
			return usage_refuse(usage, "%s: given more than %d times", option->name,
				USAGE_TEXTS_MAX);
		texts->texts[texts->count++] = value;
		break;
	}
	}
	return USAGE_GO_ON;
}

/* Reads the option at argv[*at], and moves *at to its value when that is an argument of its own. */
static int read_option(const struct usage *usage, int argc, char *argv[], int *at, void *values)
{
	const char *argument = argv[*at], *equals = strchr(argument, '=');
	size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
	const struct usage_option *option = find(usage, argument, length);
	const char *value = equals ? equals + 1 : NULL;

	if (!option && equals && strncmp(argument, "--help=", strlen("--help=")) == 0)
		return usage_refuse(usage, "--help: takes no value: leave '%s' out", equals);
	if (!option)
		return usage_refuse(usage,
			"%.*s: unknown option: 'chnet %s --help' lists all of them", (int)length,
			argument, usage->verb);
	if (option->kind == USAGE_FLAG && value)
		return usage_refuse(
			usage, "%s: takes no value: leave '=%s' out", option->name, value);
	if (option->kind != USAGE_FLAG && !value && *at + 1 < argc)
		value = argv[++*at];
	if (option->kind != USAGE_FLAG && !value)
		return usage_refuse(usage, "%s: needs a value: write %s %s", option->name,
			option->name, option->value);
	return store(usage, option, value, values);
}

static int check_operands(const struct usage *usage, const struct usage_operands *operands)
{
	if (operands->count > usage->operands_max)
		return usage_refuse(usage, "'%s' is one argument too many: see 'chnet %s --help'",
			operands->texts[usage->operands_max], usage->verb);
	if (operands->count < usage->operands_min)
		return usage_refuse(usage, "something is missing: write chnet %s %s", usage->verb,
			usage->operands);
	return USAGE_GO_ON;
}

int usage_read(const struct usage *usage, int argc, char *argv[], void *values,
	struct usage_operands *ret_operands)
{
	struct usage_operands operands = {.texts = argv + 1};
	bool options_over = false;

	for (int i = 1; i < argc; i++) {
		if (options_over || argv[i][0] != '-' || !argv[i][1]) {
			operands.texts[operands.count++] = argv[i];
		} else if (strcmp(argv[i], "--") == 0) {
			options_over = true;
		} else if (strcmp(argv[i], "--help") == 0) {
			print_help(usage);
			return COMMAND_OK;
		} else {
			int code = read_option(usage, argc, argv, &i, values);
			if (code != USAGE_GO_ON)
				return code;
		}
	}
	int code = check_operands(usage, &operands);
	if (code == USAGE_GO_ON && ret_operands)
		*ret_operands = operands;
	return code;
}
