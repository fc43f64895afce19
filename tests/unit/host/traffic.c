/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/host/traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/host/namespace.h"

/* Longest wait for anything, seconds. */
#define PATIENCE_S 10

static int places[TRAFFIC_PLACES];
static struct host *host;
static struct tap guest_tap;
static pid_t carrier; /* 0 = none */

void traffic_go(enum traffic_place place)
{
	namespace_join(places[place]);
}

int traffic_set_up(void **state)
{
	namespace_new_network();
	places[TRAFFIC_AT_HOST] = namespace_here();
	places[TRAFFIC_AT_WORLD] = namespace_make();
	places[TRAFFIC_AT_GUEST] = namespace_make();
	for (int i = 0; i < 2; i++)
		namespace_run("ip link add eth%d type veth peer name eth%d netns /proc/%d/fd/%d", i,
			i, getpid(), places[TRAFFIC_AT_WORLD]);
	namespace_run("ip link set eth0 up; ip link set eth1 up; "
		      "ip addr add " TRAFFIC_HOST "/24 dev eth0; "
		      "ip addr add " TRAFFIC_HOST_ALIAS "/24 dev eth0; "
		      "ip addr add " TRAFFIC_HOST_ETH1 "/24 dev eth1; "
		      "ip route add default via " TRAFFIC_WORLD);
	traffic_go(TRAFFIC_AT_WORLD);
	/* the world knows a way to the guests, but must not be let in */
	namespace_run("ip link set eth0 up; ip link set eth1 up; "
		      "ip addr add " TRAFFIC_WORLD "/24 dev eth0; "
		      "ip addr add " TRAFFIC_WORLD_ETH1 "/24 dev eth1; "
		      "ip route add 172.16.0.0/24 via " TRAFFIC_HOST);
	traffic_go(TRAFFIC_AT_GUEST);
	assert_int_equal(tap_open("guest0", 1, &guest_tap), 0);
	namespace_run("ip addr add " TRAFFIC_OUTSIDE "/24 dev guest0; "
		      "ip addr add " TRAFFIC_GUEST "/24 dev guest0; "
		      "ip addr add " TRAFFIC_NEIGHBOUR "/24 dev guest0; "
		      "ip link set guest0 up; ip route add default via " TRAFFIC_GATEWAY);
	traffic_go(TRAFFIC_AT_HOST);
	return 0;
}

int traffic_tear_down(void **state)
{
	traffic_go(TRAFFIC_AT_HOST);
	if (carrier > 0) {
		kill(carrier, SIGKILL);
		waitpid(carrier, NULL, 0);
	}
	carrier = 0;
	host_down(host);
	host = NULL;
	tap_close(&guest_tap);
	for (int i = 0; i < TRAFFIC_PLACES; i++)
		close(places[i]);
	return 0;
}

struct host_config traffic_config(void)
{
	return (struct host_config){
		.tap = "tap0",
		.queues = 1,
		.address_be = {inet_addr(TRAFFIC_GATEWAY)},
		.prefix_length = 24,
		.outside_be = {inet_addr(TRAFFIC_OUTSIDE)},
		.nat = NFT_NAT_USER,
		.run_directory = "/run/chnet",
	};
}

/* The child: frames from one TAP go to the other. */
static int carry(void *argument)
{
	static uint8_t frame[128 * 1024];
	struct pollfd ends[] = {
		{.fd = host_tap(host)->fds[0], .events = POLLIN},
		{.fd = guest_tap.fds[0], .events = POLLIN},
	};

	host_close_in_child(host);
	for (;;) {
		if (poll(ends, 2, -1) < 0 && errno != EINTR)
			return 1;
		for (int i = 0; i < 2; i++) {
			ssize_t length = read(ends[i].fd, frame, sizeof(frame));

			if (length > 0 && write(ends[!i].fd, frame, (size_t)length) != length)
				return 2;
		}
	}
}

struct host *traffic_build(const struct host_config *config)
{
	struct host *built = NULL;
	char error[512] = "";

	if (host_up(config, &built, error, sizeof(error)) < 0)
		fail_msg("%s", error);
	return built;
}

struct host *traffic_up(const struct host_config *config)
{
	host = traffic_build(config);
	carrier = namespace_fork(carry, NULL);
	return host;
}

struct sockaddr_in traffic_address(const char *address, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = address ? inet_addr(address) : INADDR_ANY};
}

int traffic_socket(const struct traffic_end *end, int type)
{
	struct sockaddr_in address = traffic_address(end->address, end->port);
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int yes = 1;
	int fd;

	traffic_go(end->place);
	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		fail_msg("cannot bind to %s:%u: %s", end->address ? end->address : "*", end->port,
			strerror(errno));
	traffic_go(TRAFFIC_AT_HOST);
	return fd;
}

