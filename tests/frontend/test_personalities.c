/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every driver of docs/guests.md has the same conversation: personality.c has the rows, machine.c
 * starts and stops them, station.c puts a kernel's TCP above them.
 *
 * Guest 0 has the driver at hand, guest 1 is an ordinary neighbour. The world is an address of the
 * program's network namespace that is not the LAN's, so that the NAT translates.
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

#define QUEUE_SIZE 256
#define QUEUE_SIZE_MAX 32768
/* More than a free running 16-bit index can count. */
#define PAST_THE_WRAP 66000
#define WRAP_BURST 16
#define WORLD_PORT 7777
/* Bytes of a TCP transfer, and one frame in so many that is lost on its way. */
#define TRANSFER (6u << 20)
#define LOSE 97

static const struct personality *personality;
static struct machine machine;
static struct station station;
static struct driver_frame frame;
static struct driver_frame got;
static struct driver_frame burst[WRAP_BURST];

static int setup(void **state)
{
	personality = *state;
	return fixture_setup(state);
}

static int teardown(void **state)
{
	station_fini(&station);
	machine_fini(&machine);
	return fixture_teardown(state);
}

static void plug(struct fixture *fixture, uint16_t size)
{
	int error = machine_plug(&machine, fixture, 0, personality, size);
	if (error)
		fail_msg("%s: queue of %u: %s", personality->name, size, strerror(-error));
}

static void start(struct fixture *fixture, const char *uplink)
{
	const char *const arguments[] = {"--uplink", uplink, NULL};
	struct frontend_options options = fixture_options();

	fixture_start(fixture, 2, NULL, arguments);
	fixture_plug(fixture, 1, &options);
	/* What is withheld from RedoxOS is test_redox.c's. */
	fixture->udp = true;
}

static void send_frame(const struct driver_frame *sent)
{
	int error = machine_send(&machine, sent, deadline_in(DEADLINE_STEP_MS));
	if (error)
		fail_msg("%s cannot send: %s", personality->name, strerror(-error));
}

/* Does the frame keep what was agreed on? */
static void check_header(void)
{
	uint64_t features = machine.frontend->acked;
	uint32_t room =
		personality->kind == PERSONALITY_DRIVER ? personality->rx_buffer : REDOX_RX_BUFFER;

	if (got.length + DRIVER_HEADER_LENGTH <= room)
		assert_int_equal(got.vnet.num_buffers, 1);
	if (!(features & FRONTEND_BIT(VIRTIO_NET_F_GUEST_CSUM)))
		assert_int_equal(got.vnet.flags, 0);
	if (!(features & FRONTEND_BIT(VIRTIO_NET_F_GUEST_TSO4))) {
		assert_int_equal(got.vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
		assert_true(got.length <= personality->frame_max);
	}
}

/* The next frame that the driver takes. */
static void receive_frame(void)
{
	int error = machine_receive(&machine, &got, deadline_in(DEADLINE_STEP_MS));

	if (error)
		fail_msg("%s receives nothing: %s", personality->name,
			error == -ENOMSG ? "the interrupt is missing" : strerror(-error));
	check_header();
}

static void expect_frame(const struct driver_frame *sent)
{
	receive_frame();
	assert_int_equal(got.length, sent->length);
	assert_memory_equal(got.bytes, sent->bytes, sent->length);
}

/* `count` frames each way, one at a time. */
static void exchange(struct fixture *fixture, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t length = i == count - 1 ? personality->frame_max : 60 + i * 37 % 1400;
		fixture_number(fixture, &frame, 0, fixture_end(1, 0).mac, length);
		send_frame(&frame);
		fixture_expect(fixture, 1, &frame);
		fixture_number(fixture, &frame, 1, fixture_end(0, 0).mac, length);
		fixture_send(fixture, 1, &frame);
		expect_frame(&frame);
	}
}

/* ---- the conversation */

/* The next frame of this kind; what the host says to everyone is passed over. */
static struct frames_view await(uint16_t type, uint8_t protocol, uint16_t port)
{
	struct frames_view view;

