/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports of the host that lead to guests, judged by the packets that pass. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/host/namespace.h"
#include "tests/unit/host/traffic.h"

static const struct traffic_end world = {.place = TRAFFIC_AT_WORLD};
static const struct traffic_end world_eth1 = {
	.place = TRAFFIC_AT_WORLD, .address = TRAFFIC_WORLD_ETH1};
static const struct traffic_end the_host = {.place = TRAFFIC_AT_HOST};
static const struct traffic_end neighbour = {
	.place = TRAFFIC_AT_GUEST, .address = TRAFFIC_NEIGHBOUR};

static struct host_forward forward(
	uint8_t protocol, const char *listen, uint16_t port, uint16_t to_port, uint16_t count)
{
	return (struct host_forward){
		.listen_be = {inet_addr(listen)},
		.to_be = {inet_addr(TRAFFIC_GUEST)},
		.listen_port = port,
		.to_port = to_port,
		.count = count,
		.protocol = protocol,
	};
}

static struct host *up(enum nft_nat nat, const struct host_forward *forwards, size_t count)
{
	struct host_config config = traffic_config();

	config.nat = nat;
	config.forwards = forwards;
	config.forward_count = count;
	return traffic_up(&config);
}

static const char *loopback_routing(void)
{
	return namespace_output("cat /proc/sys/net/ipv4/conf/tap0/route_localnet");
}

/* From everywhere, to any address of the host; `server` is where the rules must lead. */
static void assert_reached_from_everywhere(uint16_t port, const struct traffic_end *server)
{
	static void (*const ways[])(const struct traffic_end *client, const char *address,
		uint16_t port, const struct traffic_end *server, const char *source) = {
		traffic_tcp,
		traffic_udp,
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		ways[i](&world, TRAFFIC_HOST, port, server, TRAFFIC_WORLD);
		ways[i](&world, TRAFFIC_HOST_ALIAS, port, server, TRAFFIC_WORLD);
		ways[i](&world_eth1, TRAFFIC_HOST_ETH1, port, server, TRAFFIC_WORLD_ETH1);
		/* the host itself, and its guests: the answers come back by the gateway */
		ways[i](&the_host, "127.0.0.1", port, server, TRAFFIC_GATEWAY);
		ways[i](&the_host, TRAFFIC_HOST, port, server, TRAFFIC_GATEWAY);
		ways[i](&the_host, TRAFFIC_GATEWAY, port, server, TRAFFIC_GATEWAY);
		ways[i](&neighbour, TRAFFIC_GATEWAY, port, server, TRAFFIC_GATEWAY);
		ways[i](&neighbour, TRAFFIC_HOST, port, server, TRAFFIC_GATEWAY);
	}
}

/* The kernel must not advise a guest to go straight to another one, past the translation. */
static void assert_no_redirects(void)
{
	traffic_go(TRAFFIC_AT_GUEST);
	assert_string_equal(
		namespace_output("awk '/^Icmp:/ {for (i = 1; i <= NF; i++) if ($i == "
				 "\"InRedirects\") c = i; n = $c} END {print n}' /proc/net/snmp"),
		"0\n");
	traffic_go(TRAFFIC_AT_HOST);
}

static void leads_to_our_nat(void **state)
{
	const struct host_forward forwards[] = {
		forward(IPPROTO_TCP, "0.0.0.0", 8080, 80, 1),
		forward(IPPROTO_UDP, "0.0.0.0", 8080, 80, 1),
	};
	const struct traffic_end server = {TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, 8080};

	up(NFT_NAT_USER, forwards, 2);
	assert_reached_from_everywhere(8080, &server);
	traffic_refused(&world, TRAFFIC_HOST, 8081);
	traffic_refused(&the_host, "127.0.0.1", 8081);
}

static void leads_to_the_guest(void **state)
{
	const struct host_forward forwards[] = {
		forward(IPPROTO_TCP, "0.0.0.0", 8080, 80, 1),
		forward(IPPROTO_UDP, "0.0.0.0", 8080, 80, 1),
	};
	const struct traffic_end server = {TRAFFIC_AT_GUEST, TRAFFIC_GUEST, 80};
	const struct traffic_end guest = {.place = TRAFFIC_AT_GUEST, .address = TRAFFIC_GUEST};

	up(NFT_NAT_KERNEL, forwards, 2);
	assert_reached_from_everywhere(8080, &server);
	assert_no_redirects();
	/* the guest itself, by the host's address */
	traffic_tcp(&guest, TRAFFIC_HOST, 8080, &server, TRAFFIC_GATEWAY);
}

