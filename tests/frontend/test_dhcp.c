/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DHCP with RedoxOS' client as the guest: one shot, without retransmission. Before it has an
 * address it drops what is not sent to 255.255.255.255, it ignores options of another length than
 * its own, takes the address at the OFFER, checks neither transaction nor MAC, and takes any
 * datagram to its port for the ACK.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#include <string.h>

#define CLIENT 68
#define SERVER 67
#define MESSAGE_LENGTH 548
#define OPTIONS_AT 240
#define FRAME_MAX 1500
#define BROADCAST_IP 0xffffffffu

enum {
	DISCOVER = 1,
	OFFER = 2,
	REQUEST = 3,
	ACK = 5
};

/* What the client has set. Host byte order; 0: nothing. */
struct client_state {
	uint32_t ip, mask, router, dns;
};

static struct driver_frame frame;
static struct driver_frame got;

static struct frontend_options redox_options(void)
{
	struct frontend_options options = fixture_options();

	options.features = 0;
	options.interrupt = VIRTQUEUE_INTERRUPT_ALWAYS;
	options.kick = VIRTQUEUE_KICK_ALWAYS;
	options.tx_layout.header_apart = true;
	options.rx_buffer = 65535;
	options.rx_slots = 32;
	options.post_singly = true;
	return options;
}

static void store32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t load32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Sends a message with `options` from `ip`, as a broadcast. */
static void send_message(struct fixture *fixture, unsigned int guest, uint32_t ip,
	const uint8_t *options, size_t length)
{
	uint8_t message[MESSAGE_LENGTH] = {1, 1, 6, 0, 'x', 'i', 'd', 0, 0, 0, 0x80, 0};
	struct frames_end from = fixture_end(guest, CLIENT);
	struct frames_end to = {.ip = BROADCAST_IP, .port = SERVER};

	memcpy(message + 28, from.mac, 6);
	store32(message + 236, 0x63825363);
	memcpy(message + OPTIONS_AT, options, length);
	from.ip = ip;
	memset(to.mac, 0xff, 6);
	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_udp(frame.bytes, &from, &to, message, sizeof(message));
	fixture_send(fixture, guest, &frame);
}

/* The next datagram to the client's port, as its stack lets it through. */
static const uint8_t *receive_message(
	struct fixture *fixture, unsigned int guest, uint32_t ip, uint32_t *ret_length)
{
	struct frames_end self = fixture_end(guest, 0);
	struct frames_view view;

	fixture_receive(fixture, guest, &got);
	assert_true(got.length <= FRAME_MAX);
	assert_int_equal(frames_parse(got.bytes, got.length, &view), 0);
	assert_true(memcmp(view.target, self.mac, 6) == 0 ||
		    memcmp(view.target, frames_broadcast, 6) == 0);
	assert_int_equal(view.type, FRAMES_TYPE_IPV4);
	assert_int_equal(view.protocol, FRAMES_PROTOCOL_UDP);
	assert_true(view.checksum_ip && view.checksum_l4);
	assert_true(view.ip_target == BROADCAST_IP || (ip && view.ip_target == ip));
	assert_int_equal(view.port_target, CLIENT);
	assert_true(view.payload_length > OPTIONS_AT);
	*ret_length = view.payload_length;
	return view.payload;
}

/* Reads the four settings; of another length than 4 they are ignored. Returns the type. */
static uint8_t read_options(const uint8_t *message, uint32_t length, struct client_state *state)
{
	uint8_t type = 0;

	state->ip = load32(message + 16);
	for (uint32_t at = OPTIONS_AT; at + 2 <= length && message[at] != 255;
		at += 2u + message[at + 1]) {
		const uint8_t *value = message + at + 2;
		assert_true(at + 2 + message[at + 1] <= length);
		if (message[at] == 53)
			type = value[0];
		if (message[at + 1] != 4)
			continue;
		if (message[at] == 1)
			state->mask = load32(value);
		if (message[at] == 3)
			state->router = load32(value);
		if (message[at] == 6)
			state->dns = load32(value);
	}
	return type;
}