	do {
		receive_frame();
		assert_int_equal(frames_parse(got.bytes, got.length, &view), 0);
	} while (view.type != type || view.protocol != protocol ||
		 (port && view.port_target != port));
	if (!(got.vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && type == FRAMES_TYPE_IPV4)
		assert_true(view.checksum_ip && view.checksum_l4);
	return view;
}

#define DHCP_LENGTH 300
#define DHCP_OPTIONS 240
#define DHCP_SERVER 67
#define DHCP_CLIENT 68
#define DHCP_YIADDR 16

/* Sends a message of DHCP with these options from `ip`; returns the address in the answer. */
static uint32_t ask_dhcp(uint32_t ip, const uint8_t *options, size_t length)
{
	static const uint8_t cookie[] = {0x63, 0x82, 0x53, 0x63};
	uint8_t message[DHCP_LENGTH] = {1, 1, 6, 0, 1, 2, 3, 4, 0, 0, 0x80, 0};
	struct frames_end self = fixture_end(0, DHCP_CLIENT), server = {.ip = 0xffffffff};
	uint32_t address_be;

	memcpy(message + 28, self.mac, sizeof(self.mac));
	memcpy(message + DHCP_OPTIONS - 4, cookie, sizeof(cookie));
	memcpy(message + DHCP_OPTIONS, options, length);
	memcpy(server.mac, frames_broadcast, sizeof(server.mac));
	server.port = DHCP_SERVER;
	self.ip = ip;
	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_udp(frame.bytes, &self, &server, message, sizeof(message));
	send_frame(&frame);
	struct frames_view view = await(FRAMES_TYPE_IPV4, FRAMES_PROTOCOL_UDP, DHCP_CLIENT);
	assert_true(view.ip_target == 0xffffffff || (ip && view.ip_target == ip));
	assert_true(view.payload_length > DHCP_OPTIONS);
	memcpy(&address_be, view.payload + DHCP_YIADDR, sizeof(address_be));
	return ntohl(address_be);
}

static void converse_dhcp(void)
{
	static const uint8_t discover[] = {53, 1, 1, 255};
	static const uint8_t request[] = {
		53, 1, 3, 50, 4, 172, 16, 0, 2, 54, 4, 172, 16, 0, 1, 255};

	assert_int_equal(ask_dhcp(0, discover, sizeof(discover)), FIXTURE_FIRST_IP);
	/* RedoxOS speaks with the address from the offer on. */
	uint32_t ip = personality->kind == PERSONALITY_DRIVER ? 0 : FIXTURE_FIRST_IP;
	assert_int_equal(ask_dhcp(ip, request, sizeof(request)), FIXTURE_FIRST_IP);
}

static struct frames_end converse_arp(void)
{
	struct frames_end self = fixture_end(0, 0), gateway = {.ip = FIXTURE_GATEWAY_IP};
	struct frames_view view;

	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_arp(frame.bytes, FRAMES_ARP_REQUEST, &self, &gateway);
	if (personality->kind != PERSONALITY_DRIVER)
		memcpy(frame.bytes + FRAMES_ETHERNET + 18, frames_broadcast, 6);
	send_frame(&frame);
	do
		view = await(FRAMES_TYPE_ARP, 0, 0);
	while (view.operation != FRAMES_ARP_REPLY);
	assert_memory_equal(view.arp_target, self.mac, sizeof(self.mac));
	assert_int_equal(view.ip_target, self.ip);
	memcpy(gateway.mac, view.arp_source, sizeof(gateway.mac));
	return gateway;
}

/* To the gateway, and to the world behind it. */
static void converse_ping(const struct frames_end *gateway)
{
	const uint32_t most = personality->frame_max - FRAMES_ETHERNET - FRAMES_IPV4 - FRAMES_ICMP;
	const uint32_t sizes[] = {0, 1, 56, 1000, most};
	const uint32_t targets[] = {FIXTURE_GATEWAY_IP, STATION_WORLD_IP};
	static uint8_t data[1514];

	for (unsigned int i = 0; i < 10; i++) {
		struct frames_end self = fixture_end(0, 0x1234), to = *gateway;
		to.ip = targets[i / 5];
		to.port = (uint16_t)i;
		memset(data, (int)i, sizeof(data));
		memset(&frame.vnet, 0, sizeof(frame.vnet));
		frame.length = frames_icmp_echo(
			frame.bytes, &self, &to, FRAMES_ICMP_ECHO, data, sizes[i % 5]);
		send_frame(&frame);
		struct frames_view view = await(FRAMES_TYPE_IPV4, FRAMES_PROTOCOL_ICMP, 0);
		assert_int_equal(view.icmp_type, FRAMES_ICMP_ECHO_REPLY);
		assert_int_equal(view.ip_source, to.ip);
		assert_int_equal(view.port_source, 0x1234);
		assert_int_equal(view.port_target, i);
		assert_int_equal(view.payload_length, sizes[i % 5]);
		assert_memory_equal(view.payload, data, view.payload_length);
	}
}

static struct sockaddr_in address(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons(port)};
}

