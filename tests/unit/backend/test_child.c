/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/child.h"
#include "tests/unit/host/namespace.h"

/* What a data plane saw of itself. */
struct seen {
	unsigned int descriptors; /* open, the one for /proc left out */
	bool tap, lock, ready;	  /* among them */
	bool stdin_empty;
	int number; /* handed over with the configuration */
	uid_t uid;
	gid_t gid;
};

static struct seen *seen;
static struct socket_claim *claim;
static int run_fd;

static int setup(void **state)
{
	char error[512];
	const char *path = "/run/a.sock";

	if (mkdir("/run/chnet", 0755) < 0)
		return -1;
	run_fd = open("/run/chnet", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run_fd < 0 || seen == MAP_FAILED)
		return -1;
	return socket_claim_take(run_fd, &path, 1, 0, &claim, error, sizeof(error));
}

static int teardown(void **state)
{
	socket_claim_release(claim);
	munmap(seen, sizeof(*seen));
	close(run_fd);
	return rmdir("/run/chnet");
}

static pid_t start(int (*run)(const struct dataplane_config *), const int *tap_fds,
	unsigned int tap_count, int *ready_fd)
{
	pid_t pid;
	const struct child_config config = {
		.run = run,
		.dataplane = {.tap_fds = tap_fds, .tap_offloads = 7},
		.tap_count = tap_count,
		.claim = claim,
	};

	assert_int_equal(child_start(&config, &pid, ready_fd), 0);
	return pid;
}

static int end_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int look_around(const struct dataplane_config *config)
{
	char byte;
	DIR *stream = opendir("/proc/self/fd");

	if (!stream)
		return 1;
	for (struct dirent *entry; (entry = readdir(stream));) {
		int fd = atoi(entry->d_name);
		if (entry->d_name[0] == '.' || fd == dirfd(stream))
			continue;
		seen->descriptors++;
		seen->tap = seen->tap || fd == config->tap_fds[0];
		seen->lock = seen->lock || fd == socket_claim_fds(claim)[0];
		seen->ready = seen->ready || fd == config->ready_fd;
	}
	closedir(stream);
	seen->stdin_empty = read(STDIN_FILENO, &byte, 1) == 0;
	seen->number = (int)config->tap_offloads;
	return write(config->ready_fd, "r", 1) == 1 ? 42 : 2;
}

static void test_what_it_keeps(void **state)
{
	int ready_fd,
		secret = open("/etc/passwd", O_RDONLY); /* not close-on-exec: there is no exec */
	int tap = open("/dev/zero", O_RDWR | O_CLOEXEC);
	char bytes[2];

	int status = end_of(start(look_around, &tap, 1, &ready_fd));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	assert_int_equal(seen->descriptors, 3 + 3);
	assert_true(seen->tap);
	assert_true(seen->lock);
	assert_true(seen->ready);
	assert_true(seen->stdin_empty);
	assert_int_equal(seen->number, 7);
	/* Ready, and then nothing more to come. */
	assert_int_equal(read(ready_fd, bytes, 2), 1);
	assert_int_equal(read(ready_fd, bytes, 2), 0);
	close(ready_fd);
	close(secret);
	close(tap);
}

static int who_am_i(const struct dataplane_config *config)
{
	seen->uid = geteuid();
	seen->gid = getegid();
	return 0;
}

static void expect_identity(uid_t uid, gid_t gid)
{
	int ready_fd, status = end_of(start(who_am_i, NULL, 0, &ready_fd));

	assert_int_equal(status, 0);
	assert_int_equal(seen->uid, uid);
	assert_int_equal(seen->gid, gid);
	close(ready_fd);
}

static void take_again(const char *path)
{
	char error[512];

	socket_claim_release(claim);
	claim = NULL;
	assert_int_equal(socket_claim_take(run_fd, &path, 1, 0, &claim, error, sizeof(error)), 0);
}

static void test_whose_the_sockets_are(void **state)
{
	unsetenv("SUDO_GID");
	expect_identity(0, 0);
	setenv("SUDO_GID", "1002", 1);
	expect_identity(0, 1002);
	setenv("SUDO_GID", "1002x", 1);
	expect_identity(0, 0);

	/* A user's own directory: the sockets are that user's, whoever started us. */
	assert_int_equal(mkdir("/run/user", 0700), 0);
	assert_int_equal(chown("/run/user", 1000, 1001), 0);
	setenv("SUDO_GID", "1002", 1);
	take_again("/run/user/a.sock");
	expect_identity(1000, 1001);
	assert_int_equal(rmdir("/run/user"), 0);
	unsetenv("SUDO_GID");
}

static int wait_for_ever(const struct dataplane_config *config)
{
	return poll(NULL, 0, -1);
}

static void test_killed_before_ready(void **state)
{
	char byte, text[CHILD_TEXT_CAPACITY];
	int ready_fd;
	pid_t pid = start(wait_for_ever, NULL, 0, &ready_fd);

	assert_int_equal(read(ready_fd, &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_string_equal(child_describe(end_of(pid), text), "was killed by signal 9 (Killed)");
	assert_int_equal(read(ready_fd, &byte, 1), 0);
	close(ready_fd);
}

static int never_reached(const struct dataplane_config *config)
{
	seen->number = 1;
	return 0;
}

/* Root without capabilities is nobody in a directory of somebody else's. */
static void test_no_right_to_the_directory(void **state)
{
	int ready_fd;

	assert_int_equal(chmod("/run", 0755), 0);
	assert_int_equal(chown("/run", 1000, 1000), 0);
	int status = end_of(start(never_reached, NULL, 0, &ready_fd));
	assert_int_equal(chown("/run", 0, 0), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_FAILURE);
	assert_int_equal(seen->number, 0);
	close(ready_fd);
}

static void test_words(void **state)
{
	char text[CHILD_TEXT_CAPACITY];

	assert_string_equal(child_describe(0, text), "ended with exit code 0");
	assert_string_equal(child_describe(3 << 8, text), "ended with exit code 3");
	assert_string_equal(
		child_describe(SIGSEGV, text), "was killed by signal 11 (Segmentation fault)");
	assert_string_equal(child_describe(SIGSYS, text),
		"was killed by signal 31 (Bad system call: its sandbox forbids what it tried)");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_it_keeps),
		TEST(test_whose_the_sockets_are),
		TEST(test_killed_before_ready),
		TEST(test_no_right_to_the_directory),
		TEST(test_words),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
