/* SPDX-License-Identifier: BSD-3-Clause */
#include "options_case.h"

#include <arpa/inet.h>
#include <stdio.h>

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SOCKET "--socket", "/run/a.sock"
#define FORWARD(value) SOCKET, "--forward", value

static int clear(void **state)
{
	options_clear_environment();
	return 0;
}

static void expect(const struct host_forward *forward, uint8_t protocol, const char *listen,
	uint16_t listen_port, const char *to, uint16_t to_port, uint16_t count)
{
	assert_int_equal(forward->protocol, protocol);
	assert_int_equal(forward->listen_be.s_addr, inet_addr(listen));
	assert_int_equal(forward->listen_port, listen_port);
	assert_int_equal(forward->to_be.s_addr, inet_addr(to));
	assert_int_equal(forward->to_port, to_port);
	assert_int_equal(forward->count, count);
}

static void test_each_form(void **state)
{
	struct options options = options_good(ARGUMENTS(FORWARD("tcp:8080=172.16.0.2:80"),
		"--forward=udp:5000-5010=172.16.0.3:6000-6010", "--forward",
		"tcp:127.0.0.1:8081=172.16.0.2:81", "--forward=tcp:10.1.2.3:1-2=172.16.0.4:7-8",
		"--forward=udp:65535=172.16.0.2:65535"));

	assert_int_equal(options.forward_count, 5);
	expect(&options.forwards[0], IPPROTO_TCP, "0.0.0.0", 8080, "172.16.0.2", 80, 1);
	expect(&options.forwards[1], IPPROTO_UDP, "0.0.0.0", 5000, "172.16.0.3", 6000, 11);
	expect(&options.forwards[2], IPPROTO_TCP, "127.0.0.1", 8081, "172.16.0.2", 81, 1);
	expect(&options.forwards[3], IPPROTO_TCP, "10.1.2.3", 1, "172.16.0.4", 7, 2);
	expect(&options.forwards[4], IPPROTO_UDP, "0.0.0.0", 65535, "172.16.0.2", 65535, 1);
}

static void test_every_port(void **state)
{
	struct options options = options_good(ARGUMENTS(FORWARD("tcp:1-65535=172.16.0.2:1-65535")));
	assert_int_equal(options.forwards[0].count, 65535);
}

static void test_neighbouring_ports_and_other_protocols_do_not_overlap(void **state)
{
	struct options options = options_good(ARGUMENTS(FORWARD("tcp:100-199=172.16.0.2:100-199"),
		"--forward=tcp:200=172.16.0.2:80", "--forward=tcp:99=172.16.0.2:80",
		"--forward=udp:100-199=172.16.0.3:100-199"));
	assert_int_equal(options.forward_count, 4);
}

static void test_the_kernels_nat_forwards_too(void **state)
{
	struct options options =
		options_good(ARGUMENTS(FORWARD("tcp:8080=172.16.0.254:80"), "--nat", "kernel"));
	expect(&options.forwards[0], IPPROTO_TCP, "0.0.0.0", 8080, "172.16.0.254", 80, 1);
}

static void test_128_and_one_more(void **state)
{
	static char texts[OPTIONS_FORWARDS_MAX + 1][64];
	char *argv[OPTIONS_FORWARDS_MAX + 4] = {"chnet-vhost", "--socket=/run/a.sock"};
	struct options options;
	enum options_action action;
	char error[OPTIONS_ERROR_CAPACITY] = "";
	int argc = 2;

	for (int i = 0; i <= OPTIONS_FORWARDS_MAX; i++) {
		snprintf(texts[i], sizeof(texts[i]), "--forward=tcp:%d=172.16.0.2:80", 1000 + i);
		argv[argc++] = texts[i];
	}
	assert_int_equal(
		options_parse(argc, argv, &options, &action, error, sizeof(error)), -EINVAL);
	assert_string_equal(error,
		"--forward tcp:1128=172.16.0.2:80: is one forward too many: a network has up to "
		"128; a range counts as one");
	argv[--argc] = NULL;
	assert_int_equal(options_parse(argc, argv, &options, &action, error, sizeof(error)), 0);
	assert_int_equal(options.forward_count, OPTIONS_FORWARDS_MAX);
	expect(&options.forwards[127], IPPROTO_TCP, "0.0.0.0", 1127, "172.16.0.2", 80, 1);
}

#define EXAMPLE "write as tcp:8080=172.16.0.2:80, or udp:5000-5010=172.16.0.2:5000-5010"
#define PORT " is not a port from 1 to 65535"
#define BAD(value, what)                                       \
	{                                                      \
		{FORWARD(value)}, "--forward " value ": " what \
	}

