/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who sends a RedoxOS guest datagrams that are too long for it learns so: the host's kernel, and
 * one beyond the NAT, find a path MTU of 1,486 by themselves (RFC 1191).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/frontend/machine.h"
#include "tests/frontend/station.h"

#define PORT 7777
#define GUEST_PORT 5000
/* Of a datagram of 1,500 bytes, and of one that the guest takes. */
#define TOO_LONG (1500 - FRAMES_IPV4 - FRAMES_UDP)
#define LONGEST (REDOX_MTU - FRAMES_IPV4 - FRAMES_UDP)

/* <linux/in.h> has it, which does not go with <netinet/in.h>. */
#ifndef IP_MTU
#define IP_MTU 14
#endif

static struct machine machine;
static struct driver_frame frame;
static struct driver_frame got;

static int teardown(void **state)
{
	machine_fini(&machine);
	return fixture_teardown(state);
}

static void start(struct fixture *fixture)
{
	static const char *const arguments[] = {"--uplink", "tap", NULL};
	static const char *const suffixes[] = {",mac=52:54:00:12:34:56,ip=172.16.0.2"};

	fixture_start(fixture, 1, suffixes, arguments);
	station_add_world(fixture);
	assert_int_equal(machine_plug(&machine, fixture, 0, personality_find("redox-b"), 256), 0);
}

static struct frames_view receive(void)
{
	struct frames_view view;

	assert_int_equal(machine_receive(&machine, &got, deadline_in(DEADLINE_STEP_MS)), 0);
	assert_int_equal(frames_parse(got.bytes, got.length, &view), 0);
	return view;
}

/* The next datagram; answers who asks for the guest's MAC. */
static struct frames_view await_udp(void)
{
	struct frames_end self = fixture_end(0, 0);

	for (;;) {
		struct frames_view view = receive();
		if (view.protocol == FRAMES_PROTOCOL_UDP)
			return view;
		if (view.type != FRAMES_TYPE_ARP || view.operation != FRAMES_ARP_REQUEST)
			continue;
		struct frames_end asker = {.ip = view.ip_source};
		memcpy(asker.mac, view.arp_source, sizeof(asker.mac));
		memset(&frame.vnet, 0, sizeof(frame.vnet));
		frame.length = frames_arp(frame.bytes, FRAMES_ARP_REPLY, &self, &asker);
		assert_int_equal(machine_send(&machine, &frame, deadline_in(DEADLINE_STEP_MS)), 0);
	}
}

/* A socket of the host's at `ip` that never fragments, and hears of errors. */
static int open_socket(struct fixture *fixture, uint32_t ip)
{
	struct sockaddr_in self = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons(PORT)};
	int fd = station_socket_in(fixture->backend.netns_fd, SOCK_DGRAM);
	int discover = IP_PMTUDISC_DO, one = 1;

	assert_int_equal(bind(fd, (struct sockaddr *)&self, sizeof(self)), 0);
	assert_int_equal(
		setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover)), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)), 0);
	return fd;
}

/* Errors that wait are told by the next call, whatever it is. */
static void forget_errors(int fd)
{
	uint8_t bytes[2048];
	int error;
	socklen_t size = sizeof(error);

	while (recv(fd, bytes, sizeof(bytes), MSG_ERRQUEUE) >= 0)
		;
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
}

/* What is too long never arrives; its sender hears why, and from then on sends what fits. */
static void discover(int fd)
{
	static uint8_t data[TOO_LONG];
	struct pollfd wait = {.fd = fd};
	int mtu = 0;
	socklen_t size = sizeof(mtu);

	assert_int_equal(send(fd, data, TOO_LONG, 0), TOO_LONG);
	assert_int_equal(poll(&wait, 1, DEADLINE_STEP_MS), 1);
	assert_true(wait.revents & POLLERR);
	assert_int_equal(getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &size), 0);
	assert_int_equal(mtu, REDOX_MTU);
	forget_errors(fd);
	assert_int_equal(send(fd, data, TOO_LONG, 0), -1);
	assert_int_equal(errno, EMSGSIZE);
	forget_errors(fd);
	assert_int_equal(send(fd, data, LONGEST, 0), LONGEST);
	struct frames_view view = await_udp();
	assert_int_equal(view.payload_length, LONGEST);
	assert_true(view.checksum_ip && view.checksum_l4);
}

static void host_finds_the_path_mtu(void **state)
{
	struct fixture *fixture = *state;
	struct sockaddr_in guest = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(FIXTURE_FIRST_IP),
		.sin_port = htons(GUEST_PORT)};

	start(fixture);
	int fd = open_socket(fixture, FIXTURE_GATEWAY_IP);
	assert_int_equal(connect(fd, (struct sockaddr *)&guest, sizeof(guest)), 0);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	assert_int_equal(await_udp().payload_length, 1);
	discover(fd);
	close(fd);
	assert_int_equal(fixture_counter(fixture, "port.0.drop.withheld_size"), 1);
}

static void world_finds_the_path_mtu(void **state)
{
	struct fixture *fixture = *state;
	struct frames_end self = fixture_end(0, GUEST_PORT),
			  world = {.ip = STATION_WORLD_IP, .port = PORT};
	struct frames_end gateway = {.ip = FIXTURE_GATEWAY_IP};
	struct sockaddr_in seen;
	socklen_t size = sizeof(seen);
	struct frames_view view;
	char text[8];

	start(fixture);
	int fd = open_socket(fixture, STATION_WORLD_IP);
	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_arp(frame.bytes, FRAMES_ARP_REQUEST, &self, &gateway);
	assert_int_equal(machine_send(&machine, &frame, deadline_in(DEADLINE_STEP_MS)), 0);
	do
		view = receive();
	while (view.type != FRAMES_TYPE_ARP || view.operation != FRAMES_ARP_REPLY);
	memcpy(world.mac, view.arp_source, sizeof(world.mac));
	/* The guest opens the session. */
	frame.length = frames_udp(frame.bytes, &self, &world, "x", 1);
	assert_int_equal(machine_send(&machine, &frame, deadline_in(DEADLINE_STEP_MS)), 0);
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&wait, 1, DEADLINE_STEP_MS), 1);
	assert_int_equal(recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)&seen, &size), 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&seen, sizeof(seen)), 0);
	discover(fd);
	close(fd);
	assert_int_equal(fixture_counter(fixture, "port.0.drop.withheld_size"), 1);
}

#define MTU_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, teardown)

static const struct CMUnitTest tests[] = {
	MTU_TEST(host_finds_the_path_mtu),
	MTU_TEST(world_finds_the_path_mtu),
};

FIXTURE_MAIN(tests)
