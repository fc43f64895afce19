/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/log.h"

/* Standard error as it was, and the reading end of the pipe that replaces it during a test. */
static int saved_stderr;
static int reader;

static int capture_start(void **state)
{
	int ends[2];

	saved_stderr = dup(STDERR_FILENO);
	if (saved_stderr < 0 || pipe(ends) < 0)
		return -1;
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	reader = ends[0];
	log_set_level(LOG_LEVEL_INFO);
	unsetenv("JOURNAL_STREAM");
	log_open();
	return 0;
}

static int capture_end(void **state)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(reader);
	return 0;
}

/* Everything written since the last call. A mark goes behind it, so that the read never waits. */
static const char *captured(void)
{
	static char text[4096];

	dprintf(STDERR_FILENO, "|");
	ssize_t length = read(reader, text, sizeof(text) - 1);
	assert_true(length > 0);
	text[length - 1] = 0;
	return text;
}

static void test_prefixes(void **state)
{
	log_error("no %s", "room");
	assert_string_equal(captured(), "chnet-vhost: no room\n");
	log_warning("a rule");
	assert_string_equal(captured(), "chnet-vhost: warning: a rule\n");
	log_info("ready");
	assert_string_equal(captured(), "chnet-vhost: ready\n");
}

static void test_levels_hide(void **state)
{
	log_debug("hidden");
	assert_string_equal(captured(), "");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("shown");
	assert_string_equal(captured(), "chnet-vhost: debug: shown\n");
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(log_get_level(), LOG_LEVEL_ERROR);
	log_warning("hidden");
	assert_string_equal(captured(), "");
}

static void test_one_line(void **state)
{
	log_error("a\nb\tc\033[31m");
	assert_string_equal(captured(), "chnet-vhost: a?b?c?[31m\n");
}

static void test_long_message_is_cut(void **state)
{
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	log_error("%s", text);
	const char *line = captured();
	assert_int_equal(strlen(line), strlen("chnet-vhost: ") + 2047 + 1);
	assert_int_equal(line[strlen(line) - 1], '\n');
}

static void test_errno_survives(void **state)
{
	errno = ENOSPC;
	log_error("x");
	assert_int_equal(errno, ENOSPC);
	captured();
}

static void test_journal(void **state)
{
	struct stat status;
	char stream[64];

	assert_int_equal(fstat(STDERR_FILENO, &status), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev,
		(uintmax_t)status.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open();
	log_error("a");
	assert_string_equal(captured(), "<3>chnet-vhost: a\n");
	log_warning("b");
	assert_string_equal(captured(), "<4>chnet-vhost: warning: b\n");

	/* Inherited, but standard error goes elsewhere. */
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_open();
	log_error("c");
	assert_string_equal(captured(), "chnet-vhost: c\n");
}

static void test_level_names(void **state)
{
	enum log_level level = LOG_LEVEL_INFO;

	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("error", &level), 0);
	assert_int_equal(level, LOG_LEVEL_ERROR);
	assert_int_equal(log_level_parse("loud", &level), -EINVAL);
	assert_int_equal(level, LOG_LEVEL_ERROR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_prefixes, capture_start, capture_end),
		cmocka_unit_test_setup_teardown(test_levels_hide, capture_start, capture_end),
		cmocka_unit_test_setup_teardown(test_one_line, capture_start, capture_end),
		cmocka_unit_test_setup_teardown(
			test_long_message_is_cut, capture_start, capture_end),
		cmocka_unit_test_setup_teardown(test_errno_survives, capture_start, capture_end),
		cmocka_unit_test_setup_teardown(test_journal, capture_start, capture_end),
		cmocka_unit_test(test_level_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
