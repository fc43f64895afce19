/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP beside a block of the host's ports that belongs to our NAT, and port forwards beside it.
 */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/host/namespace.h"
#include "tests/unit/host/traffic.h"

#define LOW 50000
#define HIGH 59999

static struct host *up(void)
{
	struct host_config config = traffic_config();

	config.outside_low = LOW;
	config.outside_high = HIGH;
	return traffic_up(&config);
}

/* Pings from an address with an identifier; the answer must come. */
static void assert_pings(enum traffic_place place, const char *address, uint16_t id, const char *to)
{
	struct sockaddr_in from_address = traffic_address(address, id);
	struct sockaddr_in to_address = traffic_address(to, 0);
	struct icmphdr request = {.type = ICMP_ECHO, .un.echo.sequence = htons(1)}, reply;
	struct timeval patience = {.tv_sec = 10};
	int fd;

	traffic_go(place);
	namespace_run("echo '0 0' > /proc/sys/net/ipv4/ping_group_range");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
	traffic_go(TRAFFIC_AT_HOST);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&from_address, sizeof(from_address)), 0);
	assert_int_equal(sendto(fd, &request, sizeof(request), 0, (struct sockaddr *)&to_address,
				 sizeof(to_address)),
		sizeof(request));
	assert_int_equal(recv(fd, &reply, sizeof(reply), 0), sizeof(reply));
	assert_int_equal(reply.type, ICMP_ECHOREPLY);
	assert_int_equal(reply.un.echo.id, htons(id));
	close(fd);
}

static void pings_pass(void **state)
{
	up();
	assert_pings(TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, LOW, TRAFFIC_WORLD);
	assert_pings(TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, HIGH, TRAFFIC_WORLD);
	traffic_tracked(0);
	/* the host's own, whatever their identifier; they are tracked */
	assert_pings(TRAFFIC_AT_HOST, TRAFFIC_HOST, LOW, TRAFFIC_WORLD);
	traffic_tracked(1);
	assert_pings(TRAFFIC_AT_WORLD, TRAFFIC_WORLD, LOW, TRAFFIC_HOST);
}

/* An ICMP error, and what it says about the packet that it is about. */
struct error {
	struct icmphdr icmp;
	struct iphdr ip;
	union {
		struct udphdr udp; /* TCP too: only the ports matter */
		struct icmphdr echo;
	};
} __attribute__((packed));

static struct error error_about(uint8_t type, uint8_t protocol, const char *source, uint16_t port)
{
	struct error error = {
		.icmp = {.type = type},
		.ip = {.version = 4,
			.ihl = 5,
			.ttl = 1,
			.protocol = protocol,
			.tot_len = htons(28),
			.saddr = inet_addr(source),
			.daddr = inet_addr("192.0.2.1")},
	};

	if (protocol == IPPROTO_ICMP) {
		error.echo.type = ICMP_ECHO;
		error.echo.un.echo.id = htons(port);
	} else {
		error.udp.source = htons(port);
		error.udp.dest = htons(9);
	}
	error.ip.check = traffic_checksum(&error.ip, sizeof(error.ip));
	error.icmp.checksum = traffic_checksum(&error, sizeof(error));
	return error;
}

