/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/run_directory.h"
#include "tests/unit/host/namespace.h"

static char error[512];

static void test_made_and_found(void **state)
{
	struct run_directory directory = {.fd = -1};
	struct stat status;

	for (int i = 0; i < 2; i++) {
		mode_t mask = umask(0077);
		assert_int_equal(run_directory_open(&directory, error, sizeof(error)), 0);
		assert_int_equal(umask(mask), 0077);
		assert_string_equal(directory.path, "/run/chnet");
		assert_true(directory.fd >= 0);
		assert_int_equal(stat("/run/chnet", &status), 0);
		assert_int_equal(status.st_mode & 07777, 0755);
		assert_int_equal(fcntl(directory.fd, F_GETFD), FD_CLOEXEC);
		run_directory_close(&directory);
		assert_int_equal(directory.fd, -1);
	}
	run_directory_close(&directory);
	run_directory_close(NULL);
	assert_int_equal(rmdir("/run/chnet"), 0);
}

static void expect(int expected, const char *text)
{
	struct run_directory directory = {.fd = -7};

	assert_int_equal(run_directory_open(&directory, error, sizeof(error)), expected);
	assert_string_equal(error, text);
	assert_int_equal(directory.fd, -7);
}

static void test_not_ours_alone(void **state)
{
	assert_int_equal(mkdir("/run/chnet", 0700), 0);
	assert_int_equal(chmod("/run/chnet", 0777), 0);
	expect(-EPERM,
		"directory /run/chnet belongs to uid 0 with mode 0777: others could write to it, "
		"remove it");
	assert_int_equal(rmdir("/run/chnet"), 0);

	assert_int_equal(symlink("/tmp", "/run/chnet"), 0);
	expect(-ENOTDIR, "cannot open directory /run/chnet: Not a directory");
	assert_int_equal(unlink("/run/chnet"), 0);
}

/* In a child, since there is no way back from another user. */
static int without_root(void *unused)
{
	struct run_directory directory = {.fd = -1};

	if (setresuid(1000, 1000, 1000) < 0)
		return 1;
	unsetenv("XDG_RUNTIME_DIR");
	if (run_directory_open(&directory, error, sizeof(error)) != -ENOENT ||
		strcmp(error,
			"XDG_RUNTIME_DIR names no directory: log in as a user with a session, "
			"set it, or start as root") != 0)
		return 2;
	setenv("XDG_RUNTIME_DIR", "/run/user-1000", 1);
	if (run_directory_open(&directory, error, sizeof(error)) != 0 ||
		strcmp(directory.path, "/run/user-1000/chnet") != 0)
		return 3;
	setenv("XDG_RUNTIME_DIR", "/run/nowhere", 1);
	if (run_directory_open(&directory, error, sizeof(error)) != -ENOENT ||
		strcmp(error, "cannot make directory /run/nowhere/chnet: No such file or "
			      "directory") != 0)
		return 4;
	return 0;
}

static void test_without_root(void **state)
{
	assert_int_equal(mkdir("/run/user-1000", 0700), 0);
	assert_int_equal(chown("/run/user-1000", 1000, 1000), 0);
	assert_int_equal(namespace_in_child(without_root, NULL), 0);
	rmdir("/run/user-1000/chnet");
	rmdir("/run/user-1000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made_and_found),
		cmocka_unit_test(test_not_ours_alone),
		cmocka_unit_test(test_without_root),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