static int world_socket(struct fixture *fixture, int type)
{
	struct sockaddr_in self = address(STATION_WORLD_IP, WORLD_PORT);
	int fd = station_socket_in(fixture->backend.netns_fd, type);
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&self, sizeof(self)), 0);
	return fd;
}

static void wait_for(int fd, short events)
{
	struct pollfd wait = {.fd = fd, .events = events};
	assert_int_equal(poll(&wait, 1, DEADLINE_STEP_MS), 1);
}

/* Datagrams to the world and back, through the NAT. */
static void converse_udp(struct fixture *fixture, const struct frames_end *gateway)
{
	const uint32_t most = personality->frame_max - FRAMES_ETHERNET - FRAMES_IPV4 - FRAMES_UDP;
	const uint32_t sizes[] = {0, 1, 2, 63, 512, 1400, most - 1, most};
	struct frames_end self = fixture_end(0, 5000), to = *gateway;
	uint8_t data[1514], back[1514];
	int fd = world_socket(fixture, SOCK_DGRAM);

	to.ip = STATION_WORLD_IP;
	to.port = WORLD_PORT;
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct sockaddr_in from;
		socklen_t length = sizeof(from);
		memset(data, (int)i + 1, sizeof(data));
		memset(&frame.vnet, 0, sizeof(frame.vnet));
		frame.length = frames_udp(frame.bytes, &self, &to, data, sizes[i]);
		if (machine.frontend->acked & FRONTEND_BIT(VIRTIO_NET_F_CSUM))
			frames_make_partial(frame.bytes, frame.length, &frame.vnet);
		send_frame(&frame);
		wait_for(fd, POLLIN);
		assert_int_equal(
			recvfrom(fd, back, sizeof(back), 0, (struct sockaddr *)&from, &length),
			sizes[i]);
		assert_memory_equal(back, data, sizes[i]);
		assert_int_equal(
			sendto(fd, back, sizes[i], 0, (struct sockaddr *)&from, length), sizes[i]);
		struct frames_view view = await(FRAMES_TYPE_IPV4, FRAMES_PROTOCOL_UDP, self.port);
		assert_int_equal(view.ip_source, STATION_WORLD_IP);
		assert_int_equal(view.payload_length, sizes[i]);
		assert_memory_equal(view.payload, data, sizes[i]);
	}
	close(fd);
}

static uint8_t pattern(uint32_t at)
{
	return (uint8_t)(at * 7 + (at >> 8) + (at >> 16));
}

