/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/claim_lock.h"
#include "tests/unit/host/namespace.h"

#define NAME CLAIM_LOCK_PREFIX "x.lock"

static int directory_fd;

static int setup(void **state)
{
	directory_fd = open("/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return directory_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	unlink("/run/" NAME);
	return close(directory_fd);
}

/* A start as another process makes it, with a directory descriptor of its own. */
static int take(pid_t *ret_holder, int *ret_fd)
{
	int own_directory_fd = open("/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(claim_lock_begin(own_directory_fd), 0);
	int result = claim_lock_take(own_directory_fd, NAME, ret_fd, ret_holder);
	claim_lock_end(own_directory_fd);
	close(own_directory_fd);
	return result;
}

static void test_one_holder(void **state)
{
	int first = -1, second = -1;
	pid_t holder = -1;
	struct stat status;

	assert_int_equal(take(&holder, &first), 0);
	assert_int_equal(fcntl(first, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fstat(first, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	/* Nothing noted: nobody knows who it is. */
	assert_int_equal(take(&holder, &second), -EADDRINUSE);
	assert_int_equal(holder, 0);
	assert_int_equal(second, -1);
	/* Noted, and alive. */
	char text[64];
	int length = snprintf(text, sizeof(text), "%d %d\n", getpid(), getpid());
	assert_int_equal(pwrite(first, text, (size_t)length, 0), length);
	assert_int_equal(take(&holder, &second), -EADDRINUSE);
	assert_int_equal(holder, getpid());
	close(first);
	assert_int_equal(take(&holder, &second), 0);
	close(second);
}

static void test_nonsense_in_the_file(void **state)
{
	static const char *const texts[] = {"", "x", "1", "-1 -1", "0 0", "\377\377"};
	int first, second;
	pid_t holder;

	assert_int_equal(take(&holder, &first), 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(ftruncate(first, 0), 0);
		assert_int_equal(
			pwrite(first, texts[i], strlen(texts[i]), 0), (ssize_t)strlen(texts[i]));
		assert_int_equal(take(&holder, &second), -EADDRINUSE);
		assert_int_equal(holder, 0);
	}
	close(first);
}

/* A file that its holder removes while another waits for it must not count as the lock. */
static void test_a_removed_file_is_no_lock(void **state)
{
	int first, second;
	pid_t holder;
	struct stat status;

	assert_int_equal(take(&holder, &first), 0);
	assert_int_equal(unlink("/run/" NAME), 0);
	assert_int_equal(take(&holder, &second), 0);
	assert_int_equal(fstat(second, &status), 0);
	assert_int_equal(status.st_nlink, 1);
	assert_int_equal(unlink("/run/" NAME), 0);
	close(first);
	close(second);
}

/* Through a link, a start as root would empty somebody's file. */
static void test_links_are_refused(void **state)
{
	int fd;
	pid_t holder;

	assert_int_equal(symlink("/etc/hostname", "/run/" NAME), 0);
	assert_int_equal(take(&holder, &fd), -ELOOP);
}

static int one_turn(void *argument)
{
	int own_directory_fd = open("/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (flock(own_directory_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno;
}

static void test_turns(void **state)
{
	assert_int_equal(claim_lock_begin(directory_fd), 0);
	assert_int_equal(namespace_in_child(one_turn, NULL), EWOULDBLOCK);
	claim_lock_end(directory_fd);
	assert_int_equal(namespace_in_child(one_turn, NULL), 0);
	claim_lock_end(directory_fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_holder),
		TEST(test_nonsense_in_the_file),
		TEST(test_a_removed_file_is_no_lock),
		TEST(test_links_are_refused),
		TEST(test_turns),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
