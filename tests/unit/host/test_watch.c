/* SPDX-License-Identifier: BSD-3-Clause */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/host/netlink.h"
#include "control/host/watch.h"
#include "tests/unit/host/namespace.h"

static struct nl_sock *watch;

static int set_up(void **state)
{
	namespace_new_network();
	namespace_run("ip link add veth0 type veth peer name veth1; "
		      "ip link set veth0 up; ip link set veth1 up; "
		      "ip addr add 203.0.113.1/24 dev veth0");
	return watch_open(&watch);
}

static int tear_down(void **state)
{
	netlink_close(watch);
	return 0;
}

/* Netlink reports before the command that made the change returns. */
static void assert_reported(void)
{
	struct pollfd poll_fd = {.fd = watch_fd(watch), .events = POLLIN};

	assert_int_equal(poll(&poll_fd, 1, 5000), 1);
	assert_true(watch_drain(watch));
	assert_false(watch_drain(watch));
}

static void reports_changes(void **state)
{
	watch_drain(watch);
	namespace_run("ip route add default via 203.0.113.2");
	assert_reported();
	namespace_run("ip addr add 203.0.113.9/24 dev veth0");
	assert_reported();
	namespace_run("ip rule add fwmark 1 table 100");
	assert_reported();
	namespace_run("ip link set veth0 down");
	assert_reported();
}

/* More than the socket holds. */
static void survives_a_flood(void **state)
{
	watch_drain(watch);
	namespace_run("seq 1 3000 | sed 's/.*/route add default via 203.0.113.2 metric &/' | "
		      "ip -batch -");
	assert_reported();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reports_changes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(survives_a_flood, set_up, tear_down),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