/* Carries TRANSFER bytes from one socket to the other, each checked. */
static void transfer(int from, int to, const char *what)
{
	static uint8_t out[1 << 16], in[1 << 16];
	uint32_t sent = 0, received = 0;

	while (received < TRANSFER) {
		struct pollfd wait[2] = {{.fd = to, .events = POLLIN},
			{.fd = from, .events = sent < TRANSFER ? POLLOUT : 0}};
		if (poll(wait, 2, DEADLINE_STEP_MS) == 0)
			fail_msg("%s: %s stands still at %u of %u bytes", personality->name, what,
				received, TRANSFER);
		if (wait[1].revents & POLLOUT) {
			uint32_t size = TRANSFER - sent < sizeof(out) ? TRANSFER - sent
								      : (uint32_t)sizeof(out);
			for (uint32_t i = 0; i < size; i++)
				out[i] = pattern(sent + i);
			ssize_t taken = send(from, out, size, 0);
			assert_true(taken > 0);
			sent += (uint32_t)taken;
		}
		if (wait[0].revents) {
			ssize_t came = recv(to, in, sizeof(in), 0);
			if (came <= 0)
				fail_msg("%s: %s ends: %s", personality->name, what,
					came ? strerror(errno) : "closed");
			for (uint32_t i = 0; i < (uint32_t)came; i++)
				if (in[i] != pattern(received + i))
					fail_msg("%s: byte %u is another", what, received + i);
			received += (uint32_t)came;
		}
	}
}

/* A connection of the guest to the world, both ways in turn, with frames lost on the way. */
static void converse_tcp(struct fixture *fixture)
{
	struct sockaddr_in to = address(STATION_WORLD_IP, WORLD_PORT);
	int listener = world_socket(fixture, SOCK_STREAM);
	int error = -1;
	socklen_t size = sizeof(error);

	station_start(&station, &machine, 0, LOSE);
	int guest = station_socket(&station, SOCK_STREAM);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(connect(guest, (struct sockaddr *)&to, sizeof(to)), -1);
	wait_for(listener, POLLIN);
	int world = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(world >= 0);
	wait_for(guest, POLLOUT);
	assert_int_equal(getsockopt(guest, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	assert_int_equal(error, 0);
	transfer(world, guest, "the download");
	transfer(guest, world, "the upload");
	station_stop(&station);
	/* Or this was no test. */
	assert_true(station.lost[0] > 0 && station.lost[1] > 0);
	close(guest);
	close(world);
	close(listener);
}

static void conversation(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, "tap");
	station_add_world(fixture);
	plug(fixture, QUEUE_SIZE);
	converse_dhcp();
	struct frames_end gateway = converse_arp();
	converse_ping(&gateway);
	converse_udp(fixture, &gateway);
	/* The stock driver of RedoxOS cannot carry TCP over any device. */
	if (!personality->no_bursts)
		converse_tcp(fixture);
	assert_true(fixture_counter(fixture, "nat.sessions_created") > 0);
}

/* ---- rings */

/* The most frames at a time that the driver has buffers for. */
static uint32_t burst_max(void)
{
	uint16_t slots = machine.frontend->driver.rx_slots;

	if (personality->kind != PERSONALITY_DRIVER)
		return WRAP_BURST;
	return slots < WRAP_BURST ? slots : WRAP_BURST;
}

static void wrap_out(struct fixture *fixture)
{
	for (uint32_t done = 0; done < PAST_THE_WRAP; done += WRAP_BURST) {
		for (uint32_t i = 0; i < WRAP_BURST; i++) {
			fixture_number(fixture, &burst[i], 0, fixture_end(1, 0).mac,
				60 + (done + i) % 200);
			if (personality->kind != PERSONALITY_DRIVER)
				send_frame(&burst[i]);
			else
				assert_int_equal(driver_queue(&machine.frontend->driver, &burst[i],
							 deadline_in(DEADLINE_STEP_MS)),
					0);
		}
		driver_publish(&machine.frontend->driver);
		for (uint32_t i = 0; i < WRAP_BURST; i++)
			fixture_expect(fixture, 1, &burst[i]);
	}
}

static void wrap_in(struct fixture *fixture)
{
	struct driver *driver = &fixture->ports[1].driver;
	uint32_t most = burst_max();

	for (uint32_t done = 0; done < PAST_THE_WRAP; done += most) {
		for (uint32_t i = 0; i < most; i++) {
			fixture_number(fixture, &burst[i], 1, fixture_end(0, 0).mac,
				60 + (done + i) % 200);
			assert_int_equal(
				driver_queue(driver, &burst[i], deadline_in(DEADLINE_STEP_MS)), 0);
		}
		driver_publish(driver);
		for (uint32_t i = 0; i < most; i++)
			expect_frame(&burst[i]);
	}
}

static void indices_wrap(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, "none");
	plug(fixture, QUEUE_SIZE);
	exchange(fixture, 5);
	/* Each start of a ring interrupts once, whatever the driver says: ring.h. */
	for (int i = 0; personality->no_interrupt && i < DRIVER_QUEUES; i++)
		virtqueue_drain(&machine.frontend->driver.queues[i]);
	wrap_out(fixture);
	/* The stock driver of RedoxOS has QUEUE_SIZE receive buffers for its life. */
	if (!personality->no_bursts)
		wrap_in(fixture);
	exchange(fixture, 5);
	/* Whoever never asks for an interrupt gets none. */
	for (int i = 0; personality->no_interrupt && i < DRIVER_QUEUES; i++)
		assert_int_equal(virtqueue_drain(&machine.frontend->driver.queues[i]), 0);
}

