/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a RedoxOS guest needs of its port (docs/guests.md): guest 0 is RedoxOS' driver, guest 1 an
 * ordinary Linux guest that sends what a LAN is full of.
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
#include <signal.h>
#include <string.h>

#include "tests/frontend/redox.h"

#define SIZE 256
#define TYPE_IPV6 0x86dd
#define PORT 4000
#define REDOX_MSS (REDOX_MTU - FRAMES_IPV4 - FRAMES_TCP)

static struct redox redox;
static struct driver_frame frame;
static struct driver_frame got;

static void plug_redox(struct fixture *fixture, uint16_t size, bool recycles)
{
	struct frontend_options options = redox_options(size);
	struct frontend *port = &fixture->ports[0];

	fixture->plugged[0] = true;
	assert_int_equal(frontend_init(port, &options), 0);
	assert_int_equal(redox_init(&redox, port, recycles), 0);
	redox_reset(&redox);
	assert_int_equal(frontend_connect(port, fixture->sockets[0]), 0);
	assert_int_equal(frontend_resume(port), 0);
	redox_start(&redox);
}

static int teardown(void **state)
{
	redox_fini(&redox);
	return fixture_teardown(state);
}

static void send_redox(const struct driver_frame *sent)
{
	int error = redox_send(&redox, sent, deadline_in(DEADLINE_STEP_MS));
	if (error)
		fail_msg("the driver hangs: %s", strerror(-error));
}

/* The next frame of the driver, which sleeps until it comes. */
static void receive_redox(void)
{
	uint64_t deadline = deadline_in(DEADLINE_STEP_MS);
	int error;

	while ((error = redox_poll(&redox, &got)) == -EAGAIN)
		assert_int_equal(redox_sleep(&redox, deadline), 0);
	if (error)
		fail_msg("the driver aborts: %u bytes", got.length);
	assert_int_equal(got.vnet.num_buffers, 1);
	assert_int_equal(got.vnet.flags, 0);
	assert_int_equal(got.vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
}

static void expect_redox(const struct driver_frame *sent)
{
	receive_redox();
	assert_int_equal(got.length, sent->length);
	assert_memory_equal(got.bytes, sent->bytes, sent->length);
}

/* A datagram of `length` bytes of frame. */
static void make_udp(unsigned int from, unsigned int to, uint32_t length)
{
	struct fixture numbering = {.udp = true, .serial = length};

	fixture_number(&numbering, &frame, from, fixture_end(to, 0).mac, length);
}

/* Each hears of the other. */
static void introduce(struct fixture *fixture)
{
	make_udp(0, 1, 60);
	send_redox(&frame);
	fixture_expect(fixture, 1, &frame);
	make_udp(1, 0, 60);
	fixture_send(fixture, 1, &frame);
	expect_redox(&frame);
}

static void start(struct fixture *fixture, const char *suffix, bool recycles)
{
	const char *const suffixes[] = {suffix, NULL};
	struct frontend_options options = fixture_options();

	fixture_start(fixture, 2, suffixes, NULL);
	fixture_plug(fixture, 1, &options);
	plug_redox(fixture, SIZE, recycles);
	introduce(fixture);
}

/* The neighbour sends a frame that RedoxOS has no use for. */
static void noise(struct fixture *fixture, const uint8_t target[6], uint16_t type, uint32_t length)
{
	static const uint8_t zeros[1600];

	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_ethernet(
		frame.bytes, target, fixture_end(1, 0).mac, type, zeros, length - FRAMES_ETHERNET);
	fixture_send(fixture, 1, &frame);
}

static void ask_for(struct fixture *fixture, uint32_t ip)
{
	struct frames_end self = fixture_end(1, 0), asked = {.ip = ip};

	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_arp(frame.bytes, FRAMES_ARP_REQUEST, &self, &asked);
	fixture_send(fixture, 1, &frame);
}

/* The neighbour's datagram to any address, with fields of its IPv4 header changed. */
static void datagram(struct fixture *fixture, const uint8_t target[6], uint32_t ip)
{
	struct frames_end self = fixture_end(1, PORT), to = {.ip = ip, .port = PORT};

	memcpy(to.mac, target, sizeof(to.mac));
	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_udp(frame.bytes, &self, &to, "a LAN is full of these", 22);
	fixture_send(fixture, 1, &frame);
}

static void fragment(struct fixture *fixture, uint16_t word)
{
	make_udp(1, 0, 100);
	uint8_t *ip = frame.bytes + FRAMES_ETHERNET;
	uint32_t sum = (uint32_t)(ip[10] << 8 | ip[11]) + 0x4000 + (uint16_t)~word;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip[6] = (uint8_t)(word >> 8);
	ip[7] = (uint8_t)word;
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
	fixture_send(fixture, 1, &frame);
}

/* One of each kind; 17 frames. */
static void all_noise(struct fixture *fixture)
{
	static const uint8_t ipv6_all[6] = {0x33, 0x33, 0, 0, 0, 1};
	static const uint8_t mdns[6] = {0x01, 0x00, 0x5e, 0, 0, 0xfb};
	static const uint8_t stranger[6] = {0x52, 0x54, 0, 0x99, 0x99, 0x99};
	struct frames_end to = fixture_end(0, PORT);

	noise(fixture, ipv6_all, TYPE_IPV6, 90);
	noise(fixture, to.mac, TYPE_IPV6, 90);
	noise(fixture, frames_broadcast, FRAMES_TYPE_EXPERIMENT, 60);
	noise(fixture, to.mac, FRAMES_TYPE_EXPERIMENT, 1514);
	noise(fixture, stranger, FRAMES_TYPE_EXPERIMENT, 60);
	for (uint32_t i = 0; i < 5; i++)
		ask_for(fixture, FIXTURE_FIRST_IP + 1 + i);
	datagram(fixture, frames_broadcast, 0xffffffff);
	datagram(fixture, frames_broadcast, 0xac1000ff);
	datagram(fixture, mdns, 0xe00000fb);
	datagram(fixture, stranger, FIXTURE_FIRST_IP + 7);
	datagram(fixture, to.mac, FIXTURE_FIRST_IP + 7);
	fragment(fixture, 0x2000);
	fragment(fixture, 0x0010);
}

static void expect_counters(struct fixture *fixture, unsigned int rounds)
{
	static const struct {
		const char *name;
		unsigned int count;
	} counters[] = {
		{"port.0.drop.withheld_protocol", 5},
		{"port.0.drop.withheld_arp", 5},
		{"port.0.drop.withheld_group", 3},
		{"port.0.drop.withheld_unicast", 2},
		{"port.0.drop.withheld_fragment", 2},
	};

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		assert_int_equal(fixture_counter(fixture, counters[i].name),
			(uint64_t)counters[i].count * rounds);
}

static void noise_is_withheld(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, NULL, true);
	for (int round = 0; round < 20; round++) {
		all_noise(fixture);
		/* What it gets next is what is for it. */
		make_udp(1, 0, 100);
		fixture_send(fixture, 1, &frame);
		expect_redox(&frame);
		ask_for(fixture, FIXTURE_FIRST_IP);
		expect_redox(&frame);
	}
	assert_int_equal(redox_poll(&redox, &got), -EAGAIN);
	expect_counters(fixture, 20);
}

