/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A RedoxOS image with a fixed address on a network that serves it nothing: no DHCP, no DNS. The
 * address plan comes from the image's own files, guest/redox/etc/net.
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
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/frontend/machine.h"
#include "tests/frontend/station.h"

#define PORT 7777

static struct machine machine;
static struct station station;
static struct driver_frame frame;
static struct driver_frame got;

static int teardown(void **state)
{
	station_fini(&station);
	machine_fini(&machine);
	return fixture_teardown(state);
}

/* A file of the image, whole. */
static void read_file(const char *name, char *text, size_t size)
{
	const char *directory = getenv("CHNET_GUEST_REDOX");
	char path[4096];

	assert_non_null(directory);
	snprintf(path, sizeof(path), "%s/etc/net/%s", directory, name);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	size_t length = fread(text, 1, size - 1, file);
	text[length] = 0;
	fclose(file);
}

/* The address on the first line, host byte order. */
static uint32_t read_address(const char *name)
{
	char text[64];
	struct in_addr address;

	read_file(name, text, sizeof(text));
	char *end = strchr(text, '\n');
	assert_non_null(end);
	*end = 0;
	assert_int_equal(inet_pton(AF_INET, text, &address), 1);
	return ntohl(address.s_addr);
}

/* As the image's maker describes them, to the byte. */
static void files_are_unchanged(void **state)
{
	static const struct {
		const char *name, *text;
	} files[] = {
		{"cloud-hypervisor/ip", "172.16.0.2\n"},
		{"cloud-hypervisor/netmask", "255.255.255.0\n"},
		{"cloud-hypervisor/gateway", "172.16.0.1\n"},
		{"ip_router", "172.16.0.1\n"},
		{"dns", "1.1.1.1\n8.8.8.8\n"},
	};
	char text[64];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		read_file(files[i].name, text, sizeof(text));
		assert_string_equal(text, files[i].text);
	}
}

static void start(struct fixture *fixture, bool bound)
{
	static const char *const arguments[] = {
		"--uplink", "tap", "--dhcp", "off", "--dns", "off", NULL};
	static const char *const suffixes[] = {",mac=52:54:00:12:34:56,ip=172.16.0.2"};

	fixture_start(fixture, 1, bound ? suffixes : NULL, arguments);
	station_add_world(fixture);
	assert_int_equal(machine_plug(&machine, fixture, 0, personality_find("redox-b"), 256), 0);
}

/* The next frame that the driver takes. */
static struct frames_view receive(void)
{
	struct frames_view view;

	assert_int_equal(machine_receive(&machine, &got, deadline_in(DEADLINE_STEP_MS)), 0);
	assert_int_equal(frames_parse(got.bytes, got.length, &view), 0);
	return view;
}

static void send_frame(void)
{
	assert_int_equal(machine_send(&machine, &frame, deadline_in(DEADLINE_STEP_MS)), 0);
}

/* What the host asks before the guest has said anything reaches the guest, bound or not. */
static void host_finds_a_silent_guest(struct fixture *fixture, bool bound)
{
	struct frames_end self = fixture_end(0, PORT);
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(read_address("cloud-hypervisor/ip")),
		.sin_port = htons(PORT)};
	struct frames_view view;

	start(fixture, bound);
	int fd = station_socket_in(fixture->backend.netns_fd, SOCK_DGRAM);
	assert_int_equal(sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	do
		view = receive();
	while (view.type != FRAMES_TYPE_ARP || view.ip_target != self.ip);
	struct frames_end host = {.ip = view.ip_source};
	memcpy(host.mac, view.arp_source, sizeof(host.mac));
	assert_int_equal(host.ip, read_address("cloud-hypervisor/gateway"));
	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_arp(frame.bytes, FRAMES_ARP_REPLY, &self, &host);
	send_frame();
	do
		view = receive();
	while (view.protocol != FRAMES_PROTOCOL_UDP);
	assert_int_equal(view.payload_length, 5);
	assert_memory_equal(view.payload, "hello", 5);
	close(fd);
}

static void host_finds_a_guest_that_is_bound(void **state)
{
	host_finds_a_silent_guest(*state, true);
}

static void host_finds_a_guest_that_is_not(void **state)
{
	host_finds_a_silent_guest(*state, false);
}

static void wait_for(int fd, short events)
{
	struct pollfd wait = {.fd = fd, .events = events};
	assert_int_equal(poll(&wait, 1, DEADLINE_STEP_MS), 1);
}

/* Through the gateway of the files, with nothing set by anybody else: TCP to the world and back. */
static void guest_reaches_the_world(void **state)
{
	struct fixture *fixture = *state;
	struct sockaddr_in world = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(STATION_WORLD_IP),
		.sin_port = htons(PORT)};
	struct sockaddr_in seen;
	socklen_t length = sizeof(seen);
	char text[64] = "";

	start(fixture, false);
	station_start(&station, &machine, 0, 0);
	/* The station's kernel has been given what the files say. */
	assert_int_equal(read_address("cloud-hypervisor/ip"), FIXTURE_FIRST_IP);
	assert_int_equal(read_address("cloud-hypervisor/netmask"), 0xffffff00);
	assert_int_equal(read_address("cloud-hypervisor/gateway"), FIXTURE_GATEWAY_IP);
	int listener = station_socket_in(fixture->backend.netns_fd, SOCK_STREAM);
	assert_int_equal(bind(listener, (struct sockaddr *)&world, sizeof(world)), 0);
	assert_int_equal(listen(listener, 1), 0);
	int guest = station_socket(&station, SOCK_STREAM);
	assert_int_equal(connect(guest, (struct sockaddr *)&world, sizeof(world)), -1);
	wait_for(listener, POLLIN);
	int peer = accept4(listener, (struct sockaddr *)&seen, &length, SOCK_CLOEXEC);
	assert_true(peer >= 0);
	/* The NAT's outside address speaks for it. */
	assert_int_equal(ntohl(seen.sin_addr.s_addr), 0xac1000fe);
	wait_for(guest, POLLOUT);
	assert_int_equal(send(guest, "up", 2, 0), 2);
	wait_for(peer, POLLIN);
	assert_int_equal(recv(peer, text, sizeof(text), 0), 2);
	assert_string_equal(text, "up");
	assert_int_equal(send(peer, "down", 4, 0), 4);
	wait_for(guest, POLLIN);
	assert_int_equal(recv(guest, text, sizeof(text), 0), 4);
	assert_memory_equal(text, "down", 4);
	close(guest);
	close(peer);
	close(listener);
	station_stop(&station);
}

#define PLAN_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, teardown)

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(files_are_unchanged),
	PLAN_TEST(host_finds_a_guest_that_is_bound),
	PLAN_TEST(host_finds_a_guest_that_is_not),
	PLAN_TEST(guest_reaches_the_world),
};

FIXTURE_MAIN(tests)
