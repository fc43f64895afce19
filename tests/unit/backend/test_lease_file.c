/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/lease_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
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

#define SIZE 10000

static char directory[] = "/tmp/chnet-lease-XXXXXX";
static char path[64];
static struct lease_file file;
static struct shared_memory memory;

static int setup_all(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/net.leases", directory);
	return 0;
}

static int teardown_all(void **state)
{
	return rmdir(directory);
}

static int teardown(void **state)
{
	lease_file_close(&file, false);
	shared_memory_fini(&memory);
	unlink(path);
	return 0;
}

static void open_it(void)
{
	assert_int_equal(lease_file_open(directory, "net", SIZE, &memory, &file), 0);
	assert_int_equal(memory.size, SIZE);
}

static void close_it(void)
{
	lease_file_close(&file, false);
	shared_memory_fini(&memory);
}

static void test_what_is_written_stays(void **state)
{
	static const uint8_t zeros[SIZE];
	struct stat status;

	open_it();
	assert_memory_equal(memory.address, zeros, SIZE);
	memset(memory.address, 7, SIZE);
	close_it();
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, SIZE);
	assert_int_equal(status.st_mode & 07777, 0600);
	open_it();
	assert_int_equal(((uint8_t *)memory.address)[0], 7);
	assert_int_equal(((uint8_t *)memory.address)[SIZE - 1], 7);
}

/* No page of it is missing: there is room for it, or it cannot be opened. */
static void test_it_has_its_room(void **state)
{
	struct stat status;

	open_it();
	assert_int_equal(stat(path, &status), 0);
	assert_true(status.st_blocks * 512 >= SIZE);
}

/* A process writes, and is killed in the middle of it. */
static void test_a_writer_that_is_killed(void **state)
{
	open_it();
	pid_t pid = fork();
	if (pid == 0) {
		strcpy((char *)memory.address + 5000, "written");
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close_it();
	open_it();
	assert_string_equal((char *)memory.address + 5000, "written");
}

static void test_another_size_begins_anew(void **state)
{
	static const size_t sizes[] = {SIZE - 1, SIZE + 1, 3 * SIZE};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		open_it();
		memset(memory.address, 7, SIZE);
		close_it();
		assert_int_equal(lease_file_open(directory, "net", sizes[i], &memory, &file), 0);
		for (size_t at = 0; at < sizes[i]; at++)
			assert_int_equal(((uint8_t *)memory.address)[at], 0);
		close_it();
		unlink(path);
	}
}

static void test_one_network_at_a_time(void **state)
{
	struct lease_file other_file = {.fd = -7};
	struct shared_memory other = {.size = 7};

	open_it();
	assert_int_equal(
		lease_file_open(directory, "net", SIZE, &other, &other_file), -EWOULDBLOCK);
	assert_int_equal(other.size, 7);
	assert_int_equal(other_file.fd, -7);
	/* The other networks have their own. */
	assert_int_equal(lease_file_open(directory, "two", SIZE, &other, &other_file), 0);
	lease_file_close(&other_file, true);
	shared_memory_fini(&other);
	close_it();
	open_it();
}

static void test_removed_when_asked(void **state)
{
	open_it();
	lease_file_close(&file, true);
	assert_int_equal(access(path, F_OK), -1);
	assert_null(file.path);
	/* Harmless again, and when it was never open. */
	lease_file_close(&file, true);
	lease_file_close(NULL, true);
}

static void test_where_none_can_be(void **state)
{
	char elsewhere[80];

	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(lease_file_open(directory, "net", SIZE, &memory, &file), -EISDIR);
	assert_int_equal(rmdir(path), 0);
	/* Nobody leads us to a file of somebody else's. */
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", directory);
	assert_int_equal(symlink(elsewhere, path), 0);
	assert_int_equal(lease_file_open(directory, "net", SIZE, &memory, &file), -ELOOP);
	assert_int_equal(access(elsewhere, F_OK), -1);
	assert_int_equal(lease_file_open("/nowhere", "net", SIZE, &memory, &file), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_what_is_written_stays, teardown),
		cmocka_unit_test_teardown(test_it_has_its_room, teardown),
		cmocka_unit_test_teardown(test_a_writer_that_is_killed, teardown),
		cmocka_unit_test_teardown(test_another_size_begins_anew, teardown),
		cmocka_unit_test_teardown(test_one_network_at_a_time, teardown),
		cmocka_unit_test_teardown(test_removed_when_asked, teardown),
		cmocka_unit_test_teardown(test_where_none_can_be, teardown),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