/* The stock driver has each receive buffer once: the noise costs it none. */
static void stock_driver_keeps_its_buffers(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, NULL, false);
	for (int round = 0; round < 60; round++)
		all_noise(fixture);
	/* One was used when it was introduced. */
	for (uint32_t i = 1; i < SIZE; i++) {
		make_udp(1, 0, 46 + i);
		fixture_send(fixture, 1, &frame);
		expect_redox(&frame);
	}
	expect_counters(fixture, 60);
	make_udp(1, 0, 60);
	fixture_send(fixture, 1, &frame);
	make_udp(0, 1, 60);
	send_redox(&frame);
	fixture_expect(fixture, 1, &frame);
	assert_int_equal(redox_poll(&redox, &got), -EAGAIN);
	assert_int_equal(fixture_counter(fixture, "port.0.drop.port_full"), 1);
}

/* Of a burst the stock driver sees the newest; it is a whole frame, nothing else is lost. */
static void stock_driver_sees_the_newest(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver = &fixture->ports[1].driver;
	const struct virtqueue *queue = &fixture->ports[0].driver.queues[DRIVER_RX];

	start(fixture, NULL, false);
	for (uint32_t i = 0; i < 32; i++) {
		make_udp(1, 0, 100 + i);
		assert_int_equal(driver_queue(driver, &frame, deadline_in(DEADLINE_STEP_MS)), 0);
	}
	driver_publish(driver);
	while (__atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE) != 33)
		assert_int_equal(redox_sleep(&redox, deadline_in(DEADLINE_STEP_MS)), 0);
	expect_redox(&frame);
	assert_int_equal(redox_poll(&redox, &got), -EAGAIN);
}

