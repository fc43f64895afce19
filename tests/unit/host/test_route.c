/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/host/netlink.h"
#include "control/host/route.h"
#include "tests/unit/host/namespace.h"

static struct nl_sock *route_socket;

static int set_up(void **state)
{
	namespace_new_network();
	namespace_run("ip link add veth0 type veth peer name veth1; "
		      "ip link set veth0 up; ip link set veth1 up; "
		      "ip addr add 203.0.113.1/24 dev veth0; "
		      "ip addr add 198.51.100.1/24 dev veth1");
	return netlink_open(&route_socket);
}

static int tear_down(void **state)
{
	netlink_close(route_socket);
	return 0;
}

static void assert_egress(const char *interface, const char *source)
{
	struct route_egress egress;
	char text[INET_ADDRSTRLEN];

	assert_int_equal(route_find_egress(route_socket, 0, &egress), 0);
	assert_string_equal(egress.interface, interface);
	assert_int_equal(egress.index, if_nametoindex(interface));
	assert_string_equal(inet_ntop(AF_INET, &egress.source_be, text, sizeof(text)), source);
}

static void assert_no_egress(int except)
{
	struct route_egress egress = {.index = 77};

	assert_int_equal(route_find_egress(route_socket, except, &egress), -ENOENT);
	assert_int_equal(egress.index, 77);
}

static void says_when_there_is_none(void **state)
{
	assert_no_egress(0);
	/* these are no way out either */
	namespace_run("ip route add 172.16.0.0/12 via 198.51.100.2; "
		      "ip route add default via 198.51.100.2 table 100");
	assert_no_egress(0);
	namespace_run("ip route add blackhole default");
	assert_no_egress(0);
	namespace_run("ip route replace unreachable default");
	assert_no_egress(0);
	namespace_run("ip route replace prohibit default");
	assert_no_egress(0);
	namespace_run("ip route replace local default dev lo table local");
	assert_no_egress(0);
	namespace_run("ip route del local default dev lo table local; "
		      "ip route replace default via 198.51.100.2");
	assert_egress("veth1", "198.51.100.1");
	assert_no_egress((int)if_nametoindex("veth1"));
}

static void prefers_the_lowest_metric(void **state)
{
	namespace_run("ip route add default via 203.0.113.2 metric 200");
	assert_egress("veth0", "203.0.113.1");
	namespace_run("ip route add default via 198.51.100.2 metric 100");
	assert_egress("veth1", "198.51.100.1");
	namespace_run("ip route add default via 203.0.113.2");
	assert_egress("veth0", "203.0.113.1");
	namespace_run("ip link set veth0 down");
	assert_egress("veth1", "198.51.100.1");
}

/* As wg-quick and OpenVPN (def1) take the default's place. */
static void follows_a_vpn(void **state)
{
	namespace_run("ip route add default via 203.0.113.2");
	assert_egress("veth0", "203.0.113.1");
	namespace_run("ip route add default dev veth1 table 51820; "
		      "ip rule add not fwmark 51820 table 51820");
	assert_egress("veth1", "198.51.100.1");
	namespace_run("ip rule del table 51820");
	assert_egress("veth0", "203.0.113.1");
	namespace_run("ip route add 0.0.0.0/1 via 198.51.100.2; "
		      "ip route add 128.0.0.0/1 via 198.51.100.2");
	assert_egress("veth1", "198.51.100.1");
}

static void chooses_the_source(void **state)
{
	/* the address in the router's network, not the first one */
	namespace_run("ip addr add 192.0.2.1/24 dev veth1; "
		      "ip route add default via 192.0.2.2 dev veth1");
	assert_egress("veth1", "192.0.2.1");
	/* what the route says */
	namespace_run("ip route replace default via 192.0.2.2 dev veth1 src 198.51.100.1");
	assert_egress("veth1", "198.51.100.1");
	/* without a router, the first address */
	namespace_run("ip route replace default dev veth1");
	assert_egress("veth1", "198.51.100.1");
}

static void assert_mtu(uint32_t mtu)
{
	struct route_egress egress;

	assert_int_equal(route_find_egress(route_socket, 0, &egress), 0);
	assert_int_equal(egress.mtu, mtu);
}

static void knows_the_mtu(void **state)
{
	namespace_run("ip route add default via 198.51.100.2");
	assert_mtu(1500);
	namespace_run("ip link set veth1 mtu 1420");
	assert_mtu(1420);
	/* a route may say less, and cannot say more */
	namespace_run("ip route replace default via 198.51.100.2 mtu 1380");
	assert_mtu(1380);
	namespace_run("ip route replace default via 198.51.100.2 mtu 9000");
	assert_mtu(1420);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(says_when_there_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(prefers_the_lowest_metric, set_up, tear_down),
		cmocka_unit_test_setup_teardown(follows_a_vpn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(chooses_the_source, set_up, tear_down),
		cmocka_unit_test_setup_teardown(knows_the_mtu, set_up, tear_down),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