/* The whole client. */
static struct client_state run_client(struct fixture *fixture, unsigned int guest)
{
	static const uint8_t discover[] = {53, 1, DISCOVER, 255};
	uint8_t request[] = {53, 1, REQUEST, 50, 4, 0, 0, 0, 0, 54, 4, 0, 0, 0, 0, 255};
	struct client_state state = {0}, after = {0};
	const uint8_t *message;
	uint32_t length;

	send_message(fixture, guest, 0, discover, sizeof(discover));
	message = receive_message(fixture, guest, 0, &length);
	assert_int_equal(read_options(message, length, &state), OFFER);
	store32(request + 5, state.ip);
	store32(request + 11, FIXTURE_GATEWAY_IP);
	send_message(fixture, guest, state.ip, request, sizeof(request));
	message = receive_message(fixture, guest, state.ip, &length);
	assert_int_equal(read_options(message, length, &after), ACK);
	assert_memory_equal(&state, &after, sizeof(state));
	return state;
}

static void plug_pair(struct fixture *fixture, const char *const *suffixes)
{
	struct frontend_options options = redox_options();

	/* The fence's frames are no IPv4: test_redox.c has the guest from which such are withheld.
	 */
	fixture_start(fixture, 2, suffixes ? suffixes : fixture_full, NULL);
	fixture_plug(fixture, 0, &options);
	fixture_plug(fixture, 1, &options);
	fixture_introduce(fixture);
}

static void client_gets_all_its_settings(void **state)
{
	struct fixture *fixture = *state;

	plug_pair(fixture, NULL);
	struct client_state settings = run_client(fixture, 0);
	assert_int_equal(settings.ip, FIXTURE_FIRST_IP);
	assert_int_equal(settings.mask, 0xffffff00);
	assert_int_equal(settings.router, FIXTURE_GATEWAY_IP);
	/* The other guest heard nothing of it: what it gets next is the fence. */
	fixture_fence(fixture, 0, 1);
	assert_int_equal(fixture_counter(fixture, "worker.dhcp_replies"), 2);
	settings = run_client(fixture, 1);
	assert_int_equal(settings.ip, FIXTURE_FIRST_IP + 1);
	fixture_fence(fixture, 0, 1);
}

/* With a way out there is a DNS server to name: one, or the client would have none. */
static void client_gets_one_dns_server(void **state)
{
	static const char *const arguments[] = {"--uplink", "tap", NULL};
	struct frontend_options options = redox_options();
	struct fixture *fixture = *state;

	fixture_start(fixture, 1, NULL, arguments);
	fixture_plug(fixture, 0, &options);
	struct client_state settings = run_client(fixture, 0);
	assert_int_equal(settings.ip, FIXTURE_FIRST_IP);
	assert_int_equal(settings.router, FIXTURE_GATEWAY_IP);
	assert_int_equal(settings.dns, FIXTURE_GATEWAY_IP);
}

static void bound_port_gets_its_address(void **state)
{
	static const char *const suffixes[] = {",ip=172.16.0.77,profile=full", ",profile=full"};
	struct fixture *fixture = *state;

	plug_pair(fixture, suffixes);
	assert_int_equal(run_client(fixture, 0).ip, 0xac10004d);
	assert_int_equal(run_client(fixture, 1).ip, FIXTURE_FIRST_IP + 1);
}

/* Its place in the plan was taken when it asked first; that stays so. */
static void lease_outlives_the_data_plane(void **state)
{
	static const uint8_t request[] = {53, 1, REQUEST, 50, 4, 172, 16, 0, 3, 255};
	struct fixture *fixture = *state;
	struct client_state settings = {0};
	uint32_t length;

	plug_pair(fixture, NULL);
	send_message(fixture, 0, 0, request, sizeof(request));
	const uint8_t *message = receive_message(fixture, 0, 0, &length);
	assert_int_equal(read_options(message, length, &settings), ACK);
	assert_int_equal(settings.ip, FIXTURE_FIRST_IP + 1);
	assert_int_equal(run_client(fixture, 1).ip, FIXTURE_FIRST_IP + 2);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(
			driver_drain(&fixture->ports[i].driver, deadline_in(DEADLINE_STEP_MS)), 0);
	fixture_restart_dataplane(fixture, 2);
	assert_int_equal(run_client(fixture, 1).ip, FIXTURE_FIRST_IP + 2);
	assert_int_equal(run_client(fixture, 0).ip, FIXTURE_FIRST_IP + 1);
}

