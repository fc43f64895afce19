/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/host/link.h"
#include "control/host/netlink.h"
#include "tests/unit/host/namespace.h"

static struct nl_sock *route_socket;

static int set_up(void **state)
{
	namespace_new_network();
	namespace_run("ip link add veth0 type veth peer name veth1");
	return netlink_open(&route_socket);
}

static int tear_down(void **state)
{
	netlink_close(route_socket);
	return 0;
}

static void gets(void **state)
{
	static const uint8_t mac[] = {0x02, 1, 2, 3, 4, 5};
	struct link_info info;
	char name[IFNAMSIZ];

	namespace_run("ip link set veth0 address 02:01:02:03:04:05 mtu 1400");
	assert_int_equal(link_get(route_socket, "veth0", &info), 0);
	assert_int_equal(info.index, if_nametoindex("veth0"));
	assert_false(info.up);
	assert_int_equal(info.mtu, 1400);
	assert_memory_equal(info.mac, mac, sizeof(mac));
	assert_int_equal(link_name(route_socket, info.index, name, sizeof(name)), 0);
	assert_string_equal(name, "veth0");
	assert_int_equal(link_get(route_socket, "none", &info), -ENODEV);
	assert_int_equal(link_name(route_socket, 9999, name, sizeof(name)), -ENODEV);
}

static void sets(void **state)
{
	static const uint8_t mac[] = {0x02, 9, 8, 7, 6, 5};
	struct link_info info;
	int index = (int)if_nametoindex("veth0");

	assert_int_equal(link_set_mac(route_socket, index, mac), 0);
	assert_int_equal(link_set_mtu(route_socket, index, 9000), 0);
	assert_int_equal(link_set_up(route_socket, index, true), 0);
	assert_int_equal(link_get(route_socket, "veth0", &info), 0);
	assert_true(info.up);
	assert_int_equal(info.mtu, 9000);
	assert_memory_equal(info.mac, mac, sizeof(mac));
	assert_non_null(strstr(namespace_output("ip -br link show veth0"), "02:09:08:07:06:05"));
	assert_int_equal(link_set_up(route_socket, index, false), 0);
	assert_int_equal(link_get(route_socket, "veth0", &info), 0);
	assert_false(info.up);
	/* the rest stayed as it was */
	assert_int_equal(info.mtu, 9000);
}

static void refuses(void **state)
{
	static const uint8_t multicast[] = {0x01, 9, 8, 7, 6, 5};
	int index = (int)if_nametoindex("veth0");

	assert_int_equal(link_set_up(route_socket, 9999, true), -ENODEV);
	assert_int_equal(link_set_mtu(route_socket, index, 10), -EINVAL);
	assert_int_equal(link_set_mac(route_socket, index, multicast), -EADDRNOTAVAIL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(gets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses, set_up, tear_down),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
