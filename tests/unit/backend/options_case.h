/* SPDX-License-Identifier: BSD-3-Clause */
/* A command line and the error line that it must give; shared by the tests of the options. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backend/options.h"

#define ARGUMENTS_MAX 16

struct options_case {
	const char *arguments[ARGUMENTS_MAX]; /* without argv[0], ends with NULL */
	const char *error;
};

static inline void options_clear_environment(void)
{
	unsetenv("TAP_NAME");
	unsetenv("HOST_IP");
	unsetenv("GUEST_IP");
	unsetenv("GUEST_MAC");
}

static inline int options_try(const char *const arguments[], struct options *options,
	enum options_action *action, char *error, size_t size)
{
	char *argv[ARGUMENTS_MAX + 1] = {"chnet-vhost"};
	int argc = 1;

	for (; arguments[argc - 1]; argc++)
		argv[argc] = (char *)arguments[argc - 1];
	return options_parse(argc, argv, options, action, error, size);
}

/* Parses what must be right. */
static inline struct options options_good(const char *const arguments[])
{
	struct options options;
	enum options_action action;
	char error[OPTIONS_ERROR_CAPACITY] = "";

	if (options_try(arguments, &options, &action, error, sizeof(error)) < 0)
		fail_msg("refused: %s", error);
	assert_int_equal(action, OPTIONS_RUN);
	return options;
}

static inline void options_bad(const struct options_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct options options;
		enum options_action action;
		char error[OPTIONS_ERROR_CAPACITY] = "";

		assert_int_equal(
			options_try(cases[i].arguments, &options, &action, error, sizeof(error)),
			-EINVAL);
		assert_string_equal(error, cases[i].error);
	}
}