/* The frames of the neighbour that are too long; `df`: they must not be fragmented. */
static void send_long(struct fixture *fixture, uint32_t length, bool df)
{
	make_udp(1, 0, length);
	if (!df) {
		uint8_t *ip = frame.bytes + FRAMES_ETHERNET;
		uint32_t sum = (uint32_t)(ip[10] << 8 | ip[11]) + 0x4000;
		sum = (sum & 0xffff) + (sum >> 16);
		ip[6] = 0;
		ip[10] = (uint8_t)(sum >> 8);
		ip[11] = (uint8_t)sum;
	}
	fixture_send(fixture, 1, &frame);
}

static void no_frame_is_longer_than_its_buffer(void **state)
{
	struct fixture *fixture = *state;
	struct frames_view view;

	start(fixture, NULL, true);
	send_long(fixture, 1500, true);
	expect_redox(&frame);
	send_long(fixture, 1501, false);
	for (uint32_t length = 1501; length <= 1514; length++) {
		struct frames_end self = fixture_end(0, 0);
		send_long(fixture, length, true);
		/* The sender is told, in the name of the guest that cannot. */
		fixture_receive(fixture, 1, &got);
		assert_int_equal(frames_parse(got.bytes, got.length, &view), 0);
		assert_memory_equal(view.source, self.mac, 6);
		assert_int_equal(view.ip_source, self.ip);
		assert_int_equal(view.ip_target, FIXTURE_FIRST_IP + 1);
		assert_int_equal(view.icmp_type, 3);
		assert_int_equal(view.icmp_code, 4);
		assert_int_equal(view.port_target, REDOX_MTU);
		assert_true(view.checksum_ip && view.checksum_l4);
		/* About this datagram. */
		assert_memory_equal(view.payload, frame.bytes + FRAMES_ETHERNET, 28);
		/* The next answer is due when a millisecond has passed; the clock is the worker's,
		 * so let it do something meanwhile. */
		uint64_t next = deadline_now_ns() + 1100000;
		while (deadline_now_ns() < next) {
			make_udp(0, 1, 60);
			send_redox(&frame);
			fixture_expect(fixture, 1, &frame);
		}
	}
	send_long(fixture, 1500, true);
	expect_redox(&frame);
	assert_int_equal(fixture_counter(fixture, "port.0.drop.withheld_size"), 15);
}

static void large_frames_are_cut_and_completed(void **state)
{
	static const uint32_t sizes[] = {1, 1446, 1447, 1460, 2920, 30000, 65495};
	static const uint16_t shares[] = {1446, 1460, 536};
	struct fixture *fixture = *state;
	struct frames_end from = fixture_end(1, PORT), to = fixture_end(0, PORT);
	static uint8_t payload[65536];

	start(fixture, NULL, true);
	for (uint32_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + (i >> 8));
	for (unsigned int i = 0; i < 21; i++) {
		uint32_t size = sizes[i % 7], share = shares[i / 7];
		if (size <= share && size > REDOX_MSS)
			continue; /* too long, and not to be cut */
		memset(&frame.vnet, 0, sizeof(frame.vnet));
		frame.length = frames_tcp(
			frame.bytes, &from, &to, 0xfffffff0, FRAMES_TCP_ACK, payload, size);
		if (size > share)
			frames_make_tso4(frame.bytes, frame.length, (uint16_t)share, &frame.vnet);
		else
			frames_make_partial(frame.bytes, frame.length, &frame.vnet);
		fixture_send(fixture, 1, &frame);
		/* In order, each whole, no longer than the driver can take. */
		for (uint32_t done = 0; done < size;) {
			struct frames_view view;
			receive_redox();
			assert_int_equal(frames_parse(got.bytes, got.length, &view), 0);
			assert_true(view.checksum_ip && view.checksum_l4);
			assert_int_equal(view.sequence, 0xfffffff0 + done);
			assert_true(view.payload_length > 0);
			assert_memory_equal(view.payload, payload + done, view.payload_length);
			done += view.payload_length;
		}
	}
}

/* A frame is given back by itself, whatever else waits: as many interrupts as frames. */
static void frames_are_given_back_one_at_a_time(void **state)
{
	struct fixture *fixture = *state;
	struct virtqueue *queue = &fixture->ports[0].driver.queues[DRIVER_TX];

	start(fixture, NULL, true);
	/* Of the introduction; its answer came after them. */
	virtqueue_drain(queue);
	for (int round = 0; round < 100; round++) {
		uint64_t deadline = deadline_in(DEADLINE_STEP_MS);
		uint16_t before = queue->used->idx;
		uint64_t interrupts = 0;
		/* More than the driver itself ever has in flight. */
		for (uint32_t i = 0; i < 20; i++) {
			make_udp(0, 1, 60 + i);
			assert_int_equal(redox_post(&redox, &frame), 0);
		}
		while (interrupts < 20) {
			struct pollfd wait = {.fd = queue->call_fd, .events = POLLIN};
			if (poll(&wait, 1, deadline_left_ms(deadline)) == 0)
				fail_msg("%u frames, %u interrupts", 20u, (unsigned int)interrupts);
			interrupts += virtqueue_drain(queue);
		}
		assert_int_equal(interrupts, 20);
		assert_int_equal((uint16_t)(queue->used->idx - before), 20);
		for (uint32_t i = 0; i < 20; i++)
			fixture_receive(fixture, 1, &got);
	}
}