static void ranges_are_whole(void **state)
{
	const struct host_forward forwards[] = {forward(IPPROTO_TCP, "0.0.0.0", 5000, 6000, 11)};
	struct traffic_end server = {TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, 5000};

	up(NFT_NAT_USER, forwards, 1);
	traffic_tcp(&world, TRAFFIC_HOST, 5000, &server, TRAFFIC_WORLD);
	server.port = 5010;
	traffic_tcp(&world, TRAFFIC_HOST, 5010, &server, TRAFFIC_WORLD);
	traffic_refused(&world, TRAFFIC_HOST, 4999);
	traffic_refused(&world, TRAFFIC_HOST, 5011);
}

/* The kernel's NAT has no word for a range that is shifted. */
static void ranges_may_be_shifted(void **state)
{
	const struct host_forward forwards[] = {forward(IPPROTO_TCP, "0.0.0.0", 5000, 6000, 11)};
	struct traffic_end server = {TRAFFIC_AT_GUEST, TRAFFIC_GUEST, 6000};

	up(NFT_NAT_KERNEL, forwards, 1);
	traffic_tcp(&world, TRAFFIC_HOST, 5000, &server, TRAFFIC_WORLD);
	server.port = 6010;
	traffic_tcp(&world, TRAFFIC_HOST, 5010, &server, TRAFFIC_WORLD);
	traffic_refused(&world, TRAFFIC_HOST, 5011);
}

static void listens_on_one_address(void **state)
{
	const struct host_forward forwards[] = {
		forward(IPPROTO_TCP, TRAFFIC_HOST_ALIAS, 8080, 80, 1)};
	const struct traffic_end server = {TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, 8080};

	up(NFT_NAT_USER, forwards, 1);
	traffic_tcp(&world, TRAFFIC_HOST_ALIAS, 8080, &server, TRAFFIC_WORLD);
	traffic_tcp(&the_host, TRAFFIC_HOST_ALIAS, 8080, &server, TRAFFIC_GATEWAY);
	traffic_refused(&world, TRAFFIC_HOST, 8080);
	traffic_refused(&the_host, "127.0.0.1", 8080);
	traffic_refused(&neighbour, TRAFFIC_GATEWAY, 8080);
	assert_string_equal(loopback_routing(), "0\n");
}

static void listens_on_loopback(void **state)
{
	const struct host_forward forwards[] = {forward(IPPROTO_UDP, "127.0.0.1", 5353, 53, 1),
		forward(IPPROTO_TCP, "127.0.0.1", 8080, 80, 1)};
	struct traffic_end server = {TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, 8080};

	up(NFT_NAT_USER, forwards, 2);
	assert_string_equal(loopback_routing(), "1\n");
	traffic_tcp(&the_host, "127.0.0.1", 8080, &server, TRAFFIC_GATEWAY);
	traffic_refused(&the_host, TRAFFIC_HOST, 8080);
	traffic_refused(&world, TRAFFIC_HOST, 8080);
	server.port = 5353;
	traffic_udp(&the_host, "127.0.0.1", 5353, &server, TRAFFIC_GATEWAY);
	/* nothing of it is for those who come by the network */
	assert_null(strstr(namespace_output("nft list chain ip chnet-tap0 arrivals"), "dport"));
}

