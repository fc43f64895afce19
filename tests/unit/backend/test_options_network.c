/* SPDX-License-Identifier: BSD-3-Clause */
#include "options_case.h"

#include <arpa/inet.h>

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SOCKET "--socket", "/run/a.sock"

static int clear(void **state)
{
	options_clear_environment();
	return 0;
}

#define TAP_REST " is not an interface name: take one such as tap0"
#define NAME_REST                                                                    \
	" is no name: take up to 32 letters, digits, '.', '_' and '-', a letter or " \
	"digit first"

static const struct options_case errors[] = {
	{{SOCKET, "--uplink", "wifi"}, "--uplink wifi: 'wifi' is no uplink: take tap or none"},
	{{SOCKET, "--nat=carrier"}, "--nat carrier: 'carrier' is no NAT: take user or kernel"},
	{{SOCKET, "--dhcp", "yes"}, "--dhcp yes: 'yes' is neither on nor off"},
	{{SOCKET, "--dns="}, "--dns: '' is neither on nor off"},
	{{SOCKET, "--tap", "abcdefghijklmnop"}, "--tap abcdefghijklmnop: the name is 16 bytes long "
						"and the kernel allows 15: take a "
						"shorter one"},
	{{SOCKET, "--tap="}, "--tap: ''" TAP_REST},
	{{SOCKET, "--tap=a/b"}, "--tap a/b: 'a/b'" TAP_REST},
	{{SOCKET, "--tap=a b"}, "--tap a b: 'a b'" TAP_REST},
	{{SOCKET, "--tap=tap%d"}, "--tap tap%d: 'tap%d'" TAP_REST},
	{{SOCKET, "--tap=.."}, "--tap ..: '..'" TAP_REST},
	{{SOCKET, "--host-ip", "host"},
		"--host-ip host: 'host' is not an IPv4 address: write it as 172.16.0.1/24"},
	{{SOCKET, "--host-ip", "172.16.0.1.172.16.0.1"},
		"--host-ip 172.16.0.1.172.16.0.1: '172.16.0.1.172.16.0.1' is not an IPv4 address: "
		"write it as 172.16.0.1/24"},
	{{SOCKET, "--host-ip", "10.0.0.1/31"},
		"--host-ip 10.0.0.1/31: '31' is not a prefix length from 16 to 30: write it as "
		"172.16.0.1/24"},
	{{SOCKET, "--host-ip", "10.0.0.1/"},
		"--host-ip 10.0.0.1/: '' is not a prefix length from 16 to 30: write it as "
		"172.16.0.1/24"},
	{{SOCKET, "--host-ip", "127.0.0.1"}, "--host-ip 127.0.0.1: 127.0.0.1 is not an address of "
					     "a LAN: take a private one such "
					     "as 172.16.0.1"},
	{{SOCKET, "--host-ip", "224.0.0.1"}, "--host-ip 224.0.0.1: 224.0.0.1 is not an address of "
					     "a LAN: take a private one such "
					     "as 172.16.0.1"},
	{{SOCKET, "--host-ip", "10.0.0.0"}, "--host-ip 10.0.0.0: 10.0.0.0 is the network or "
					    "broadcast address of its /24: take a "
					    "host's, such as 172.16.0.1/24"},
	{{SOCKET, "--host-ip", "10.0.0.7/29"},
		"--host-ip 10.0.0.7/29: 10.0.0.7 is the network or broadcast address of its /29: "
		"take a host's, such as 172.16.0.1/24"},
	{{SOCKET, "--name", "../x"}, "--name ../x: '../x'" NAME_REST},
	{{SOCKET, "--name="}, "--name: ''" NAME_REST},
	{{SOCKET, "--name", "abcdefghijabcdefghijabcdefghijabc"},
		"--name abcdefghijabcdefghijabcdefghijabc: "
		"'abcdefghijabcdefghijabcdefghijabc'" NAME_REST},
};

static void what_is_wrong_is_said(void **state)
{
	options_bad(errors, sizeof(errors) / sizeof(errors[0]));
}

static void what_is_right_is_taken(void **state)
{
	const struct options options = options_good(ARGUMENTS(SOCKET, "--uplink", "tap",
		"--nat=kernel", "--tap", "a-b_c.d", "--host-ip", "10.1.2.2/30", "--dhcp=off",
		"--dns", "off", "--name", "0-a_b.c", "--api", "/run/x/api"));

	assert_int_equal(options.uplink, OPTIONS_UPLINK_TAP);
	assert_int_equal(options.nat, OPTIONS_NAT_KERNEL);
	assert_string_equal(options.tap, "a-b_c.d");
	assert_int_equal(options.host_ip_be, inet_addr("10.1.2.2"));
	assert_int_equal(options.prefix, 30);
	assert_false(options.dhcp);
	assert_false(options.dns);
	assert_string_equal(options.name, "0-a_b.c");
	assert_string_equal(options.api, "/run/x/api");
}

static void a_gateway_without_a_length_has_24_bits(void **state)
{
	const struct options options =
		options_good(ARGUMENTS(SOCKET, "--host-ip", "192.168.7.255/16"));

	assert_int_equal(options.prefix, 16);
	assert_int_equal(options_good(ARGUMENTS(SOCKET, "--host-ip", "192.168.7.1")).prefix, 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_wrong_is_said, clear),
		cmocka_unit_test_setup(what_is_right_is_taken, clear),
		cmocka_unit_test_setup(a_gateway_without_a_length_has_24_bits, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
