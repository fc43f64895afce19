/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/host/forwarding.h"
#include "control/host/sysctl.h"
#include "tests/unit/host/namespace.h"

#define DIRECTORY "/run/chnet"

static int set_up(void **state)
{
	namespace_new_network();
	namespace_run("rm -rf " DIRECTORY " && mkdir " DIRECTORY);
	return 0;
}

static void assert_forwarding(const char *expected)
{
	char value[8];

	assert_int_equal(sysctl_read("net/ipv4/ip_forward", value, sizeof(value)), 0);
	assert_string_equal(value, expected);
}

/* How many state files are there? */
static long files(void)
{
	return strtol(namespace_output("ls " DIRECTORY " | wc -l"), NULL, 10);
}

static int hold_and_exit(void *unused)
{
	struct forwarding *forwarding;

	return forwarding_hold(DIRECTORY, &forwarding) < 0;
}

static void restores_what_it_changed(void **state)
{
	struct forwarding *forwarding;

	assert_forwarding("0");
	assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), 0);
	assert_forwarding("1");
	assert_int_equal(files(), 1);
	assert_int_equal(forwarding_release(forwarding), 0);
	assert_forwarding("0");
	assert_int_equal(files(), 0);
	assert_int_equal(forwarding_release(NULL), 0);
}

static void leaves_what_it_did_not_change(void **state)
{
	struct forwarding *forwarding;

	assert_int_equal(sysctl_write("net/ipv4/ip_forward", "1"), 0);
	assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), 0);
	assert_int_equal(forwarding_release(forwarding), 0);
	assert_forwarding("1");
	assert_int_equal(files(), 0);
}

static void the_last_one_restores(void **state)
{
	struct forwarding *a, *b;

	assert_int_equal(forwarding_hold(DIRECTORY, &a), 0);
	assert_int_equal(forwarding_hold(DIRECTORY, &b), 0);
	assert_int_equal(files(), 1);
	assert_int_equal(forwarding_release(a), 0);
	assert_forwarding("1");
	assert_int_equal(files(), 1);
	assert_int_equal(forwarding_release(b), 0);
	assert_forwarding("0");
	assert_int_equal(files(), 0);
}

static int hold_and_die(void *argument)
{
	struct forwarding *forwarding;

	if (forwarding_hold(DIRECTORY, &forwarding) < 0)
		return 1;
	raise(SIGKILL);
	return 2;
}

static void crash(void)
{
	int status;

	assert_true(waitpid(namespace_fork(hold_and_die, NULL), &status, 0) > 0);
	assert_true(WIFSIGNALED(status));
}

static void assert_redirects(const char *expected)
{
	char value[8];

	assert_int_equal(
		sysctl_read("net/ipv4/conf/all/accept_redirects", value, sizeof(value)), 0);
	assert_string_equal(value, expected);
}

/* The kernel changes it with the other one; it is put back after a crash, too. */
static void leaves_redirects_as_they_were(void **state)
{
	static const char *const values[] = {"0", "1"};
	struct forwarding *forwarding;

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(sysctl_write("net/ipv4/conf/all/accept_redirects", values[i]), 0);
		assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), 0);
		assert_redirects("0");
		assert_int_equal(forwarding_release(forwarding), 0);
		assert_redirects(values[i]);
		crash();
		assert_int_equal(forwarding_drop(DIRECTORY, NULL), 0);
		assert_forwarding("0");
		assert_redirects(values[i]);
		assert_int_equal(files(), 0);
	}
	/* One who was killed between the two. */
	crash();
	namespace_run("for file in " DIRECTORY "/forwarding-*; do printf s >$file; done");
	assert_int_equal(sysctl_write("net/ipv4/ip_forward", "0"), 0);
	assert_redirects("1");
	assert_int_equal(forwarding_drop(DIRECTORY, NULL), 0);
	assert_redirects("0");
	assert_int_equal(files(), 0);
}

static void assert_interface(const char *name, const char *expected)
{
	char path[64], value[8];

	snprintf(path, sizeof(path), "net/ipv4/conf/%s/forwarding", name);
	assert_int_equal(sysctl_read(path, value, sizeof(value)), 0);
	assert_string_equal(value, expected);
}