static const struct options_case errors[] = {
	{{FORWARD("")}, "--forward: is no forward: " EXAMPLE},
	BAD("8080", "is no forward: " EXAMPLE),
	BAD("tcp:8080", "is no forward: " EXAMPLE),
	BAD("8080=172.16.0.2:80", "is no forward: " EXAMPLE),
	BAD("=tcp:8080", "is no forward: " EXAMPLE),
	BAD("sctp:8080=172.16.0.2:80", "'sctp' is neither tcp nor udp: " EXAMPLE),
	BAD(":8080=172.16.0.2:80", "'' is neither tcp nor udp: " EXAMPLE),
	BAD("TCP:8080=172.16.0.2:80", "'TCP' is neither tcp nor udp: " EXAMPLE),
	BAD("tcp:0=172.16.0.2:80", "'0'" PORT),
	BAD("tcp:8080=172.16.0.2:0", "'0'" PORT),
	BAD("tcp:65536=172.16.0.2:80", "'65536'" PORT),
	BAD("tcp:8080=172.16.0.2:65536", "'65536'" PORT),
	BAD("tcp:65535-65536=172.16.0.2:80-81", "'65536'" PORT),
	BAD("tcp:0-5=172.16.0.2:80-85", "'0'" PORT),
	BAD("tcp:=172.16.0.2:80", "''" PORT),
	BAD("tcp:http=172.16.0.2:80", "'http'" PORT),
	BAD("tcp:8080=172.16.0.2:", "''" PORT),
	BAD("tcp:-8080=172.16.0.2:80", "''" PORT),
	BAD("tcp:80-90-95=172.16.0.2:80-90", "'90-95'" PORT),
	BAD("tcp:5010-5000=172.16.0.2:5000-5010",
		"'5010-5000' ends before it begins: write the lower port first"),
	BAD("tcp:5000-5010=172.16.0.2:5000-5011",
		"leads 11 ports to 12: write ranges of the same length, as "
		"tcp:5000-5010=172.16.0.2:5000-5010"),
	BAD("tcp:5000-5010=172.16.0.2:5000",
		"leads 11 ports to 1: write ranges of the same length, as "
		"tcp:5000-5010=172.16.0.2:5000-5010"),
	BAD("tcp:8080=80", "names no guest: " EXAMPLE),
	BAD("tcp:8080=0.0.0.0:80", "names no guest: " EXAMPLE),
	BAD("tcp:8080=guest:80", "'guest' is not an IPv4 address: " EXAMPLE),
	BAD("tcp:8080=172.16.0.256:80", "'172.16.0.256' is not an IPv4 address: " EXAMPLE),
	BAD("tcp:localhost:8080=172.16.0.2:80", "'localhost' is not an IPv4 address: " EXAMPLE),
	BAD("tcp:::1:8080=172.16.0.2:80", "'::1' is not an IPv4 address: " EXAMPLE),
	BAD("tcp:224.0.0.1:8080=172.16.0.2:80", "'224.0.0.1' is no address of a host: " EXAMPLE),
	BAD("tcp:0.0.0.1:8080=172.16.0.2:80", "'0.0.0.1' is no address of a host: " EXAMPLE),
	{{FORWARD("tcp:8080=172.16.0.2:80"), "--forward", "tcp:8080=172.16.0.3:80"},
		"--forward tcp:8080=172.16.0.3:80: port 8080 already leads to port 80 of "
		"172.16.0.2: a port can lead to one place only"},
	{{FORWARD("tcp:8000-8080=172.16.0.2:1000-1080"), "--forward",
		 "tcp:127.0.0.1:8080-8090=172.16.0.3:80-90"},
		"--forward tcp:127.0.0.1:8080-8090=172.16.0.3:80-90: port 8080 already leads to "
		"port 1080 of 172.16.0.2: a port can lead to one place only"},
	{{FORWARD("udp:8080-8090=172.16.0.2:80-90"), "--forward", "udp:1-8080=172.16.0.2:1-8080"},
		"--forward udp:1-8080=172.16.0.2:1-8080: port 8080 already leads to port 80 of "
		"172.16.0.2: a port can lead to one place only"},
	{{FORWARD("tcp:8080=172.17.0.2:80")},
		"--forward tcp:8080: 172.17.0.2 is outside the LAN 172.16.0.0/24: take a guest's "
		"address"},
	{{FORWARD("udp:8080=172.16.0.2:80"), "--host-ip=10.0.0.1/16"},
		"--forward udp:8080: 172.16.0.2 is outside the LAN 10.0.0.0/16: take a guest's "
		"address"},
	{{FORWARD("tcp:8080=172.16.0.1:80")},
		"--forward tcp:8080: 172.16.0.1 is the gateway's address: take a guest's address"},
	{{FORWARD("tcp:8080=172.16.0.254:80")},
		"--forward tcp:8080: 172.16.0.254 is the NAT's own address: take a guest's "
		"address"},
	{{FORWARD("tcp:8080=172.16.0.0:80")},
		"--forward tcp:8080: 172.16.0.0 is the LAN's network address: take a guest's "
		"address"},
	{{FORWARD("tcp:8080=172.16.0.255:80")},
		"--forward tcp:8080: 172.16.0.255 is the LAN's broadcast address: take a guest's "
		"address"},
	{{FORWARD("tcp:8080=172.16.0.2:80"), "--uplink", "none"},
		"--forward: needs an uplink: leave '--uplink none' out"},
};

static void test_errors(void **state)
{
	options_bad(errors, sizeof(errors) / sizeof(errors[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_each_form, clear),
		cmocka_unit_test_setup(test_every_port, clear),
		cmocka_unit_test_setup(
			test_neighbouring_ports_and_other_protocols_do_not_overlap, clear),
		cmocka_unit_test_setup(test_the_kernels_nat_forwards_too, clear),
		cmocka_unit_test_setup(test_128_and_one_more, clear),
		cmocka_unit_test_setup(test_errors, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