/* Firmware acks as little and polls: it gets what the LAN has. */
static void firmware_is_not_redox(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	fixture_start(fixture, 2, NULL, NULL);
	fixture_plug(fixture, 1, &options);
	options.features = 0;
	options.polled = true;
	fixture_plug(fixture, 0, &options);
	fixture_introduce(fixture);
	fixture_pass(fixture, 1, 0, 1514);
	/* And the kernel after it is judged anew. */
	assert_int_equal(frontend_reset(&fixture->ports[0]), 0);
	fixture_unplug(fixture, 0);
	plug_redox(fixture, SIZE, true);
	introduce(fixture);
	noise(fixture, fixture_end(0, 0).mac, FRAMES_TYPE_EXPERIMENT, 1514);
	make_udp(1, 0, 60);
	fixture_send(fixture, 1, &frame);
	expect_redox(&frame);
}

/* profile=redox is for a driver that acks more, or has no interrupt. */
static void profile_tells(void **state)
{
	static const char *const suffixes[] = {",profile=redox", NULL};
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	fixture_start(fixture, 2, suffixes, NULL);
	fixture_plug(fixture, 1, &options);
	options.features = FRONTEND_BIT(VIRTIO_RING_F_EVENT_IDX);
	options.polled = true;
	fixture_plug(fixture, 0, &options);
	fixture->udp = true;
	fixture_introduce(fixture);
	all_noise(fixture);
	fixture_pass(fixture, 1, 0, 1500);
	expect_counters(fixture, 1);
}

/* What is bound is known before the guest speaks. */
static void bound_guest_is_known(void **state)
{
	static const char *const suffixes[] = {",mac=52:54:00:12:34:56,ip=172.16.0.2", NULL};
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	fixture_start(fixture, 2, suffixes, NULL);
	fixture_plug(fixture, 1, &options);
	plug_redox(fixture, SIZE, true);
	all_noise(fixture);
	ask_for(fixture, FIXTURE_FIRST_IP);
	expect_redox(&frame);
	expect_counters(fixture, 1);
}

/* A data plane that dies leaves the driver asleep, with a frame in flight: its successor wakes it.
 */
static void driver_outlives_the_data_plane(void **state)
{
	struct fixture *fixture = *state;
	struct frontend *port = &fixture->ports[0];

	start(fixture, NULL, true);
	for (int round = 0; round < 5; round++) {
		assert_int_equal(
			driver_drain(&fixture->ports[1].driver, deadline_in(DEADLINE_STEP_MS)), 0);
		assert_int_equal(kill(fixture->dataplane, SIGKILL), 0);
		assert_int_equal(client_wait_hangup(&port->client), 0);
		make_udp(0, 1, 60 + (uint32_t)round);
		assert_int_equal(redox_post(&redox, &frame), 0);
		for (unsigned int i = 0; i < 2; i++)
			assert_int_equal(
				frontend_reconnect(&fixture->ports[i], fixture->sockets[i]), 0);
		assert_int_equal(redox_wait(&redox, deadline_in(DEADLINE_STEP_MS)), 0);
		fixture_accept_new_dataplane(fixture);
		make_udp(1, 0, 60);
		fixture_send(fixture, 1, &frame);
		expect_redox(&frame);
	}
}

#define REDOX_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, teardown)

static const struct CMUnitTest tests[] = {
	REDOX_TEST(noise_is_withheld),
	REDOX_TEST(stock_driver_keeps_its_buffers),
	REDOX_TEST(stock_driver_sees_the_newest),
	REDOX_TEST(no_frame_is_longer_than_its_buffer),
	REDOX_TEST(large_frames_are_cut_and_completed),
	REDOX_TEST(frames_are_given_back_one_at_a_time),
	REDOX_TEST(firmware_is_not_redox),
	REDOX_TEST(profile_tells),
	REDOX_TEST(bound_guest_is_known),
	REDOX_TEST(driver_outlives_the_data_plane),
};

FIXTURE_MAIN(tests)
