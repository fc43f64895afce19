/* SPDX-License-Identifier: BSD-3-Clause */
#include "options_case.h"

#include <arpa/inet.h>
#include <stdio.h>

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const uint8_t mac_12[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

static int clear(void **state)
{
	options_clear_environment();
	return 0;
}

static void test_all_keys(void **state)
{
	struct options options = options_good(ARGUMENTS("--socket",
		"/run/a.sock,mac=52:54:00:12:34:56,ip=172.16.0.2,ctrl-vq=on,profile=redox",
		"--socket=b.sock",
		"--socket=/c,profile=full,hostname=Web-1,ctrl-vq=off,mode=client",
		"--socket=/d,mode=server"));

	assert_int_equal(options.socket_count, 4);
	assert_string_equal(options.sockets[0].path, "/run/a.sock");
	assert_true(options.sockets[0].has_mac);
	assert_memory_equal(options.sockets[0].mac, mac_12, 6);
	assert_int_equal(options.sockets[0].ip_be, inet_addr("172.16.0.2"));
	assert_true(options.sockets[0].ctrl_vq);
	assert_int_equal(options.sockets[0].profile, OPTIONS_PROFILE_REDOX);

	assert_string_equal(options.sockets[1].path, "b.sock");
	assert_false(options.sockets[1].has_mac);
	assert_int_equal(options.sockets[1].ip_be, 0);
	assert_false(options.sockets[1].ctrl_vq);
	assert_int_equal(options.sockets[1].profile, OPTIONS_PROFILE_AUTO);

	assert_string_equal(options.sockets[1].hostname, "");
	assert_string_equal(options.sockets[2].hostname, "web-1");
	assert_false(options.sockets[2].ctrl_vq);
	assert_int_equal(options.sockets[2].profile, OPTIONS_PROFILE_FULL);
	assert_false(options.sockets[0].vmm_listens || options.sockets[2].vmm_listens);
	assert_true(options.sockets[3].vmm_listens);
	assert_true(options_has_vmm_socket(&options));
	options = options_good(ARGUMENTS("--socket=/a,mode=client", "--socket=/b"));
	assert_false(options_has_vmm_socket(&options));
}

static void test_environment_completes_the_first(void **state)
{
	setenv("GUEST_MAC", "52:54:00:12:34:56", 1);
	setenv("GUEST_IP", "172.16.0.9", 1);
	struct options options = options_good(ARGUMENTS("--socket=/a", "--socket=/b"));
	assert_memory_equal(options.sockets[0].mac, mac_12, 6);
	assert_int_equal(options.sockets[0].ip_be, inet_addr("172.16.0.9"));
	assert_false(options.sockets[1].has_mac);
	assert_int_equal(options.sockets[1].ip_be, 0);

	options = options_good(ARGUMENTS("--socket=/a,mac=02:00:00:00:00:01,ip=172.16.0.3"));
	assert_int_equal(options.sockets[0].mac[0], 2);
	assert_int_equal(options.sockets[0].ip_be, inet_addr("172.16.0.3"));
}

static void test_bad_environment(void **state)
{
	const struct options_case mac = {{"--socket=/a"},
		"GUEST_MAC in the environment: 'abc' is not a MAC address: write six hexadecimal "
		"bytes, as 52:54:00:12:34:56"};
	const struct options_case ip = {{"--socket=/a"},
		"GUEST_IP in the environment: '172.16.0.2/24' is not an IPv4 address: write it as "
		"172.16.0.2, without a prefix length"};
	const struct options_case outside = {{"--socket=/a"},
		"GUEST_IP in the environment: ip=10.0.0.2 is outside the LAN 172.16.0.0/24: take "
		"an address such as 172.16.0.2, or another LAN with --host-ip"};

	setenv("GUEST_MAC", "abc", 1);
	options_bad(&mac, 1);
	unsetenv("GUEST_MAC");
	setenv("GUEST_IP", "172.16.0.2/24", 1);
	options_bad(&ip, 1);
	setenv("GUEST_IP", "10.0.0.2", 1);
	options_bad(&outside, 1);
}

#define PATH_36 "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PATH_108 PATH_36 PATH_36 PATH_36

static const struct options_case errors[] = {
	{{"--socket", "/run/a.sock,mac=52:54:zz"},
		"--socket /run/a.sock,mac=52:54:zz: 'mac=52:54:zz' is not a MAC address: write six "
		"hexadecimal bytes, as 52:54:00:12:34:56"},
	{{"--socket", "/a,mac=52-54-00-12-34-56"},
		"--socket /a,mac=52-54-00-12-34-56: 'mac=52-54-00-12-34-56' is not a MAC address: "
		"write six hexadecimal bytes, as 52:54:00:12:34:56"},
	{{"--socket", "/a,mac=53:54:00:12:34:56"},
		"--socket /a,mac=53:54:00:12:34:56: 'mac=53:54:00:12:34:56' is a multicast "
		"address: "
		"the first byte must be even, as in 52:54:00:12:34:56"},
	{{"--socket", "/a,mac=00:00:00:00:00:00"},
		"--socket /a,mac=00:00:00:00:00:00: 'mac=00:00:00:00:00:00' is no address: take "
		"one "
		"such as 52:54:00:12:34:56"},
	{{"--socket", "/a,ip=172.16.0"},
		"--socket /a,ip=172.16.0: 'ip=172.16.0' is not an IPv4 address: write it as "
		"172.16.0.2, without a prefix length"},
	{{"--socket", "/a,ip=0.0.0.0"},
		"--socket /a,ip=0.0.0.0: 'ip=0.0.0.0' is not an IPv4 address: write it as "
		"172.16.0.2, without a prefix length"},
	{{"--socket", "/a,ctrl-vq=yes"},
		"--socket /a,ctrl-vq=yes: 'ctrl-vq=yes' is neither ctrl-vq=on nor ctrl-vq=off"},
	{{"--socket", "/a,profile=bsd"},
		"--socket /a,profile=bsd: 'profile=bsd' is no profile: take auto, redox or full"},
	{{"--socket", "/a,mode=listen"},
		"--socket /a,mode=listen: 'mode=listen' is no mode of a VMM: take mode=client when "
		"the VMM connects to us, mode=server when it listens and we connect"},
	{{"--socket", "/a,queues=2"},
		"--socket /a,queues=2: 'queues=2' is not a setting of a socket: use mac=, ip=, "
		"hostname=, ctrl-vq=, profile= or mode="},
	{{"--socket", "/a,hostname=my_guest"},
		"--socket /a,hostname=my_guest: 'hostname=my_guest' is not a host's name: take up "
		"to 63 letters, digits and hyphens, no hyphen at an end"},
	{{"--socket", "/a,hostname="},
		"--socket /a,hostname=: 'hostname=' is not a host's name: take up to 63 letters, "
		"digits and hyphens, no hyphen at an end"},
	{{"--socket", "/a,hostname=Host"},
		"--socket /a,hostname=Host: 'hostname=Host' is the name of the host: take another"},
	{{"--socket", "/a,hostname=web", "--socket", "/b,hostname=WEB"},
		"--socket /b: hostname=web is already that of --socket /a: each guest needs its "
		"own"},
	{{"--socket", "/a,mac"}, "--socket /a,mac: 'mac' is not a setting of a socket: use mac=, "
				 "ip=, hostname=, ctrl-vq=, profile= or mode="},
	{{"--socket", "/a,ip=172.16.0.2,ip=172.16.0.3"},
		"--socket /a,ip=172.16.0.2,ip=172.16.0.3: ip= is given twice: leave one out"},
	{{"--socket="}, "--socket: names no file: write the path of the socket to make, as "
			"/run/chnet/guest1.sock"},
	{{"--socket", ",ip=172.16.0.2"},
		"--socket ,ip=172.16.0.2: names no file: write the path of the socket to make, as "
		"/run/chnet/guest1.sock"},
	{{"--socket", "/run/"}, "--socket /run/: names no file: write the path of the socket to "
				"make, as /run/chnet/guest1.sock"},
	{{"--socket", PATH_108}, "--socket " PATH_108 ": the path is 108 bytes long and the kernel "
				 "allows 107: take a shorter one"},
	{{"--socket=/a", "--socket=/a"},
		"--socket /a: is given twice: each guest needs a socket of its own"},
	{{"--socket=/a,mac=02:00:00:00:00:01", "--socket=/b,mac=02:00:00:00:00:01"},
		"--socket /b: mac=02:00:00:00:00:01 is already that of --socket /a: each guest "
		"needs "
		"its own"},
	{{"--socket=/a,ip=172.16.0.2", "--socket=/b,ip=172.16.0.2"},
		"--socket /b: ip=172.16.0.2 is already that of --socket /a: take an address such "
		"as "
		"172.16.0.3"},
	/* Every address of 10.0.0.8/29 is taken: .9 gateway, .14 NAT. */
	{{"--host-ip=10.0.0.9/29", "--socket=/a,ip=10.0.0.10", "--socket=/b,ip=10.0.0.11",
		 "--socket=/c,ip=10.0.0.12", "--socket=/d,ip=10.0.0.13",
		 "--socket=/e,ip=10.0.0.13"},
		"--socket /e: ip=10.0.0.13 is already that of --socket /d: the LAN is full, take a "
		"larger one"},
	{{"--socket=/a,ip=172.16.0.1"}, "--socket /a: ip=172.16.0.1 is the gateway's address: take "
					"an address such as 172.16.0.2"},
	{{"--socket=/a,ip=172.16.0.254"}, "--socket /a: ip=172.16.0.254 is the NAT's own address: "
					  "take an address such as 172.16.0.2"},
	{{"--socket=/a,ip=172.16.0.0"}, "--socket /a: ip=172.16.0.0 is the LAN's network address: "
					"take an address such as 172.16.0.2"},
	{{"--socket=/a,ip=172.16.0.255"},
		"--socket /a: ip=172.16.0.255 is the LAN's broadcast address: take an address such "
		"as 172.16.0.2"},
	{{"--socket=/a,ip=172.16.1.2"},
		"--socket /a: ip=172.16.1.2 is outside the LAN 172.16.0.0/24: take an address such "
		"as 172.16.0.2, or another LAN with --host-ip"},
	/* The LAN may come after the socket, and ends where its prefix says. */
	{{"--socket=/a,ip=10.9.0.8", "--host-ip", "10.9.0.1/29"},
		"--socket /a: ip=10.9.0.8 is outside the LAN 10.9.0.0/29: take an address such as "
		"10.9.0.2, or another LAN with --host-ip"},
};

static void test_errors(void **state)
{
	options_bad(errors, sizeof(errors) / sizeof(errors[0]));
}

static void test_longest_path(void **state)
{
	struct options options = options_good(ARGUMENTS("--socket", &PATH_108[1]));

	assert_string_equal(options.sockets[0].path, &PATH_108[1]);
	assert_int_equal(strlen(options.sockets[0].path), 107);
}

static void test_nat_address_is_free_with_the_kernels_nat(void **state)
{
	struct options options =
		options_good(ARGUMENTS("--socket=/a,ip=172.16.0.254", "--nat=kernel"));

	assert_int_equal(options.sockets[0].ip_be, inet_addr("172.16.0.254"));
}

static void test_socket_count(void **state)
{
	static char sockets[OPTIONS_SOCKETS_MAX + 1][24];
	char *argv[OPTIONS_SOCKETS_MAX + 3] = {"chnet-vhost"};
	struct options options;
	enum options_action action;
	char error[OPTIONS_ERROR_CAPACITY];

	for (int i = 0; i <= OPTIONS_SOCKETS_MAX; i++) {
		snprintf(sockets[i], sizeof(sockets[i]), "--socket=/%d", i);
		argv[i + 1] = sockets[i];
	}
	assert_int_equal(options_parse(OPTIONS_SOCKETS_MAX + 1, argv, &options, &action, error,
				 sizeof(error)),
		0);
	assert_int_equal(options.socket_count, OPTIONS_SOCKETS_MAX);
	assert_string_equal(options.sockets[OPTIONS_SOCKETS_MAX - 1].path, "/63");
	assert_int_equal(options_parse(OPTIONS_SOCKETS_MAX + 2, argv, &options, &action, error,
				 sizeof(error)),
		-EINVAL);
	assert_string_equal(error, "--socket /64: is one socket too many: a network has up to 64");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_all_keys, clear),
		cmocka_unit_test_setup(test_environment_completes_the_first, clear),
		cmocka_unit_test_setup(test_bad_environment, clear),
		cmocka_unit_test_setup(test_errors, clear),
		cmocka_unit_test_setup(test_longest_path, clear),
		cmocka_unit_test_setup(test_nat_address_is_free_with_the_kernels_nat, clear),
		cmocka_unit_test_setup(test_socket_count, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