/* Whoever asks first: what was a guest's is kept for it. */
static void lease_outlives_the_network(void **state)
{
	static const uint8_t request[] = {53, 1, REQUEST, 50, 4, 172, 16, 0, 3, 255};
	struct fixture *fixture = *state;
	struct client_state settings = {0};
	uint32_t length;

	for (int i = 0; i < 3; i++) {
		plug_pair(fixture, NULL);
		if (i == 0) {
			/* The first guest has the second one's place in the plan. */
			send_message(fixture, 0, 0, request, sizeof(request));
			const uint8_t *message = receive_message(fixture, 0, 0, &length);
			assert_int_equal(read_options(message, length, &settings), ACK);
			assert_int_equal(settings.ip, FIXTURE_FIRST_IP + 1);
		}
		assert_int_equal(run_client(fixture, 1).ip, FIXTURE_FIRST_IP + 2);
		assert_int_equal(run_client(fixture, 0).ip, FIXTURE_FIRST_IP + 1);
		if (i < 2)
			fixture_stop(fixture);
	}
}

/* A guest that plays the server reaches nobody, in a broadcast or not. */
static void guests_are_no_servers(void **state)
{
	struct fixture *fixture = *state;
	struct frames_end from = fixture_end(1, SERVER);
	struct frames_end to = fixture_end(0, CLIENT);

	plug_pair(fixture, NULL);
	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_udp(frame.bytes, &from, &to, "I am the ACK", 12);
	fixture_send(fixture, 1, &frame);
	to.ip = BROADCAST_IP;
	frame.length = frames_udp(frame.bytes, &from, &to, "I am the ACK", 12);
	fixture_send(fixture, 1, &frame);
	memset(to.mac, 0xff, 6);
	frame.length = frames_udp(frame.bytes, &from, &to, "I am the ACK", 12);
	fixture_send(fixture, 1, &frame);
	fixture_fence(fixture, 0, 1);
	assert_int_equal(fixture_counter(fixture, "port.1.drop.dhcp_server"), 3);
}

static void switched_off_it_is_an_ordinary_broadcast(void **state)
{
	static const char *const arguments[] = {"--dhcp", "off", NULL};
	static const uint8_t discover[] = {53, 1, DISCOVER, 255};
	struct fixture *fixture = *state;
	struct frontend_options options = redox_options();

	fixture_start(fixture, 2, fixture_full, arguments);
	fixture_plug(fixture, 0, &options);
	fixture_plug(fixture, 1, &options);
	fixture_introduce(fixture);
	send_message(fixture, 0, 0, discover, sizeof(discover));
	fixture_expect(fixture, 1, &frame);
	fixture_fence(fixture, 0, 1);
}

static void nonsense_is_counted(void **state)
{
	static const uint8_t cut[] = {53, 1, DISCOVER, 50, 4, 172, 255};
	struct fixture *fixture = *state;

	plug_pair(fixture, NULL);
	for (int i = 0; i < 100; i++)
		send_message(fixture, 0, 0, cut, (size_t)(i % 3));
	fixture_fence(fixture, 0, 1);
	assert_int_equal(fixture_counter(fixture, "port.0.drop.dhcp_malformed"), 100);
	run_client(fixture, 0);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(client_gets_all_its_settings),
	FIXTURE_TEST(client_gets_one_dns_server),
	FIXTURE_TEST(bound_port_gets_its_address),
	FIXTURE_TEST(lease_outlives_the_data_plane),
	FIXTURE_TEST(lease_outlives_the_network),
	FIXTURE_TEST(guests_are_no_servers),
	FIXTURE_TEST(switched_off_it_is_an_ordinary_broadcast),
	FIXTURE_TEST(nonsense_is_counted),
};

FIXTURE_MAIN(tests)