/* Those that forwarded by themselves do so afterwards, and no other. */
static void leaves_interfaces_as_they_were(void **state)
{
	struct forwarding *forwarding, *other;

	namespace_run("ip link add one type bridge && ip link add two type bridge");
	namespace_run("ip link add gone type bridge && ip link add a.b type bridge");
	assert_int_equal(sysctl_write("net/ipv4/conf/gone/forwarding", "1"), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sysctl_write("net/ipv4/conf/one/forwarding", "1"), 0);
		assert_int_equal(sysctl_write("net/ipv4/conf/a.b/forwarding", "1"), 0);
		if (i == 0) {
			assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), 0);
			assert_int_equal(forwarding_hold(DIRECTORY, &other), 0);
			namespace_run("ip link del gone");
			assert_interface("two", "1");
			assert_int_equal(forwarding_release(other), 0);
			assert_interface("two", "1");
			assert_int_equal(forwarding_release(forwarding), 0);
		} else {
			crash();
			assert_int_equal(forwarding_drop(DIRECTORY, NULL), 0);
		}
		assert_forwarding("0");
		assert_interface("one", "1");
		assert_interface("a.b", "1");
		assert_interface("two", "0");
		assert_interface("lo", "0");
		assert_interface("default", "0");
		assert_int_equal(files(), 0);
	}
}

/* Such an interface is no network that needs forwarding, and hides none. */
static void an_interface_keeps_nothing(void **state)
{
	struct forwarding *forwarding;

	namespace_run("ip link add net type bridge");
	assert_int_equal(sysctl_write("net/ipv4/conf/net/forwarding", "1"), 0);
	assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), 0);
	assert_int_equal(forwarding_keep(forwarding, "net"), 0);
	assert_int_equal(forwarding_release(forwarding), 0);
	assert_forwarding("1");
	assert_int_equal(forwarding_drop(DIRECTORY, "net"), 0);
	assert_forwarding("0");
	assert_interface("net", "1");
	assert_int_equal(files(), 0);
}

/* A maker that died behind the lines and before the value. */
static void lines_without_a_value_are_written_anew(void **state)
{
	struct forwarding *forwarding;

	namespace_run("ip link add one type bridge && ip link add two type bridge");
	assert_int_equal(sysctl_write("net/ipv4/conf/one/forwarding", "1"), 0);
	crash();
	assert_int_equal(sysctl_write("net/ipv4/ip_forward", "0"), 0);
	namespace_run("for file in " DIRECTORY "/forwarding-*; do "
		      "printf '\\0\\n+one\\n+two\\n' >$file; done");
	assert_int_equal(sysctl_write("net/ipv4/conf/one/forwarding", "1"), 0);
	assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), 0);
	assert_int_equal(forwarding_release(forwarding), 0);
	assert_interface("one", "1");
	assert_interface("two", "0");
	assert_int_equal(files(), 0);
}

/* The next start after a crash knows the true original value. */
static void mends_a_crash(void **state)
{
	struct forwarding *forwarding;

	crash();
	assert_forwarding("1");
	assert_int_equal(files(), 1);
	assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), 0);
	assert_forwarding("1");
	assert_int_equal(forwarding_release(forwarding), 0);
	assert_forwarding("0");
	assert_int_equal(files(), 0);
}

/* A maker that died between making the file and writing to it. */
static void mends_an_empty_file(void **state)
{
	struct forwarding *forwarding;

	crash();
	assert_int_equal(sysctl_write("net/ipv4/ip_forward", "0"), 0);
	namespace_run("truncate -s 0 " DIRECTORY "/forwarding-*");
	assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), 0);
	assert_forwarding("1");
	assert_int_equal(forwarding_release(forwarding), 0);
	assert_forwarding("0");
	assert_int_equal(files(), 0);
}

/* Two networks that are strangers to each other share a directory but not a state. */
static void namespaces_are_apart(void **state)
{
	struct forwarding *a, *b;
	int first = namespace_here();

	assert_int_equal(forwarding_hold(DIRECTORY, &a), 0);
	namespace_new_network();
	assert_forwarding("0");
	assert_int_equal(forwarding_hold(DIRECTORY, &b), 0);
	assert_int_equal(files(), 2);
	assert_int_equal(forwarding_release(b), 0);
	assert_forwarding("0");
	namespace_join(first);
	assert_forwarding("1");
	assert_int_equal(forwarding_release(a), 0);
	assert_forwarding("0");
	close(first);
}