static void errors_pass(void **state)
{
	static const uint8_t types[] = {ICMP_DEST_UNREACH, ICMP_TIME_EXCEEDED, ICMP_PARAMETERPROB};
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};
	static const uint16_t ports[] = {LOW, HIGH};
	int guest, remote;

	up();
	guest = traffic_raw(TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, IPPROTO_ICMP);
	remote = traffic_raw(TRAFFIC_AT_WORLD, TRAFFIC_WORLD, IPPROTO_ICMP);
	for (size_t i = 0; i < 3 * 3 * 2; i++) {
		struct error error =
			error_about(types[i % 3], protocols[i / 3 % 3], TRAFFIC_HOST, ports[i / 9]);

		/* the NAT translates what is inside */
		traffic_send_raw(remote, TRAFFIC_HOST, &error, sizeof(error));
		traffic_got_raw(guest, TRAFFIC_WORLD, TRAFFIC_OUTSIDE, &error, sizeof(error));
		traffic_send_raw(guest, TRAFFIC_WORLD, &error, sizeof(error));
		traffic_got_raw(remote, TRAFFIC_HOST, TRAFFIC_WORLD, &error, sizeof(error));
	}
	{
		/* the ports lie behind IPv4 options that no rule looks behind */
		struct error error = error_about(ICMP_DEST_UNREACH, IPPROTO_UDP, TRAFFIC_HOST, LOW);

		error.ip.ihl = 6;
		error.icmp.checksum = 0;
		error.icmp.checksum = traffic_checksum(&error, sizeof(error));
		traffic_send_raw(remote, TRAFFIC_HOST, &error, sizeof(error));
		traffic_got_raw(guest, TRAFFIC_WORLD, TRAFFIC_OUTSIDE, &error, sizeof(error));
	}
	traffic_tracked(0);
	{
		struct error others[] = {
			error_about(ICMP_DEST_UNREACH, IPPROTO_UDP, TRAFFIC_HOST, LOW - 1),
			error_about(ICMP_DEST_UNREACH, IPPROTO_UDP, TRAFFIC_HOST_ALIAS, LOW),
			error_about(ICMP_DEST_UNREACH, IPPROTO_UDP, TRAFFIC_HOST, LOW),
		};

		/* the first two are about others */
		for (size_t i = 0; i < 3; i++)
			traffic_send_raw(remote, TRAFFIC_HOST, &others[i], sizeof(others[i]));
		traffic_got_raw(
			guest, TRAFFIC_WORLD, TRAFFIC_OUTSIDE, &others[2], sizeof(others[2]));
	}
	close(guest);
	close(remote);
}

/* Forwarded ports are as stateless as the block, where the world meets them. */
static void forwards_go_along(void **state)
{
	const struct traffic_end world = {.place = TRAFFIC_AT_WORLD};
	const struct traffic_end server = {TRAFFIC_AT_WORLD, TRAFFIC_WORLD, 4242};
	const struct traffic_end forwarded = {TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, 8080};
	const struct traffic_end the_host = {.place = TRAFFIC_AT_HOST};
	const struct traffic_end neighbour = {
		.place = TRAFFIC_AT_GUEST, .address = TRAFFIC_NEIGHBOUR};
	const struct traffic_end world_eth1 = {
		.place = TRAFFIC_AT_WORLD, .address = TRAFFIC_WORLD_ETH1};
	struct host_forward forward = {
		.to_be = {inet_addr(TRAFFIC_GUEST)},
		.listen_port = 8080,
		.to_port = 80,
		.count = 1,
		.protocol = IPPROTO_TCP,
	};
	struct error error = error_about(ICMP_DEST_UNREACH, IPPROTO_TCP, TRAFFIC_HOST, 8080);
	struct host *host = up();
	int guest, remote;

	assert_int_equal(host_forward_add(host, &forward), 0);
	guest = traffic_raw(TRAFFIC_AT_GUEST, TRAFFIC_OUTSIDE, IPPROTO_ICMP);
	remote = traffic_raw(TRAFFIC_AT_WORLD, TRAFFIC_WORLD, IPPROTO_ICMP);
	traffic_tcp(&world, TRAFFIC_HOST, 8080, &forwarded, TRAFFIC_WORLD);
	/* what the NAT sends from the forwarded port, unasked */
	traffic_tcp(&forwarded, TRAFFIC_WORLD, 4242, &server, TRAFFIC_HOST);
	traffic_send_raw(remote, TRAFFIC_HOST, &error, sizeof(error));
	traffic_got_raw(guest, TRAFFIC_WORLD, TRAFFIC_OUTSIDE, &error, sizeof(error));
	traffic_tracked(0);
	/* by other ways the kernel translates, and the answers come back by the gateway */
	traffic_tcp(&world, TRAFFIC_HOST_ALIAS, 8080, &forwarded, TRAFFIC_GATEWAY);
	traffic_tcp(&world_eth1, TRAFFIC_HOST_ETH1, 8080, &forwarded, TRAFFIC_GATEWAY);
	traffic_tcp(&the_host, "127.0.0.1", 8080, &forwarded, TRAFFIC_GATEWAY);
	traffic_tcp(&the_host, TRAFFIC_HOST, 8080, &forwarded, TRAFFIC_GATEWAY);
	traffic_tcp(&neighbour, TRAFFIC_GATEWAY, 8080, &forwarded, TRAFFIC_GATEWAY);
	assert_int_equal(host_forward_remove(host, &forward), 0);
	traffic_refused(&world, TRAFFIC_HOST, 8080);
	close(guest);
	close(remote);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, traffic_set_up, traffic_tear_down)
		TEST(pings_pass),
		TEST(errors_pass),
		TEST(forwards_go_along),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
