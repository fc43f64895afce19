/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/ports_directory.h"
#include "tests/unit/host/namespace.h"

#define USER 1234
#define GROUP 2345
#define PATH "/run/chnet/ports/net"

static struct run_directory parent;
static char error[512];

static int set_up(void **state)
{
	namespace_run("rm -rf /run/chnet");
	return run_directory_open(&parent, error, sizeof(error));
}

static int tear_down(void **state)
{
	run_directory_close(&parent);
	return 0;
}

static struct ports_directory opened(const char *name)
{
	struct ports_directory made = {""};

	if (ports_directory_open(&made, &parent, name, USER, GROUP, error, sizeof(error)) < 0)
		fail_msg("refused: %s", error);
	return made;
}

static void leave_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static void is_the_data_planes(void **state)
{
	mode_t mask = umask(0077);
	struct ports_directory made = opened("net");
	struct stat status;

	assert_int_equal(umask(mask), 0077);
	assert_string_equal(made.path, PATH);
	assert_int_equal(stat(PATH, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0755);
	assert_int_equal(status.st_uid, USER);
	assert_int_equal(status.st_gid, GROUP);
	/* Others' networks are no business of this one's. */
	assert_int_equal(stat("/run/chnet/ports", &status), 0);
	assert_int_equal(status.st_uid, 0);
	assert_int_equal(status.st_mode & 07777, 0755);
	ports_directory_close(&made, &parent);
	assert_string_equal(made.path, "");
	assert_string_equal(namespace_output("ls /run/chnet"), "");
	ports_directory_close(&made, &parent);
}

static void sockets_of_a_killed_network_go(void **state)
{
	struct ports_directory made = opened("net");

	leave_socket(PATH "/port0.sock");
	leave_socket(PATH "/port7.sock");
	namespace_run("touch " PATH "/file && ln -s /run " PATH "/link");
	made = opened("net");
	assert_string_equal(namespace_output("ls " PATH), "file\nlink\n");
	/* What is not ours keeps it. */
	ports_directory_close(&made, &parent);
	assert_string_equal(namespace_output("ls /run/chnet/ports"), "net\n");
}

static void the_last_network_takes_their_parent_away(void **state)
{
	struct ports_directory one = opened("one"), two = opened("two");

	leave_socket("/run/chnet/ports/two/port0.sock");
	ports_directory_close(&one, &parent);
	assert_string_equal(namespace_output("ls /run/chnet/ports"), "two\n");
	one = opened("one");
	assert_string_equal(namespace_output("ls /run/chnet/ports/two"), "port0.sock\n");
	namespace_run("rm /run/chnet/ports/two/port0.sock");
	ports_directory_close(&two, &parent);
	ports_directory_close(&one, &parent);
	assert_string_equal(namespace_output("ls /run/chnet"), "");
}

/* Root does not give away what somebody else has put there. */
static void links_and_files_are_refused(void **state)
{
	struct ports_directory made = {"untouched"};

	namespace_run("mkdir /run/chnet/ports && ln -s /run " PATH);
	assert_true(
		ports_directory_open(&made, &parent, "net", USER, GROUP, error, sizeof(error)) < 0);
	assert_non_null(strstr(error, "cannot make directory " PATH));
	namespace_run("rm " PATH " && touch " PATH);
	assert_int_equal(
		ports_directory_open(&made, &parent, "net", USER, GROUP, error, sizeof(error)),
		-ENOTDIR);
	assert_string_equal(made.path, "untouched");
	assert_string_equal(namespace_output("stat -c %%u /run"), "0\n");
}

/* Another network ends again and again, and takes the common directory away with it. */
static void others_come_and_go(void **state)
{
	struct ports_directory made;
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	while (child == 0) {
		if (ports_directory_open(
			    &made, &parent, "other", USER, GROUP, error, sizeof(error)) < 0)
			_exit(1);
		ports_directory_close(&made, &parent);
	}
	for (int i = 0; i < 20000; i++) {
		made = opened("net");
		ports_directory_close(&made, &parent);
	}
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(is_the_data_planes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sockets_of_a_killed_network_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_last_network_takes_their_parent_away, set_up, tear_down),
		cmocka_unit_test_setup_teardown(links_and_files_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(others_come_and_go, set_up, tear_down),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
