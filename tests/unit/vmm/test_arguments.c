/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/vmm/arguments.h"

/* Words that a shell would read as something else. */
static const char *const words[] = {"plain", "", "two words", "it's", "$HOME", "a\nb", "*", "~",
	"\\", "--net", "mac=52:54:00:12:34:56,socket=/run/x.sock", "\"q\"", "#", "!", ";"};
#define WORD_COUNT (sizeof(words) / sizeof(words[0]))

static void add_words(struct arguments *arguments, size_t rounds)
{
	for (size_t i = 0; i < rounds * WORD_COUNT; i++)
		arguments_add(arguments, "%s", words[i % WORD_COUNT]);
}

static void test_add(void **state)
{
	struct arguments arguments = {0};

	add_words(&arguments, 5);
	assert_int_equal(arguments.count, 5 * WORD_COUNT);
	assert_null(arguments.words[arguments.count]);
	for (size_t i = 0; i < arguments.count; i++)
		assert_string_equal(arguments.words[i], words[i % WORD_COUNT]);
	arguments_fini(&arguments);
	assert_null(arguments.words);
}

/* A shell reads back what was printed: each word, ended by a byte 1. */
static void check_shell(bool wrap)
{
	struct arguments arguments = {0};
	char *text, *command, got[4096] = "", expected[4096] = "";
	size_t length;
	FILE *file = open_memstream(&text, &length);

	add_words(&arguments, 3);
	arguments_print(&arguments, wrap, file);
	fclose(file);
	assert_true(asprintf(&command, "printf '%%s\\001' %s", text) > 0);
	file = popen(command, "re");
	assert_non_null(file);
	length = fread(got, 1, sizeof(got) - 1, file);
	assert_int_equal(pclose(file), 0);
	for (size_t i = 0; i < arguments.count; i++) {
		strcat(expected, arguments.words[i]);
		strcat(expected, "\001");
	}
	assert_string_equal(got, expected);
	assert_int_equal(strchr(text, '\\') && strstr(text, " \\\n"), wrap);
	free(command);
	free(text);
	arguments_fini(&arguments);
}

static void test_print(void **state)
{
	check_shell(false);
}

static void test_print_wrapped(void **state)
{
	check_shell(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_print_wrapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
