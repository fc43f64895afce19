/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/command.h"
#include "control/usage.h"

struct values {
	const char *name;
	bool json;
	uint32_t limit;
	struct usage_texts forwards;
};

static const struct usage_option options[] = {
	{"--name", "NET", "the name", USAGE_TEXT, offsetof(struct values, name)},
	{"--json", NULL, "as JSON", USAGE_FLAG, offsetof(struct values, json)},
	{"--limit", "N", "at most N", USAGE_NUMBER, offsetof(struct values, limit)},
	{"--forward", "SPEC", "again and again", USAGE_TEXTS, offsetof(struct values, forwards)},
	{0},
};

static const struct usage usage = {
	.verb = "thing do",
	.operands = "ONE [TWO]",
	.operands_min = 1,
	.operands_max = 2,
	.description = "Does a thing.",
	.options = options,
	.examples = "  chnet thing do 1",
};

static struct values values;
static struct usage_operands operands;
static char said[4096];

/* Reads a command line that ends with NULL; `said` is what came on `fd` meanwhile. */
static int read_line(int fd, char *words[])
{
	char *argv[16] = {"do"};
	int argc = 1, ends[2], kept = dup(fd);

	while (words[argc - 1]) {
		argv[argc] = words[argc - 1];
		argc++;
	}
	fflush(NULL);
	assert_int_equal(pipe(ends), 0);
	assert_true(dup2(ends[1], fd) >= 0);
	close(ends[1]);
	values = (struct values){.name = "default", .limit = 7};
	operands = (struct usage_operands){0};
	int code = usage_read(&usage, argc, argv, &values, &operands);
	fflush(NULL);
	assert_true(dup2(kept, fd) >= 0);
	close(kept);
	ssize_t length = read(ends[0], said, sizeof(said) - 1);
	assert_true(length >= 0);
	said[length] = 0;
	close(ends[0]);
	/* Operands point to words of the caller. */
	static char *texts[16];
	for (unsigned int i = 0; i < operands.count; i++)
		texts[i] = operands.texts[i];
	operands.texts = texts;
	return code;
}

#define READ(...) read_line(STDERR_FILENO, (char *[]){__VA_ARGS__, NULL})

static void test_defaults(void **state)
{
	assert_int_equal(READ("a"), USAGE_GO_ON);
	assert_string_equal(values.name, "default");
	assert_false(values.json);
	assert_int_equal(values.limit, 7);
	assert_int_equal(operands.count, 1);
	assert_string_equal(operands.texts[0], "a");
}

static void test_options_and_operands_mixed(void **state)
{
	assert_int_equal(READ("--name", "x", "a", "--json", "--limit=4294967295", "--forward", "f1",
				 "b", "--forward=f2", "--name=y"),
		USAGE_GO_ON);
	assert_string_equal(values.name, "y");
	assert_true(values.json);
	assert_int_equal(values.limit, 4294967295);
	assert_int_equal(values.forwards.count, 2);
	assert_string_equal(values.forwards.texts[1], "f2");
	assert_int_equal(operands.count, 2);
	assert_string_equal(operands.texts[1], "b");
}

static void test_after_two_dashes_all_is_operand(void **state)
{
	assert_int_equal(READ("--json", "--", "--help", "-x"), USAGE_GO_ON);
	assert_int_equal(operands.count, 2);
	assert_string_equal(operands.texts[0], "--help");
	assert_string_equal(operands.texts[1], "-x");
}

static void refused(const char *text, int code)
{
	assert_int_equal(code, COMMAND_USAGE);
	assert_string_equal(said, text);
}

static void test_refusals(void **state)
{
	refused("chnet thing do: --nam: unknown option: 'chnet thing do --help' lists all of "
		"them\n",
		READ("a", "--nam=x"));
	refused("chnet thing do: --json: takes no value: leave '=1' out\n", READ("a", "--json=1"));
	refused("chnet thing do: --help: takes no value: leave '=yes' out\n",
		READ("a", "--help=yes"));
	refused("chnet thing do: --name: needs a value: write --name NET\n", READ("a", "--name"));
	refused("chnet thing do: --limit 1x: not a number: write --limit N\n",
		READ("a", "--limit", "1x"));
	refused("chnet thing do: --limit 4294967296: not a number: write --limit N\n",
		READ("a", "--limit", "4294967296"));
	refused("chnet thing do: --limit -1: not a number: write --limit N\n",
		READ("a", "--limit", "-1"));
	refused("chnet thing do: something is missing: write chnet thing do ONE [TWO]\n",
		READ("--json"));
	refused("chnet thing do: 'c' is one argument too many: see 'chnet thing do --help'\n",
		READ("a", "b", "c"));
}

static void test_too_many_of_one(void **state)
{
	static char *argv[2 * USAGE_TEXTS_MAX + 4] = {"do", "a"};
	int argc = 2;

	for (int i = 0; i <= USAGE_TEXTS_MAX; i++)
		argv[argc++] = "--forward=f";
	values = (struct values){0};
	assert_int_equal(usage_read(&usage, argc - 1, argv, &values, NULL), USAGE_GO_ON);
	values = (struct values){0};
	assert_int_equal(usage_read(&usage, argc, argv, &values, NULL), COMMAND_USAGE);
	assert_int_equal(values.forwards.count, USAGE_TEXTS_MAX);
}

static void test_help(void **state)
{
	assert_int_equal(read_line(STDOUT_FILENO, (char *[]){"--json", "--help", "nonsense", NULL}),
		COMMAND_OK);
	assert_string_equal(said, "Usage: chnet thing do [OPTION ...] ONE [TWO]\n"
				  "Does a thing.\n\n"
				  "Options:\n"
				  "  --name NET              the name\n"
				  "  --json                  as JSON\n"
				  "  --limit N               at most N\n"
				  "  --forward SPEC          again and again\n"
				  "  --help                  this text\n\n"
				  "Examples:\n"
				  "  chnet thing do 1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_options_and_operands_mixed),
		cmocka_unit_test(test_after_two_dashes_all_is_operand),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_too_many_of_one),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