static int close_in_child(void *argument)
{
	forwarding_close_in_child(argument);
	forwarding_close_in_child(NULL);
	return 0;
}

static void a_child_lets_go(void **state)
{
	struct forwarding *a, *b;

	assert_int_equal(forwarding_hold(DIRECTORY, &a), 0);
	assert_int_equal(namespace_in_child(close_in_child, a), 0);
	assert_forwarding("1");
	assert_int_equal(forwarding_hold(DIRECTORY, &b), 0);
	assert_int_equal(forwarding_release(b), 0);
	assert_forwarding("1");
	assert_int_equal(forwarding_release(a), 0);
	assert_forwarding("0");
}

static void refuses(void **state)
{
	struct forwarding *forwarding = NULL;

	assert_int_equal(forwarding_hold("/run/missing", &forwarding), -ENOENT);
	/* somebody else's file is not followed */
	assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), 0);
	namespace_run(
		"cd " DIRECTORY " && for f in *; do mv $f ../stolen && ln -s ../stolen $f; done");
	struct forwarding *other = NULL;

	assert_int_equal(forwarding_hold(DIRECTORY, &other), -ELOOP);
	namespace_run("rm " DIRECTORY "/*");
	assert_int_equal(forwarding_release(forwarding), 0);
}

static void needs_a_writable_proc(void **state)
{
	struct forwarding *forwarding = NULL;

	assert_int_equal(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), -EROFS);
	assert_null(forwarding);
	assert_int_equal(files(), 0);
	assert_int_equal(umount("/proc/sys"), 0);
	/* no need to write what is there already */
	assert_int_equal(sysctl_write("net/ipv4/ip_forward", "1"), 0);
	assert_int_equal(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), 0);
	assert_int_equal(forwarding_release(forwarding), 0);
	assert_int_equal(umount("/proc/sys"), 0);
}

/* Holds, and says so through the pipe. */
static int hold_and_tell(void *argument)
{
	const int *ends = argument;
	struct forwarding *forwarding;

	if (forwarding_hold(DIRECTORY, &forwarding) < 0 || write(ends[1], "x", 1) != 1)
		return 1;
	return forwarding_release(forwarding) < 0 ? 2 : 0;
}

/*
 * While somebody writes the sysctl its value means nothing: the kernel shows the new one for a
 * moment, takes it back when its own lock is busy, and tries again.
 */
static void waits_for_the_writer(void **state)
{
	struct flock writer = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct forwarding *forwarding;
	int ends[2], fd, status;
	struct pollfd told;
	char path[128];
	pid_t pid;

	assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), 0);
	snprintf(path, sizeof(path), "%s", namespace_output("printf %%s " DIRECTORY "/*"));
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &writer), 0);
	assert_int_equal(pipe(ends), 0);
	told = (struct pollfd){.fd = ends[0], .events = POLLIN};
	pid = namespace_fork(hold_and_tell, ends);
	/* until the child stands in line for the lock */
	while (strcmp(namespace_output("grep -c -e '-> OFDLCK.*:'$(stat -c %%i %s)' ' /proc/locks; "
				       "true",
			      path),
		       "1\n") != 0)
		assert_int_equal(poll(&told, 1, 0), 0);
	assert_int_equal(poll(&told, 1, 0), 0);
	/* the child has a copy of the descriptor: closing ours would not do */
	writer.l_type = F_UNLCK;
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &writer), 0);
	close(fd);
	assert_int_equal(poll(&told, 1, 5000), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(forwarding_release(forwarding), 0);
}

#define RACERS 8
#define ROUNDS 400

/* Holds and releases as fast as it can; while it holds, forwarding must be on. */
static int race(void *argument)
{
	int round;

	for (round = 0; round < ROUNDS; round++) {
		struct forwarding *forwarding;
		char value[8];

		if (forwarding_hold(DIRECTORY, &forwarding) < 0)
			return 1;
		if (sysctl_read("net/ipv4/ip_forward", value, sizeof(value)) < 0 ||
			strcmp(value, "1") != 0)
			return 2;
		if (forwarding_release(forwarding) < 0)
			return 3;
	}
	return 0;
}

