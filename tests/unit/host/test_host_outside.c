/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A block of the host's ports that belongs to our NAT, judged by the packets that pass, and by what
 * connection tracking knows of them: nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/host/namespace.h"
#include "tests/unit/host/traffic.h"

#define LOW 50000
#define HIGH 59999
#define BLOCK_PORT 50001
#define GRE 47

static const struct traffic_end world = {.place = TRAFFIC_AT_WORLD};
static const struct traffic_end server = {TRAFFIC_AT_WORLD, TRAFFIC_WORLD, 4242};
static const struct traffic_end outside = {TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, BLOCK_PORT};
static const struct traffic_end lowest = {TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, LOW};
static const struct traffic_end highest = {TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, HIGH};

static struct host *up(void)
{
	struct host_config config = traffic_config();
	struct host *host;

	config.outside_low = LOW;
	config.outside_high = HIGH;
	host = traffic_up(&config);
	assert_true(host_is_stateless(host));
	assert_null(host_warning(host, 0));
	return host;
}

static void both_ways(void **state)
{
	up();
	traffic_tcp(&outside, TRAFFIC_WORLD, 4242, &server, TRAFFIC_HOST);
	traffic_udp(&outside, TRAFFIC_WORLD, 4242, &server, TRAFFIC_HOST);
	traffic_udp(&lowest, TRAFFIC_WORLD, 4242, &server, TRAFFIC_HOST);
	traffic_udp(&highest, TRAFFIC_WORLD, 4242, &server, TRAFFIC_HOST);
	/* a remote that was never spoken to: filtering is not the kernel's */
	traffic_tcp(&world, TRAFFIC_HOST, LOW, &lowest, TRAFFIC_WORLD);
	traffic_udp(&world, TRAFFIC_HOST, HIGH, &highest, TRAFFIC_WORLD);
	traffic_tracked(0);
	/* not of the block, not to the host's address there */
	traffic_refused(&world, TRAFFIC_HOST, LOW - 1);
	traffic_refused(&world, TRAFFIC_HOST_ALIAS, LOW);
}

/* Sends `length` bytes and has them arrive whole. */
static void assert_carries(int from, int to, size_t length)
{
	char *sent = malloc(length), *got = malloc(length + 1);

	for (size_t i = 0; i < length; i++)
		sent[i] = (char)(i * 31 + i / 256);
	assert_int_equal(send(from, sent, length, 0), length);
	assert_int_equal(recv(to, got, length + 1, 0), length);
	assert_memory_equal(got, sent, length);
	free(sent);
	free(got);
}

static void fragments_pass(void **state)
{
	struct sockaddr_in to_world = traffic_address(TRAFFIC_WORLD, 4242);
	struct sockaddr_in to_guest = traffic_address(TRAFFIC_HOST, BLOCK_PORT);
	int guest, remote;

	up();
	guest = traffic_socket(&outside, SOCK_DGRAM);
	remote = traffic_socket(&server, SOCK_DGRAM);
	assert_int_equal(connect(guest, (struct sockaddr *)&to_world, sizeof(to_world)), 0);
	assert_int_equal(connect(remote, (struct sockaddr *)&to_guest, sizeof(to_guest)), 0);
	assert_carries(remote, guest, 4000);
	assert_carries(guest, remote, 5000);
	assert_carries(guest, remote, 60000);
	assert_carries(remote, guest, 60000);
	traffic_tracked(0);
	close(guest);
	close(remote);
}

/* Packets and bytes of the rule that matches the regular expression. */
static void counted(const char *match, unsigned long *ret_packets, unsigned long *ret_bytes)
{
	const char *line = namespace_output(
		"nft list table ip chnet-tap0 | grep '%s' | grep -o 'packets.*'", match);

	assert_int_equal(sscanf(line, "packets %lu bytes %lu", ret_packets, ret_bytes), 2);
}

/* A child that sends `bytes` into the socket. */
struct bulk {
	int fd;
	size_t bytes;
};

static int send_bulk(void *argument)
{
	static char block[65536];
	struct bulk *bulk = argument;

	while (bulk->bytes > 0) {
		size_t length = bulk->bytes < sizeof(block) ? bulk->bytes : sizeof(block);
		ssize_t sent = send(bulk->fd, block, length, MSG_NOSIGNAL);

		if (sent <= 0)
			return 1;
		bulk->bytes -= (size_t)sent;
	}
	return 0;
}

