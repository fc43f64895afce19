/* SPDX-License-Identifier: BSD-3-Clause */
#include "sandbox_case.h"

#include "backend/sandbox_files.h"

/* A file of the directory in which sockets may be made. */
static char neighbour[64];

static int change_files(void)
{
	/* Root's own files, and the kernel's. */
	if (open("/etc/chnet-sandbox-file", O_CREAT | O_WRONLY, 0600) >= 0 || errno != EACCES)
		return 1;
	if (open("/proc/self/oom_score_adj", O_WRONLY) >= 0 || errno != EACCES)
		return 2;
	if (open("/tmp/chnet-sandbox-file", O_CREAT | O_WRONLY, 0600) >= 0 || errno != EACCES)
		return 3;
	if (unlink("/etc/hostname") == 0 || errno != EACCES)
		return 4;
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/var/chnet-sandbox"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno != EACCES)
		return 5;
	return GOOD;
}

/* Sockets are made where others have theirs, in /run, and belong to root like those. */
static int removes_a_neighbour(void)
{
	return unlink(neighbour) == 0 || errno != EACCES ? 1 : GOOD;
}

static void test_neighbours_of_the_sockets_stay(void **state)
{
	snprintf(neighbour, sizeof(neighbour), "/tmp/chnet-sandbox-neighbour-%d", getpid());
	int fd = open(neighbour, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	if (sandbox_has_filters())
		expect_good(removes_a_neighbour);
	assert_int_equal(unlink(neighbour), 0);
}

static void test_no_file_changes(void **state)
{
	/* A kernel without Landlock has nothing to test. */
	if (!sandbox_has_filters() || syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1)
		skip();
	expect_good(change_files);
}

static int missing_directory(void)
{
	const char *const nowhere[] = {"/nowhere"};

	return sandbox_files_restrict(nowhere, 1) == -ENOENT ? GOOD : 1;
}

static void test_missing_directory(void **state)
{
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1)
		skip();
	pid_t child = fork();
	int status;
	assert_true(child >= 0);
	if (child == 0)
		_exit(missing_directory());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), GOOD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_file_changes),
		cmocka_unit_test(test_neighbours_of_the_sockets_stay),
		cmocka_unit_test(test_missing_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
