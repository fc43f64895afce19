/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/run/standing.h"

static const struct standing there = {.tap = "tap7", .host_ip = "10.1.0.1/24"};

static int set_up(void **state)
{
	unsetenv("TAP_NAME");
	unsetenv("HOST_IP");
	return 0;
}

/* Expects TAP and gateway as they are. */
static void assert_adopted(const char *tap, const char *host_ip)
{
	const struct plan_wishes wishes = {.network = "net", .tap = tap, .host_ip = host_ip};
	struct plan_wishes adopted = {0};
	char error[PLAN_ERROR_SIZE] = "";

	assert_int_equal(standing_adopt(&there, &wishes, &adopted, error), 0);
	assert_string_equal(adopted.network, "net");
	assert_string_equal(adopted.tap, "tap7");
	assert_string_equal(adopted.host_ip, "10.1.0.1/24");
}

static void assert_refused(const char *tap, const char *host_ip, const char *says)
{
	const struct plan_wishes wishes = {.network = "net", .tap = tap, .host_ip = host_ip};
	struct plan_wishes untouched = {.network = "untouched"};
	char error[PLAN_ERROR_SIZE] = "";

	assert_int_equal(standing_adopt(&there, &wishes, &untouched, error), -EEXIST);
	assert_string_equal(error, says);
	assert_string_equal(untouched.network, "untouched");
}

static void takes_what_is_there(void **state)
{
	assert_adopted(NULL, NULL);
	assert_adopted("tap7", "10.1.0.1");
	assert_adopted(NULL, "10.1.0.1/24");
	setenv("TAP_NAME", "", 1);
	setenv("HOST_IP", "", 1);
	assert_adopted(NULL, NULL);
	/* the option wins over the environment */
	setenv("TAP_NAME", "tap0", 1);
	setenv("HOST_IP", "172.16.0.1", 1);
	assert_adopted("tap7", "10.1.0.1");
}

static void refuses_what_contradicts(void **state)
{
	assert_refused("tap0", NULL,
		"the network net is there already, on TAP tap7: leave out --tap-name tap0, or take "
		"another --name");
	assert_refused(NULL, "10.1.0.1/16",
		"the network net is there already, with gateway 10.1.0.1/24: leave out --host-ip "
		"10.1.0.1/16, or take another --name");
	/* the beginning of an address is another one */
	assert_refused(NULL, "10.1.0.11",
		"the network net is there already, with gateway 10.1.0.1/24: leave out --host-ip "
		"10.1.0.11, or take another --name");
	/* and so is that of a prefix */
	assert_refused(NULL, "10.1.0.1/2",
		"the network net is there already, with gateway 10.1.0.1/24: leave out --host-ip "
		"10.1.0.1/2, or take another --name");
	setenv("HOST_IP", "172.16.0.1", 1);
	assert_refused(NULL, NULL,
		"the network net is there already, with gateway 10.1.0.1/24: leave out HOST_IP "
		"172.16.0.1, or take another --name");
	setenv("TAP_NAME", "tap0", 1);
	assert_refused(NULL, NULL,
		"the network net is there already, on TAP tap7: leave out TAP_NAME tap0, or take "
		"another --name");
}

static void a_network_without_a_tap(void **state)
{
	const struct standing none = {.host_ip = "10.1.0.1/24"};
	const struct plan_wishes wishes = {.network = "net", .tap = "tap3"};
	struct plan_wishes adopted = {0};
	char error[PLAN_ERROR_SIZE] = "";

	assert_int_equal(standing_adopt(&none, &wishes, &adopted, error), 0);
	assert_string_equal(adopted.tap, "tap3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(takes_what_is_there, set_up),
		cmocka_unit_test_setup(refuses_what_contradicts, set_up),
		cmocka_unit_test_setup(a_network_without_a_tap, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