static void assert_bulk(int from, int to)
{
	static char block[65536];
	struct bulk bulk = {from, 16 << 20};
	size_t left = bulk.bytes;

	namespace_fork(send_bulk, &bulk);
	while (left > 0) {
		ssize_t got = recv(to, block, sizeof(block), 0);

		assert_true(got > 0);
		left -= (size_t)got;
	}
}

/* TSO frames stay whole on their way through the rules. */
static void large_frames_stay_large(void **state)
{
	struct sockaddr_in to = traffic_address(TRAFFIC_WORLD, 4242);
	unsigned long packets, bytes;
	int listener, client, accepted;

	up();
	listener = traffic_socket(&server, SOCK_STREAM);
	client = traffic_socket(&outside, SOCK_STREAM);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(accepted >= 0);
	assert_bulk(client, accepted);
	counted("ip saddr 172.16.0.254 ct state untracked counter", &packets, &bytes);
	assert_true(bytes > 16 << 20);
	assert_true(bytes / packets > 4 * 1500);
	assert_bulk(accepted, client);
	counted("tcp dport 50000-59999 .*notrack", &packets, &bytes);
	assert_true(bytes > 16 << 20);
	traffic_tracked(0);
	close(accepted);
	close(client);
	close(listener);
}

/* Programs of the host that have ports of the block keep them, with their errors. */
static void the_hosts_sockets_are_left_alone(void **state)
{
	const struct traffic_end own = {TRAFFIC_AT_HOST, TRAFFIC_HOST, BLOCK_PORT};
	struct sockaddr_in nobody = traffic_address(TRAFFIC_WORLD, 9);
	char byte;
	int fd;

	up();
	traffic_tcp(&own, TRAFFIC_WORLD, 4242, &server, TRAFFIC_HOST);
	traffic_udp(&own, TRAFFIC_WORLD, 4242, &server, TRAFFIC_HOST);
	traffic_tcp(&world, TRAFFIC_HOST, BLOCK_PORT, &own, TRAFFIC_WORLD);
	traffic_udp(&world, TRAFFIC_HOST, BLOCK_PORT, &own, TRAFFIC_WORLD);
	fd = traffic_socket(&own, SOCK_DGRAM);
	assert_int_equal(connect(fd, (struct sockaddr *)&nobody, sizeof(nobody)), 0);
	assert_int_equal(send(fd, "?", 1, 0), 1);
	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
}

/* What has no ports, or none of the block, is masqueraded. */
static void the_rest_is_masqueraded(void **state)
{
	const struct traffic_end other = {TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, 2000};
	int guest, remote;

	up();
	guest = traffic_raw(TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, GRE);
	remote = traffic_raw(TRAFFIC_AT_WORLD, TRAFFIC_WORLD, GRE);
	traffic_send_raw(guest, TRAFFIC_WORLD, "\0\0\x08\0 to the world", 16);
	traffic_got_raw(remote, TRAFFIC_HOST, TRAFFIC_WORLD, "\0\0\x08\0 to the world", 16);
	traffic_send_raw(remote, TRAFFIC_HOST, "\0\0\x08\0 to a guest ", 16);
	traffic_got_raw(guest, TRAFFIC_WORLD, TRAFFIC_OUTSIDE, "\0\0\x08\0 to a guest ", 16);
	traffic_tracked(1);
	traffic_udp(&other, TRAFFIC_WORLD, 4242, &server, TRAFFIC_HOST);
	traffic_tracked(2);
	close(guest);
	close(remote);
}

static void nobody_intrudes(void **state)
{
	struct sockaddr_in straight = traffic_address(TRAFFIC_OUTSIDE, BLOCK_PORT);
	int intruder;

	up();
	intruder = traffic_socket(&world, SOCK_DGRAM);
	assert_int_equal(
		sendto(intruder, "?", 1, 0, (struct sockaddr *)&straight, sizeof(straight)), 1);
	traffic_udp(&world, TRAFFIC_HOST, BLOCK_PORT, &outside, TRAFFIC_WORLD);
	traffic_counted("\toifname \"tap0\"", 1);
	close(intruder);
}

