/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/host/address.h"
#include "control/host/netlink.h"
#include "tests/unit/host/namespace.h"

static struct nl_sock *route_socket;

static int set_up(void **state)
{
	namespace_new_network();
	namespace_run("ip link add veth0 type veth peer name veth1; "
		      "ip link set veth0 up; ip link set veth1 up");
	return netlink_open(&route_socket);
}

static int tear_down(void **state)
{
	netlink_close(route_socket);
	return 0;
}

static struct in_addr address_be(const char *text)
{
	struct in_addr address;

	assert_int_equal(inet_pton(AF_INET, text, &address), 1);
	return address;
}

static void makes_netmasks(void **state)
{
	assert_int_equal(address_netmask_be(0).s_addr, 0);
	assert_int_equal(address_netmask_be(1).s_addr, address_be("128.0.0.0").s_addr);
	assert_int_equal(address_netmask_be(24).s_addr, address_be("255.255.255.0").s_addr);
	assert_int_equal(address_netmask_be(32).s_addr, UINT32_MAX);
}

static void adds(void **state)
{
	int index = (int)if_nametoindex("veth0");

	assert_int_equal(address_add(route_socket, index, address_be("172.16.0.1"), 24), 0);
	assert_non_null(strstr(namespace_output("ip -br addr show veth0"), "172.16.0.1/24"));
	assert_non_null(strstr(namespace_output("ip route"), "172.16.0.0/24 dev veth0"));
	assert_int_equal(address_add(route_socket, index, address_be("172.16.0.1"), 24), -EEXIST);
	assert_int_equal(address_add(route_socket, 9999, address_be("172.16.0.1"), 24), -ENODEV);
}

/* Looks for what overlaps network/length, leaving out interface veth0. */
static int find(const char *network, uint8_t length, struct address_collision *collision)
{
	return address_find_collision(
		route_socket, (int)if_nametoindex("veth0"), address_be(network), length, collision);
}

static void finds_addresses(void **state)
{
	struct address_collision collision = {0};

	assert_int_equal(find("172.16.0.0", 24, &collision), 0);
	namespace_run("ip addr add 172.16.0.1/24 dev veth0");
	assert_int_equal(find("172.16.0.0", 24, &collision), 0);

	namespace_run("ip addr add 172.16.9.5/16 dev veth1");
	assert_int_equal(find("172.16.0.0", 24, &collision), 1);
	assert_string_equal(collision.interface, "veth1");
	assert_int_equal(collision.address_be.s_addr, address_be("172.16.9.5").s_addr);
	assert_int_equal(collision.prefix_length, 16);
	assert_false(collision.route);
	assert_int_equal(find("172.17.0.0", 24, &collision), 0);
	/* a wider network of ours holds theirs */
	assert_int_equal(find("172.0.0.0", 8, &collision), 1);
	/* loopback counts as well */
	assert_int_equal(find("127.0.0.0", 24, &collision), 1);
	assert_string_equal(collision.interface, "lo");
}

static void finds_peers(void **state)
{
	struct address_collision collision = {0};

	namespace_run("ip addr add 203.0.113.7 peer 172.16.0.9/32 dev veth1");
	assert_int_equal(find("172.16.0.0", 24, &collision), 1);
	assert_int_equal(collision.address_be.s_addr, address_be("172.16.0.9").s_addr);
	assert_int_equal(collision.prefix_length, 32);
	assert_int_equal(find("203.0.113.0", 24, &collision), 1);
	assert_int_equal(collision.prefix_length, 32);
	assert_int_equal(find("203.0.113.128", 25, &collision), 0);
}

static void finds_routes(void **state)
{
	struct address_collision collision = {0};

	/* wider ones, as those of a VPN, give way to ours */
	namespace_run("ip addr add 198.51.100.1/24 dev veth1; "
		      "ip route add default via 198.51.100.2; "
		      "ip route add 172.16.0.0/12 via 198.51.100.2");
	assert_int_equal(find("172.16.0.0", 24, &collision), 0);
	namespace_run("ip route add 172.16.0.128/25 via 198.51.100.2");
	assert_int_equal(find("172.16.0.0", 24, &collision), 1);
	assert_true(collision.route);
	assert_string_equal(collision.interface, "veth1");
	assert_int_equal(collision.address_be.s_addr, address_be("172.16.0.128").s_addr);
	assert_int_equal(collision.prefix_length, 25);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_netmasks),
		cmocka_unit_test_setup_teardown(adds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(finds_addresses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(finds_peers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(finds_routes, set_up, tear_down),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
