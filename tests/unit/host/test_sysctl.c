/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/host/sysctl.h"
#include "tests/unit/host/namespace.h"

static void reads_what_was_written(void **state)
{
	char value[16] = "";

	assert_int_equal(sysctl_write("net/ipv4/ip_forward", "1"), 0);
	assert_int_equal(sysctl_read("net/ipv4/ip_forward", value, sizeof(value)), 0);
	assert_string_equal(value, "1");
	assert_string_equal(namespace_output("cat /proc/sys/net/ipv4/ip_forward"), "1\n");
	assert_int_equal(sysctl_write("net/ipv4/ip_forward", "0"), 0);
	assert_int_equal(sysctl_read("net/ipv4/ip_forward", value, sizeof(value)), 0);
	assert_string_equal(value, "0");
}

static void reads_a_list(void **state)
{
	char value[32];

	namespace_run("echo 5000-5010,6000 > /proc/sys/net/ipv4/ip_local_reserved_ports");
	assert_int_equal(sysctl_read("net/ipv4/ip_local_reserved_ports", value, sizeof(value)), 0);
	assert_string_equal(value, "5000-5010,6000");
}

static void refuses(void **state)
{
	char value[2] = "x";

	assert_int_equal(sysctl_read("net/ipv4/no_such", value, sizeof(value)), -ENOENT);
	assert_int_equal(sysctl_write("net/ipv4/no_such", "1"), -ENOENT);
	assert_int_equal(sysctl_read("../version", value, sizeof(value)), -EINVAL);
	assert_int_equal(sysctl_read("net/../../version", value, sizeof(value)), -EINVAL);
	assert_int_equal(sysctl_write("net/ipv4/conf/a..b/forwarding", "1"), -ENOENT);
	assert_int_equal(sysctl_write("net/ipv4/ip_forward", "much"), -EINVAL);
	/* "0\n" does not fit with a terminator, which is said rather than cut off */
	assert_int_equal(sysctl_read("net/ipv4/ip_forward", value, sizeof(value)), -ENOSPC);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_was_written),
		cmocka_unit_test(reads_a_list),
		cmocka_unit_test(refuses),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
