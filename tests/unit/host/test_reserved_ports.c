/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/host/reserved_ports.h"
#include "tests/unit/host/namespace.h"

#define DIRECTORY "/run/chnet"

static int set_up(void **state)
{
	namespace_new_network();
	namespace_run("rm -rf " DIRECTORY "; mkdir " DIRECTORY);
	return 0;
}

static void assert_reserved(const char *expected)
{
	assert_string_equal(
		namespace_output("tr -d '\\n' < /proc/sys/net/ipv4/ip_local_reserved_ports"),
		expected);
}

static void assert_files(const char *expected)
{
	assert_string_equal(namespace_output("ls " DIRECTORY " | wc -l | tr -d '\\n'"), expected);
}

static struct port_set ports(const char *text)
{
	struct port_set set;

	assert_int_equal(port_set_parse(text, &set), 0);
	return set;
}

static struct reserved_ports *hold(const char *tap, const char *text)
{
	struct port_set wanted = ports(text);
	struct reserved_ports *held = NULL;

	assert_int_equal(reserved_ports_hold(DIRECTORY, tap, &wanted, &held), 0);
	return held;
}

static void adds_and_takes_out(void **state)
{
	struct reserved_ports *held = hold("tap0", "50000-50099");

	assert_reserved("50000-50099");
	assert_files("1");
	assert_int_equal(reserved_ports_release(held), 0);
	assert_reserved("");
	assert_files("0");
	assert_int_equal(reserved_ports_release(NULL), 0);
}

/* Entries of others stay, also where they are within ours, and those that come meanwhile. */
static void keeps_what_others_reserve(void **state)
{
	struct reserved_ports *held;

	namespace_run("echo 8080,50010-50019,50090-50110 > "
		      "/proc/sys/net/ipv4/ip_local_reserved_ports");
	held = hold("tap0", "50000-50099");
	assert_reserved("8080,50000-50110");
	namespace_run("echo 8080,9090,50000-50110 > /proc/sys/net/ipv4/ip_local_reserved_ports");
	assert_int_equal(reserved_ports_release(held), 0);
	assert_reserved("8080,9090,50010-50019,50090-50110");
}

static void changes(void **state)
{
	struct reserved_ports *held;
	struct port_set wanted;

	namespace_run("echo 105 > /proc/sys/net/ipv4/ip_local_reserved_ports");
	held = hold("tap0", "100-109");
	wanted = ports("104-119,8080");
	assert_int_equal(reserved_ports_change(held, &wanted), 0);
	assert_reserved("104-119,8080");
	wanted = ports("8080");
	assert_int_equal(reserved_ports_change(held, &wanted), 0);
	assert_reserved("105,8080");
	assert_int_equal(reserved_ports_release(held), 0);
	assert_reserved("105");
}

static void networks_do_not_share(void **state)
{
	/* dashes in names do not make them the same */
	struct reserved_ports *first = hold("tap-0", "100-109,8080");
	struct reserved_ports *second = hold("tap-0-1", "200-209");
	struct port_set wanted = ports("109-120");
	struct reserved_ports *third = NULL;

	assert_int_equal(reserved_ports_hold(DIRECTORY, "tap2", &wanted, &third), -EADDRINUSE);
	assert_null(third);
	assert_int_equal(reserved_ports_change(second, &wanted), -EADDRINUSE);
	assert_reserved("100-109,200-209,8080");
	assert_files("2");
	assert_int_equal(reserved_ports_release(first), 0);
	assert_reserved("200-209");
	assert_int_equal(reserved_ports_change(second, &wanted), 0);
	assert_reserved("109-120");
	/* another network namespace has a list of its own */
	namespace_new_network();
	third = hold("tap-0", "109");
	assert_reserved("109");
	assert_int_equal(reserved_ports_release(third), 0);
	reserved_ports_close_in_child(second);
}

static int hold_and_die(void *argument)
{
	hold("tap0", "50000-50099");
	raise(SIGKILL);
	return 1;
}

static void the_next_start_mends(void **state)
{
	struct reserved_ports *held;
	int status;

	namespace_run("echo 50050 > /proc/sys/net/ipv4/ip_local_reserved_ports");
	for (int i = 0; i < 2; i++) {
		assert_true(waitpid(namespace_fork(hold_and_die, NULL), &status, 0) > 0);
		assert_true(WIFSIGNALED(status));
		assert_reserved("50000-50099");
		assert_files("1");
		/* of the same name, and of another */
		held = hold(i == 0 ? "tap0" : "tap1", "50090-50109");
		assert_reserved("50050,50090-50109");
		assert_files("1");
		assert_int_equal(reserved_ports_release(held), 0);
		assert_reserved("50050");
		assert_files("0");
	}
}

/* A start that needs no ports mends too, and touches nobody alive. */
static void mends_alone(void **state)
{
	struct reserved_ports *held = hold("tap1", "8080");
	int status;

	assert_true(waitpid(namespace_fork(hold_and_die, NULL), &status, 0) > 0);
	assert_reserved("8080,50000-50099");
	assert_int_equal(reserved_ports_mend(DIRECTORY), 0);
	assert_reserved("8080");
	assert_files("1");
	assert_int_equal(reserved_ports_release(held), 0);
	assert_int_equal(reserved_ports_mend(DIRECTORY), 0);
	assert_reserved("");
	assert_int_equal(reserved_ports_mend("/run/missing"), 0);
}

static int close_in_child(void *argument)
{
	reserved_ports_close_in_child(argument);
	reserved_ports_close_in_child(NULL);
	return 0;
}

static void a_child_lets_go(void **state)
{
	struct reserved_ports *held = hold("tap0", "100");
	struct port_set wanted = ports("100");
	struct reserved_ports *second;

	assert_int_equal(namespace_in_child(close_in_child, held), 0);
	assert_reserved("100");
	assert_int_equal(reserved_ports_hold(DIRECTORY, "tap1", &wanted, &second), -EADDRINUSE);
	assert_int_equal(reserved_ports_release(held), 0);
	assert_reserved("");
}

/* Nothing stays of a hold that could not be had. */
static void changes_nothing_when_it_fails(void **state)
{
	struct port_set wanted = ports("100");
	struct reserved_ports *held = NULL;

	assert_int_equal(reserved_ports_hold("/run/missing", "tap0", &wanted, &held), -ENOENT);
	assert_int_equal(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	assert_int_equal(reserved_ports_hold(DIRECTORY, "tap0", &wanted, &held), -EROFS);
	assert_int_equal(umount("/proc/sys"), 0);
	assert_null(held);
	assert_reserved("");
	assert_files("0");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(adds_and_takes_out, set_up),
		cmocka_unit_test_setup(keeps_what_others_reserve, set_up),
		cmocka_unit_test_setup(changes, set_up),
		cmocka_unit_test_setup(networks_do_not_share, set_up),
		cmocka_unit_test_setup(the_next_start_mends, set_up),
		cmocka_unit_test_setup(mends_alone, set_up),
		cmocka_unit_test_setup(a_child_lets_go, set_up),
		cmocka_unit_test_setup(changes_nothing_when_it_fails, set_up),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