static void assert_connects(int fd, const char *address, uint16_t port)
{
	struct sockaddr_in to = traffic_address(address, port);

	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		fail_msg("cannot connect to %s:%u: %s\n%s", address, port, strerror(errno),
			namespace_output("nft list ruleset"));
}

static void assert_passes(int from, int to)
{
	static const char payload[TRAFFIC_PAYLOAD] = "passes--";
	char got[2 * TRAFFIC_PAYLOAD] = "";

	assert_int_equal(send(from, payload, sizeof(payload), 0), sizeof(payload));
	assert_int_equal(recv(to, got, sizeof(got), 0), sizeof(payload));
	assert_memory_equal(got, payload, sizeof(payload));
}

void traffic_tcp(const struct traffic_end *client, const char *address, uint16_t port,
	const struct traffic_end *server, const char *source)
{
	int listener = traffic_socket(server, SOCK_STREAM);
	int from = traffic_socket(client, SOCK_STREAM);
	struct sockaddr_in seen;
	socklen_t length = sizeof(seen);
	int to;

	assert_int_equal(listen(listener, 1), 0);
	assert_connects(from, address, port);
	to = accept4(listener, (struct sockaddr *)&seen, &length, SOCK_CLOEXEC);
	assert_true(to >= 0);
	assert_string_equal(inet_ntoa(seen.sin_addr), source);
	assert_passes(from, to);
	assert_passes(to, from);
	close(to);
	close(from);
	close(listener);
}

void traffic_udp(const struct traffic_end *client, const char *address, uint16_t port,
	const struct traffic_end *server, const char *source)
{
	int to = traffic_socket(server, SOCK_DGRAM);
	int from = traffic_socket(client, SOCK_DGRAM);
	struct sockaddr_in seen;
	socklen_t length = sizeof(seen);
	char byte;

	assert_connects(from, address, port);
	assert_int_equal(send(from, "?", 1, 0), 1);
	if (recvfrom(to, &byte, 1, 0, (struct sockaddr *)&seen, &length) != 1)
		fail_msg("no datagram for %s:%u came\n%s", address, port,
			namespace_output("nft list ruleset"));
	assert_string_equal(inet_ntoa(seen.sin_addr), source);
	assert_int_equal(connect(to, (const struct sockaddr *)&seen, sizeof(seen)), 0);
	assert_passes(from, to);
	assert_passes(to, from);
	close(from);
	close(to);
}

void traffic_refused(const struct traffic_end *client, const char *address, uint16_t port)
{
	struct sockaddr_in to = traffic_address(address, port);
	int from = traffic_socket(client, SOCK_STREAM);

	assert_int_equal(connect(from, (const struct sockaddr *)&to, sizeof(to)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(from);
}

int traffic_raw(enum traffic_place place, const char *address, int protocol)
{
	struct sockaddr_in bound = traffic_address(address, 0);
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd;

	traffic_go(place);
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, protocol);
	traffic_go(TRAFFIC_AT_HOST);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&bound, sizeof(bound)), 0);
	return fd;
}

void traffic_send_raw(int fd, const char *to, const void *data, size_t length)
{
	struct sockaddr_in address = traffic_address(to, 0);

	assert_int_equal(
		sendto(fd, data, length, 0, (struct sockaddr *)&address, sizeof(address)), length);
}

void traffic_got_raw(
	int fd, const char *source, const char *destination, const void *data, size_t length)
{
	struct {
		struct iphdr ip;
		uint8_t data[256];
	} __attribute__((packed)) packet;

	assert_int_equal(recv(fd, &packet, sizeof(packet), 0), sizeof(packet.ip) + length);
	assert_int_equal(packet.ip.saddr, inet_addr(source));
	assert_int_equal(packet.ip.daddr, inet_addr(destination));
	assert_memory_equal(packet.data, data, length);
}

uint16_t traffic_checksum(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

void traffic_tracked(int connections)
{
	char expected[16];

	snprintf(expected, sizeof(expected), "%d\n", connections);
	assert_string_equal(
		namespace_output("cat /proc/sys/net/netfilter/nf_conntrack_count"), expected);
}

void traffic_counted(const char *match, int packets)
{
	const char *rules = namespace_output(
		"nft list table ip chnet-tap0 | grep -F '%s counter packets %d '; true", match,
		packets);

	if (rules[0] == '\0')
		fail_msg("not %d packets at '%s': %s", packets, match,
			namespace_output("nft list table ip chnet-tap0"));
}
