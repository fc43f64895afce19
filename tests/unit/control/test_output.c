/* SPDX-License-Identifier: BSD-3-Clause */
/* What is printed, into a file and onto a terminal. */
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/command.h"
#include "control/output.h"

static char text[8192];

static const struct output_column columns[] = {
	{.name = "NAME", .may_be_cut = true},
	{.name = "COUNT", .is_number = true},
	{.name = "STATE"},
};

static struct output *table(void)
{
	struct output *output = output_new(columns, 3);

	output_row(output);
	output_text(output, "one");
	output_number(output, 7);
	output_coloured(output, "up", "green");
	output_row(output);
	output_text(output, "a-name-that-is-longer-than-the-terminal-is-wide");
	output_number(output, INT64_C(-12345678901));
	output_text(output, NULL);
	return output;
}

/* Runs `print` with standard output in `fd`, which it closes; returns its result. */
static int with_output(int fd, int (*print)(void))
{
	int saved = dup(STDOUT_FILENO), result;

	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	close(fd);
	result = print();
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	return result;
}

/* What `print` prints into a file, in `text`. */
static int printed(int (*print)(void))
{
	FILE *file = tmpfile();
	int result = with_output(dup(fileno(file)), print);
	size_t length;

	rewind(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = '\0';
	fclose(file);
	return result;
}

/* And what on a terminal of so many columns. */
static int on_terminal(unsigned short width, int (*print)(void))
{
	const struct winsize size = {.ws_row = 25, .ws_col = width};
	int master, slave, result;
	ssize_t length;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
	result = with_output(dup(slave), print);
	/* A few lines fit into the terminal's buffer. */
	length = read(master, text, sizeof(text) - 1);
	assert_true(length > 0);
	text[length] = '\0';
	close(slave);
	close(master);
	return result;
}

static int print_table(void)
{
	return output_print(table());
}

static void columns_line_up_and_nothing_is_cut(void **state)
{
	assert_int_equal(printed(print_table), COMMAND_OK);
	assert_string_equal(text,
		"NAME                                                   COUNT STATE\n"
		"one                                                        7 up\n"
		"a-name-that-is-longer-than-the-terminal-is-wide -12345678901 -\n");
}

static void a_terminal_has_colours_unless_it_wants_none(void **state)
{
	unsetenv("NO_COLOR");
	assert_int_equal(on_terminal(120, print_table), COMMAND_OK);
	assert_non_null(strstr(text, "\033["));
	setenv("NO_COLOR", "1", 1);
	assert_int_equal(on_terminal(120, print_table), COMMAND_OK);
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text, "up"));
	/* Set and empty is as not set (no-color.org). */
	setenv("NO_COLOR", "", 1);
	assert_int_equal(on_terminal(120, print_table), COMMAND_OK);
	assert_non_null(strchr(text, '\033'));
	unsetenv("NO_COLOR");
}

static void a_narrow_terminal_cuts_what_may_be_cut(void **state)
{
	char *line;

	setenv("NO_COLOR", "1", 1);
	assert_int_equal(on_terminal(40, print_table), COMMAND_OK);
	unsetenv("NO_COLOR");
	assert_non_null(strstr(text, "-12345678901"));
	assert_null(strstr(text, "is-wide"));
	for (line = strtok(text, "\r\n"); line; line = strtok(NULL, "\r\n"))
		assert_true(strlen(line) <= 40);
}

static int print_nothing(void)
{
	return output_print(NULL);
}

/* One complaint, at the end, however many cells were filled. */
static void without_memory_it_fails_once(void **state)
{
	output_row(NULL);
	output_text(NULL, "x");
	output_number(NULL, 1);
	assert_int_equal(printed(print_nothing), COMMAND_FAILED);
	assert_string_equal(text, "");
}

static int print_json(void)
{
	json_t *json = json_pack("{s:s, s:[i, f]}", "name", "x", "numbers", 1, 3107.1);
	int code = output_json(json);

	json_decref(json);
	return code;
}

static void json_is_as_it_is(void **state)
{
	assert_int_equal(printed(print_json), COMMAND_OK);
	assert_true(text[strlen(text) - 1] == '\n');
	json_t *back = json_loads(text, 0, NULL), *same;

	assert_non_null(back);
	same = json_pack("{s:s, s:[i, f]}", "name", "x", "numbers", 1, 3107.1);
	assert_true(json_equal(back, same));
	assert_non_null(strstr(text, "3107.1\n"));
	json_decref(back);
	json_decref(same);
}

static void bytes_are_for_people(void **state)
{
	static const struct {
		json_int_t bytes;
		const char *shown;
	} cases[] = {{0, "0B"}, {1, "1B"}, {999, "999B"}, {1000, "1.0K"}, {1024, "1.0K"},
		{1536, "1.5K"}, {10188, "9.9K"}, {10240, "10K"}, {1 << 20, "1.0M"},
		{INT64_C(1) << 30, "1.0G"}, {INT64_C(5) << 40, "5.0T"}, {INT64_MAX, "8.0E"}};
	char room[OUTPUT_BYTES_TEXT];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ptr_equal(output_bytes(cases[i].bytes, room), room);
		assert_string_equal(room, cases[i].shown);
	}
}

static void members_may_be_missing(void **state)
{
	json_t *object = json_pack("{s:s, s:I, s:b, s:n}", "text", "x", "number",
		(json_int_t)INT64_C(1) << 40, "true", 1, "null");

	assert_string_equal(output_member_text(object, "text"), "x");
	assert_null(output_member_text(object, "null"));
	assert_null(output_member_text(object, "number"));
	assert_null(output_member_text(NULL, "text"));
	assert_int_equal(output_member_number(object, "number"), INT64_C(1) << 40);
	assert_int_equal(output_member_number(object, "text"), 0);
	assert_true(output_member_true(object, "true"));
	assert_false(output_member_true(object, "none"));
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_line_up_and_nothing_is_cut),
		cmocka_unit_test(a_terminal_has_colours_unless_it_wants_none),
		cmocka_unit_test(a_narrow_terminal_cuts_what_may_be_cut),
		cmocka_unit_test(without_memory_it_fails_once),
		cmocka_unit_test(json_is_as_it_is),
		cmocka_unit_test(bytes_are_for_people),
		cmocka_unit_test(members_may_be_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