/* The host's address and the way out are followed. */
static void follows_the_host(void **state)
{
	struct host *host = up();

	namespace_run("ip addr flush dev eth0; ip addr add 198.51.100.77/24 dev eth0; "
		      "ip route replace default via " TRAFFIC_WORLD);
	assert_int_equal(host_refresh(host), 1);
	assert_true(host_is_stateless(host));
	assert_int_equal(host_egress_address_be(host).s_addr, inet_addr("198.51.100.77"));
	traffic_tcp(&outside, TRAFFIC_WORLD, 4242, &server, "198.51.100.77");
	traffic_udp(&world, "198.51.100.77", BLOCK_PORT, &outside, TRAFFIC_WORLD);
	traffic_tracked(0);
	/* another interface */
	namespace_run("ip route replace default via " TRAFFIC_WORLD_ETH1);
	assert_int_equal(host_refresh(host), 1);
	traffic_udp(&world, TRAFFIC_HOST_ETH1, BLOCK_PORT, &outside, TRAFFIC_WORLD_ETH1);
	traffic_tracked(0);
	/* none: whatever way there is, masqueraded */
	namespace_run("ip route del default");
	assert_int_equal(host_refresh(host), 1);
	assert_false(host_is_stateless(host));
	traffic_udp(&outside, TRAFFIC_WORLD, 4242, &server, "198.51.100.77");
	traffic_tracked(1);
	namespace_run("ip route add default via " TRAFFIC_WORLD_ETH1);
	assert_int_equal(host_refresh(host), 1);
	assert_true(host_is_stateless(host));
	traffic_udp(&world, TRAFFIC_HOST_ETH1, HIGH, &highest, TRAFFIC_WORLD_ETH1);
}

/* A UDP socket of a client of somebody else's NAT, connected to the world's server. */
static int client_of_another(int place, uint16_t port)
{
	struct sockaddr_in from = traffic_address("10.9.0.2", port);
	struct sockaddr_in to = traffic_address(TRAFFIC_WORLD, 4242);
	struct timeval patience = {.tv_sec = 10};
	int fd;

	namespace_join(place);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	traffic_go(TRAFFIC_AT_HOST);
	return fd;
}

/* Why outside ports are not the default: others are given ports of the block, and lose their
 * answers. A port beside the block shows that nothing else is in their way. */
static void another_nat_loses_answers(void **state)
{
	static const uint16_t ports[] = {LOW - 1, BLOCK_PORT};
	int place, remote, guest;

	up();
	place = namespace_make();
	namespace_run("ip link add other0 type veth peer name eth0 netns /proc/%d/fd/%d; "
		      "ip addr add 10.9.0.1/24 dev other0; ip link set other0 up; "
		      "nft 'table ip other { chain c { type nat hook postrouting priority srcnat; "
		      "ip saddr 10.9.0.0/24 masquerade; }; }'",
		getpid(), place);
	namespace_join(place);
	namespace_run("ip link set eth0 up; ip addr add 10.9.0.2/24 dev eth0; "
		      "ip route add default via 10.9.0.1");
	traffic_go(TRAFFIC_AT_HOST);
	remote = traffic_socket(&server, SOCK_DGRAM);
	guest = traffic_socket(&outside, SOCK_DGRAM);
	for (size_t i = 0; i < 2; i++) {
		int client = client_of_another(place, ports[i]);
		struct sockaddr_in seen;
		socklen_t length = sizeof(seen);
		char byte = 0;

		assert_int_equal(send(client, "?", 1, 0), 1);
		assert_int_equal(
			recvfrom(remote, &byte, 1, 0, (struct sockaddr *)&seen, &length), 1);
		/* the port is kept, ours or not */
		assert_int_equal(seen.sin_port, htons(ports[i]));
		assert_int_equal(
			sendto(remote, "!", 1, 0, (struct sockaddr *)&seen, sizeof(seen)), 1);
		assert_int_equal(recv(i == 0 ? client : guest, &byte, 1, 0), 1);
		assert_int_equal(byte, '!');
		close(client);
	}
	close(guest);
	close(remote);
	close(place);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, traffic_set_up, traffic_tear_down)
		TEST(both_ways),
		TEST(fragments_pass),
		TEST(large_frames_stay_large),
		TEST(the_hosts_sockets_are_left_alone),
		TEST(the_rest_is_masqueraded),
		TEST(nobody_intrudes),
		TEST(follows_the_host),
		TEST(another_nat_loses_answers),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