static void survives_races(void **state)
{
	pid_t racers[RACERS];
	int i, status;

	for (i = 0; i < RACERS; i++)
		racers[i] = namespace_fork(race, NULL);
	for (i = 0; i < RACERS; i++) {
		assert_int_equal(waitpid(racers[i], &status, 0), racers[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	assert_forwarding("0");
	assert_int_equal(files(), 0);
}

static void keeps_for_those_without_a_process(void **state)
{
	struct forwarding *forwarding;

	assert_int_equal(forwarding_drop(DIRECTORY, "net"), 0);
	assert_int_equal(files(), 0);
	assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), 0);
	assert_int_equal(forwarding_keep(forwarding, "net"), 0);
	assert_int_equal(forwarding_keep(forwarding, "net"), 0);
	assert_int_equal(forwarding_keep(forwarding, "net2"), 0);
	assert_int_equal(forwarding_release(forwarding), 0);
	assert_forwarding("1");
	/* others come and go */
	assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), 0);
	assert_int_equal(forwarding_release(forwarding), 0);
	assert_int_equal(forwarding_drop(DIRECTORY, NULL), 0);
	assert_int_equal(forwarding_drop(DIRECTORY, "ne"), 0);
	assert_int_equal(forwarding_drop(DIRECTORY, "net"), 0);
	assert_int_equal(forwarding_drop(DIRECTORY, "net"), 0);
	assert_forwarding("1");
	assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), 0);
	assert_int_equal(forwarding_drop(DIRECTORY, "net2"), 0);
	assert_forwarding("1");
	assert_int_equal(forwarding_release(forwarding), 0);
	assert_forwarding("0");
	assert_int_equal(files(), 0);
}

static void drop_mends_what_a_killed_one_left(void **state)
{
	namespace_run("sysctl -qw net.ipv4.ip_forward=1");
	assert_int_equal(forwarding_drop(DIRECTORY, NULL), 0);
	assert_forwarding("1");
	namespace_run("sysctl -qw net.ipv4.ip_forward=0");
	assert_int_equal(namespace_in_child(hold_and_exit, NULL), 0);
	assert_forwarding("1");
	assert_int_equal(files(), 1);
	assert_int_equal(forwarding_drop(DIRECTORY, NULL), 0);
	assert_forwarding("0");
	assert_int_equal(files(), 0);
}

static void has_a_limit(void **state)
{
	struct forwarding *forwarding;
	char name[40];
	int r = 0, i;

	assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), 0);
	for (i = 0; i < 1000 && r == 0; i++) {
		snprintf(name, sizeof(name), "a-rather-long-name-of-a-network-%d", i);
		r = forwarding_keep(forwarding, name);
	}
	assert_int_equal(r, -ENOSPC);
	for (; i >= 0; i--) {
		snprintf(name, sizeof(name), "a-rather-long-name-of-a-network-%d", i);
		assert_int_equal(forwarding_drop(DIRECTORY, name), 0);
	}
	assert_int_equal(forwarding_release(forwarding), 0);
	assert_forwarding("0");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(keeps_for_those_without_a_process, set_up),
		cmocka_unit_test_setup(drop_mends_what_a_killed_one_left, set_up),
		cmocka_unit_test_setup(has_a_limit, set_up),
		cmocka_unit_test_setup(restores_what_it_changed, set_up),
		cmocka_unit_test_setup(leaves_what_it_did_not_change, set_up),
		cmocka_unit_test_setup(leaves_redirects_as_they_were, set_up),
		cmocka_unit_test_setup(leaves_interfaces_as_they_were, set_up),
		cmocka_unit_test_setup(an_interface_keeps_nothing, set_up),
		cmocka_unit_test_setup(lines_without_a_value_are_written_anew, set_up),
		cmocka_unit_test_setup(the_last_one_restores, set_up),
		cmocka_unit_test_setup(mends_a_crash, set_up),
		cmocka_unit_test_setup(mends_an_empty_file, set_up),
		cmocka_unit_test_setup(namespaces_are_apart, set_up),
		cmocka_unit_test_setup(a_child_lets_go, set_up),
		cmocka_unit_test_setup(refuses, set_up),
		cmocka_unit_test_setup(needs_a_writable_proc, set_up),
		cmocka_unit_test_setup(waits_for_the_writer, set_up),
		cmocka_unit_test_setup(survives_races, set_up),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