static void every_queue_size(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, "none");
	for (uint32_t size = personality->size_min; size <= QUEUE_SIZE_MAX; size *= 2) {
		plug(fixture, (uint16_t)size);
		/* The stock driver of RedoxOS has no more buffers than that. */
		exchange(fixture, size < 10 ? size : 10);
		machine_fini(&machine);
		fixture_unplug(fixture, 0);
	}
}

/* Reset and started again: with the bases that Windows' driver leaves after it was installed anew,
 * and with one that means nothing. The ring begins where the driver's used.idx is. */
static void driver_starts_again(void **state)
{
	static const uint32_t bases[] = {0, 16, 256, MACHINE_BASE_AVAIL, 0x5a5a};
	struct fixture *fixture = *state;

	start(fixture, "none");
	plug(fixture, QUEUE_SIZE);
	for (unsigned int i = 0; i < 10; i++) {
		exchange(fixture, 20);
		assert_int_equal(machine_stop(&machine), 0);
		assert_int_equal(machine_start(&machine, bases[i % 5]), 0);
	}
	exchange(fixture, 20);
}

/* Firmware uses the device first, resets it, and the kernel finds it so: the connection is the
 * same, and so is the memory. */
static void firmware_comes_first(void **state)
{
	struct fixture *fixture = *state;
	const struct personality *kernel = personality;

	personality = personality_find("edk2");
	start(fixture, "none");
	plug(fixture, QUEUE_SIZE);
	exchange(fixture, 100);
	assert_int_equal(machine_stop(&machine), 0);
	personality = kernel;
	assert_int_equal(machine_become(&machine, kernel, QUEUE_SIZE), 0);
	assert_int_equal(machine_start(&machine, MACHINE_BASE_AVAIL), 0);
	exchange(fixture, 50);
}

/* ---- */

static const struct {
	const char *name;
	CMUnitTestFunction function;
} cases[] = {
	{"conversation", conversation},
	{"indices wrap", indices_wrap},
	{"every queue size", every_queue_size},
	{"driver starts again", driver_starts_again},
	{"firmware comes first", firmware_comes_first},
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

int main(void)
{
	static struct CMUnitTest tests[PERSONALITY_COUNT * CASES];
	static char names[PERSONALITY_COUNT * CASES][64];
	const char *why = backend_process_unusable();

	if (why) {
		fprintf(stderr, "skipped: %s\n", why);
		return 77;
	}
	for (unsigned int i = 0; i < PERSONALITY_COUNT * CASES; i++) {
		const struct personality *one = &personalities[i / CASES];
		snprintf(names[i], sizeof(names[i]), "%s: %s", one->name, cases[i % CASES].name);
		tests[i] = (struct CMUnitTest){
			.name = names[i],
			.test_func = cases[i % CASES].function,
			.setup_func = setup,
			.teardown_func = teardown,
			.initial_state = (void *)one,
		};
	}
	cmocka_set_test_filter(getenv("CHNET_TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