/* Who asks the kernel to route loopback addresses must guard its loopback. */
static void guests_do_not_reach_the_hosts_loopback(void **state)
{
	const struct host_forward forwards[] = {forward(IPPROTO_TCP, "127.0.0.1", 8080, 80, 1)};
	const struct traffic_end own = {TRAFFIC_AT_HOST, "127.0.0.1", 9};
	const struct traffic_end outside = {TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, 0};
	const struct traffic_end gateway = {TRAFFIC_AT_HOST, TRAFFIC_GATEWAY, 9};
	int service, guest;

	up(NFT_NAT_USER, forwards, 1);
	traffic_go(TRAFFIC_AT_GUEST);
	/* a guest that sends there by the network */
	namespace_run("ip route del local 127.0.0.0/8 dev lo table local; "
		      "ip route del local 127.0.0.1 dev lo table local; ip addr flush dev lo; "
		      "ip route add 127.0.0.0/8 via " TRAFFIC_GATEWAY "; "
		      "echo 1 > /proc/sys/net/ipv4/conf/guest0/route_localnet");
	service = traffic_socket(&own, SOCK_DGRAM);
	guest = traffic_socket(&outside, SOCK_DGRAM);
	{
		struct sockaddr_in to = traffic_address("127.0.0.1", 9);

		assert_int_equal(sendto(guest, "?", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	}
	/* what is sent behind it overtakes nothing */
	traffic_udp(&outside, TRAFFIC_GATEWAY, 9, &gateway, TRAFFIC_OUTSIDE);
	traffic_counted("ip daddr 127.0.0.0/8", 1);
	{
		char byte;

		assert_int_equal(recv(service, &byte, 1, MSG_DONTWAIT), -1);
		assert_int_equal(errno, EAGAIN);
	}
	close(guest);
	close(service);
}

/* The world stays outside, whatever is forwarded. */
static void nothing_else_comes_in(void **state)
{
	const struct host_forward forwards[] = {forward(IPPROTO_TCP, "0.0.0.0", 8080, 80, 1),
		forward(IPPROTO_UDP, "0.0.0.0", 8080, 80, 1)};
	const struct traffic_end server = {TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, 8080};
	struct sockaddr_in straight = traffic_address(TRAFFIC_OUTSIDE, 8080);
	int intruder;

	up(NFT_NAT_USER, forwards, 2);
	intruder = traffic_socket(&world, SOCK_DGRAM);
	assert_int_equal(
		sendto(intruder, "?", 1, 0, (struct sockaddr *)&straight, sizeof(straight)), 1);
	traffic_udp(&world, TRAFFIC_HOST, 8080, &server, TRAFFIC_WORLD);
	traffic_counted("\toifname \"tap0\"", 1);
	close(intruder);
}

static void comes_and_goes(void **state)
{
	const struct host_forward any = forward(IPPROTO_TCP, "0.0.0.0", 8080, 80, 1);
	const struct host_forward alias = forward(IPPROTO_TCP, TRAFFIC_HOST_ALIAS, 8090, 80, 5);
	const struct traffic_end server = {TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, 8080};
	const struct traffic_end server_alias = {TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, 8094};
	struct host *host = up(NFT_NAT_USER, NULL, 0);

	traffic_refused(&world, TRAFFIC_HOST, 8080);
	assert_int_equal(host_forward_add(host, &any), 0);
	assert_string_equal(loopback_routing(), "1\n");
	traffic_tcp(&world, TRAFFIC_HOST, 8080, &server, TRAFFIC_WORLD);
	traffic_tcp(&the_host, "127.0.0.1", 8080, &server, TRAFFIC_GATEWAY);
	assert_int_equal(host_forward_add(host, &alias), 0);
	traffic_tcp(&world, TRAFFIC_HOST_ALIAS, 8094, &server_alias, TRAFFIC_WORLD);
	traffic_tcp(&world, TRAFFIC_HOST, 8080, &server, TRAFFIC_WORLD);
	assert_int_equal(host_forward_remove(host, &any), 0);
	assert_string_equal(loopback_routing(), "0\n");
	traffic_refused(&world, TRAFFIC_HOST, 8080);
	traffic_refused(&the_host, "127.0.0.1", 8080);
	traffic_tcp(&world, TRAFFIC_HOST_ALIAS, 8094, &server_alias, TRAFFIC_WORLD);
	assert_int_equal(host_forward_remove(host, &any), -ENOENT);
	assert_int_equal(host_forward_remove(host, &alias), 0);
	traffic_refused(&world, TRAFFIC_HOST_ALIAS, 8094);
}

/* A connection goes on when its forward is removed and the way out changes. */
static void a_connection_goes_on(void **state)
{
	const struct host_forward any = forward(IPPROTO_TCP, "0.0.0.0", 8080, 80, 1);
	const struct traffic_end server = {TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, 8080};
	struct host *host = up(NFT_NAT_USER, &any, 1);
	struct sockaddr_in to = traffic_address(TRAFFIC_HOST, 8080);
	int listener = traffic_socket(&server, SOCK_STREAM);
	int client = traffic_socket(&world, SOCK_STREAM);
	char byte = 0;
	int accepted;

	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	accepted = accept(listener, NULL, NULL);
	assert_true(accepted >= 0);
	assert_int_equal(host_forward_remove(host, &any), 0);
	assert_int_equal(send(client, "1", 1, 0), 1);
	assert_int_equal(recv(accepted, &byte, 1, 0), 1);
	assert_int_equal(byte, '1');
	assert_int_equal(send(accepted, "2", 1, 0), 1);
	assert_int_equal(recv(client, &byte, 1, 0), 1);
	assert_int_equal(byte, '2');
	close(accepted);
	close(client);
	close(listener);
}

static void refuses_what_cannot_be(void **state)
{
	const struct host_forward good = forward(IPPROTO_TCP, "0.0.0.0", 8080, 80, 3);
	struct host *host = up(NFT_NAT_USER, &good, 1);
	struct host_forward bad;
	char *rules = strdup(namespace_output("nft -s list ruleset"));

	bad = forward(IPPROTO_TCP, TRAFFIC_HOST, 8082, 80, 1);
	assert_int_equal(host_forward_add(host, &bad), -EEXIST);
	bad = forward(IPPROTO_SCTP, "0.0.0.0", 9000, 80, 1);
	assert_int_equal(host_forward_add(host, &bad), -EINVAL);
	bad = forward(IPPROTO_TCP, "0.0.0.0", 9000, 80, 0);
	assert_int_equal(host_forward_add(host, &bad), -EINVAL);
	bad = forward(IPPROTO_TCP, "0.0.0.0", 0, 80, 1);
	assert_int_equal(host_forward_add(host, &bad), -EINVAL);
	bad = forward(IPPROTO_TCP, "0.0.0.0", 65535, 80, 2);
	assert_int_equal(host_forward_add(host, &bad), -EINVAL);
	bad = forward(IPPROTO_TCP, "0.0.0.0", 9000, 65535, 2);
	assert_int_equal(host_forward_add(host, &bad), -EINVAL);
	bad = forward(IPPROTO_TCP, "0.0.0.0", 9000, 80, 1);
	bad.to_be.s_addr = inet_addr("172.16.1.2");
	assert_int_equal(host_forward_add(host, &bad), -EINVAL);
	bad.to_be.s_addr = inet_addr(TRAFFIC_GATEWAY);
	assert_int_equal(host_forward_add(host, &bad), -EINVAL);
	bad.to_be.s_addr = inet_addr(TRAFFIC_OUTSIDE);
	assert_int_equal(host_forward_add(host, &bad), -EINVAL);
	assert_string_equal(namespace_output("nft -s list ruleset"), rules);
	free(rules);
}

/* Most shifted ports of the kernel's NAT, and not one more. */
static void has_a_limit_for_shifted_ranges(void **state)
{
	const struct host_forward most =
		forward(IPPROTO_TCP, "0.0.0.0", 5000, 6000, HOST_FORWARD_SHIFTED_MAX);
	const struct host_forward one_more = forward(IPPROTO_TCP, "0.0.0.0", 9000, 80, 1);
	const struct host_forward same = forward(IPPROTO_TCP, "0.0.0.0", 9000, 9000, 1000);
	struct traffic_end server = {TRAFFIC_AT_GUEST, TRAFFIC_GUEST, 6511};
	struct host *host = up(NFT_NAT_KERNEL, &most, 1);

	traffic_tcp(&world, TRAFFIC_HOST, 5511, &server, TRAFFIC_WORLD);
	assert_int_equal(host_forward_add(host, &one_more), -ENOSPC);
	assert_int_equal(host_forward_add(host, &same), 0);
	server.port = 9999;
	traffic_tcp(&world, TRAFFIC_HOST, 9999, &server, TRAFFIC_WORLD);
}

static void takes_as_many_as_the_nat(void **state)
{
	struct host_forward forwards[HOST_FORWARDS_MAX];
	const struct traffic_end server = {TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, 10127};
	struct host_forward one_more = forward(IPPROTO_TCP, "0.0.0.0", 9000, 80, 1);
	struct host *host;

	for (uint16_t i = 0; i < HOST_FORWARDS_MAX; i++)
		forwards[i] = forward(IPPROTO_TCP, "0.0.0.0", (uint16_t)(10000 + i), 80, 1);
	host = up(NFT_NAT_USER, forwards, HOST_FORWARDS_MAX);
	traffic_tcp(&world, TRAFFIC_HOST, 10127, &server, TRAFFIC_WORLD);
	assert_int_equal(host_forward_add(host, &one_more), -ENOSPC);
	assert_int_equal(host_forward_remove(host, &forwards[0]), 0);
	assert_int_equal(host_forward_add(host, &one_more), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, traffic_set_up, traffic_tear_down)
		TEST(leads_to_our_nat),
		TEST(leads_to_the_guest),
		TEST(ranges_are_whole),
		TEST(ranges_may_be_shifted),
		TEST(listens_on_one_address),
		TEST(listens_on_loopback),
		TEST(guests_do_not_reach_the_hosts_loopback),
		TEST(nothing_else_comes_in),
		TEST(comes_and_goes),
		TEST(a_connection_goes_on),
		TEST(refuses_what_cannot_be),
		TEST(has_a_limit_for_shifted_ranges),
		TEST(takes_as_many_as_the_nat),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
