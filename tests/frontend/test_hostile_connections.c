/* SPDX-License-Identifier: BSD-3-Clause */
/* Front ends that come and go: in every message, in the middle of one, ten thousand times; and
 * ports that go while their guests talk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/socket.h>

#include "tests/frontend/api.h"
#include "tests/frontend/hostile.h"

#define RECONNECTS 10000
/* Bytes of a message's header. */
#define HEADER sizeof(struct client_header)

/* The messages of Cloud Hypervisor's start, behind those of frontend_connect(); each a step. */
static int step(struct frontend *port, unsigned int number)
{
	struct client *client = &port->client;
	uint32_t index = (number - 2) % DRIVER_QUEUES;
	int fd = port->driver.queues[index].kick_fd;

	if (number == 0)
		return frontend_set_features(port);
	if (number == 1)
		return frontend_set_mem_table(port);
	switch ((number - 2) / DRIVER_QUEUES) {
	case 0:
		return client_set_vring(
			client, CLIENT_SET_VRING_NUM, index, port->options.queue_size);
	case 1:
		return frontend_set_vring_addr(port, index);
	case 2:
		return frontend_set_vring_base(port, index);
	case 3:
		return client_set_vring_fd(
			client, CLIENT_SET_VRING_CALL, index, port->driver.queues[index].call_fd);
	case 4:
		return client_set_vring_fd(client, CLIENT_SET_VRING_KICK, index, fd);
	case 5:
		return client_set_vring(client, CLIENT_SET_VRING_ENABLE, index, 1);
	case 6:
		return client_set_vring(client, CLIENT_SET_VRING_ENABLE, index, 0);
	default:
		return client_get_vring_base(client, index, &port->saved_base[index]);
	}
}
#define STEPS (2 + 8 * DRIVER_QUEUES)

/* Hangs up behind one message more each time; and does not wait for the answer to the last. */
static void hang_up_behind_a_message(
	struct fixture *fixture, const void *context, unsigned int turn)
{
	const bool *waits = context;
	struct frontend *port = hostile_connect();
	unsigned int last = turn % STEPS;

	(void)fixture;
	assert_int_equal(driver_post_all(&port->driver), 0);
	for (unsigned int i = 0; i <= last; i++) {
		if (i == last && !*waits && i < STEPS - DRIVER_QUEUES)
			port->client.reply_ack = false;
		assert_int_equal(step(port, i), 0);
	}
	hostile_poke();
	frontend_disconnect(port);
}

/* Neither frames nor messages of other guests wait for this one. */
static void check_control(struct fixture *fixture)
{
	uint64_t features;

	assert_int_equal(client_get_u64(&fixture->ports[HOSTILE_WITNESS].client,
				 CLIENT_GET_FEATURES, &features),
		0);
	hostile_poke();
	hostile_fence();
}

/* The first bytes of a message, and no more. */
static void hang_up_in_a_message(struct fixture *fixture, const void *context, unsigned int turn)
{
	const bool *running = context;
	struct frontend *port = hostile_port();
	const struct {
		struct client_header header;
		struct client_memory_table table;
	} __attribute__((packed)) message = {
		.header = {CLIENT_SET_MEM_TABLE, CLIENT_FLAG_VERSION, sizeof(message.table)},
		.table = {.count = 1},
	};
	/* Behind the header, a reader may wait for the payload. */
	size_t length = turn % 2 ? HEADER : turn * 7 % sizeof(message);

	if (*running)
		hostile_plug();
	else
		hostile_connect();
	if (length)
		assert_int_equal(send(port->client.fd, &message, length, MSG_NOSIGNAL), length);
	check_control(fixture);
	frontend_disconnect(port);
}

static void payload_shorter_than_announced(
	struct fixture *fixture, const void *context, unsigned int turn)
{
	const uint32_t *size = context;
	struct frontend *port = hostile_connect();
	const struct client_header header = {CLIENT_SET_VRING_NUM, CLIENT_FLAG_VERSION, *size};

	(void)turn;
	assert_int_equal(send(port->client.fd, &header, HEADER, MSG_NOSIGNAL), HEADER);
	send(port->client.fd, "\1\0\0\0", 4, MSG_NOSIGNAL);
	check_control(fixture);
	frontend_disconnect(port);
}

/* Requests without end, and nobody who takes the answers. */
static void answers_that_nobody_takes(
	struct fixture *fixture, const void *context, unsigned int turn)
{
	uint64_t deadline = deadline_in(DEADLINE_STEP_MS), features;
	const int room = 16 << 20; /* bytes */
	bool served;
	struct client client;

	(void)context;
	(void)turn;
	assert_int_equal(client_connect(&client, fixture->sockets[HOSTILE_GUEST]), 0);
	/* More than there is room for answers, and all at once. */
	assert_int_equal(setsockopt(client.fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)), 0);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(client_send(&client, CLIENT_GET_FEATURES, CLIENT_FLAG_VERSION,
					 NULL, 0, NULL, 0),
			0);
	check_control(fixture);
	client_disconnect(&client);
	/* A second front end is turned away until all of that was read. */
	do {
		assert_int_equal(client_connect(&client, fixture->sockets[HOSTILE_GUEST]), 0);
		served = client_get_u64(&client, CLIENT_GET_FEATURES, &features) == 0;
		client_disconnect(&client);
	} while (!served && deadline_now_ns() < deadline);
	assert_true(served);
}

/* A connection that says nothing, one that asks once, and now and then a whole guest. */
static void ten_thousand_reconnects(void **state)
{
	struct fixture *fixture = hostile_fixture();
	struct hostile_watch watch;
	struct client client;
	uint64_t features;

	(void)state;
	hostile_plug();
	fixture_unplug(fixture, HOSTILE_GUEST);
	hostile_begin(&watch, "ten thousand reconnects");
	do {
		if (watch.turns % 200 == 0) {
			hostile_plug();
			hostile_pass(60);
			fixture_unplug(fixture, HOSTILE_GUEST);
			continue;
		}
		assert_int_equal(client_connect(&client, fixture->sockets[HOSTILE_GUEST]), 0);
		if (watch.turns % 2)
			assert_int_equal(
				client_get_u64(&client, CLIENT_GET_FEATURES, &features), 0);
		client_disconnect(&client);
	} while (hostile_goes_on(&watch, RECONNECTS));
	hostile_end(&watch);
}

static void guest_that_comes_and_goes(
	struct fixture *fixture, const void *context, unsigned int turn)
{
	static struct driver_frame frame;

	(void)context;
	(void)turn;
	hostile_plug();
	/* Frames are under way both ways when it goes; its own come to nobody. */
	for (int i = 0; i < 20; i++) {
		fixture_number(
			fixture, &frame, HOSTILE_GUEST, fixture_end(HOSTILE_GUEST, 0).mac, 1000);
		fixture_send(fixture, HOSTILE_GUEST, &frame);
		hostile_poke();
	}
	fixture_unplug(fixture, HOSTILE_GUEST);
}

/* Takes guest 0's port away and gives it back under the same number and path. */
static void port_deleted(struct fixture *fixture, const void *context, unsigned int turn)
{
	const bool *sending = context;
	static struct driver_frame frame;
	char api[128], body[4096];
	struct frontend *port = hostile_port();

	(void)turn;
	snprintf(api, sizeof(api), "%s/api", fixture->directory);
	hostile_plug();
	hostile_pass(60);
	for (int i = 0; i < 40; i++) {
		fixture_number(
			fixture, &frame, HOSTILE_GUEST, fixture_end(HOSTILE_GUEST, 0).mac, 1000);
		if (*sending)
			fixture_send(fixture, HOSTILE_GUEST, &frame);
		hostile_poke();
	}
	assert_int_equal(api_request(api, "DELETE", "/v1/ports/0", NULL, body, sizeof(body)), 204);
	assert_int_equal(client_wait_hangup(&port->client), 0);
	/* Its rings and descriptors go on saying things; nobody listens. */
	uint16_t used = port->driver.queues[DRIVER_TX].used->idx;
	virtqueue_kick(&port->driver.queues[DRIVER_TX]);
	hostile_poke();
	hostile_fence();
	assert_int_equal(port->driver.queues[DRIVER_TX].used->idx, used);
	snprintf(body, sizeof(body), "{\"socket\":\"%s\",\"mac\":\"52:54:00:12:34:56\"}",
		fixture->sockets[HOSTILE_GUEST]);
	assert_int_equal(api_request(api, "POST", "/v1/ports", body, body, sizeof(body)), 201);
}

#define PAYLOAD(title, size) \
	HOSTILE_CASE(        \
		title, .act = payload_shorter_than_announced, .context = &(const uint32_t){size})

static const struct CMUnitTest tests[] = {
	HOSTILE_CASE("hangs up behind each message", .act = hang_up_behind_a_message,
		.times = 2 * STEPS, .context = &(const bool){true}),
	HOSTILE_CASE("hangs up before each answer", .act = hang_up_behind_a_message,
		.times = 2 * STEPS, .context = &(const bool){false}),
	HOSTILE_CASE("hangs up in a message at first", .act = hang_up_in_a_message, .times = 40,
		.context = &(const bool){false}),
	HOSTILE_CASE("hangs up in a message under way", .act = hang_up_in_a_message, .times = 40,
		.context = &(const bool){true}),
	PAYLOAD("payload that is too short", 8),
	PAYLOAD("payload that would be too long", 100000),
	PAYLOAD("payload of 4 GiB", UINT32_MAX),
	HOSTILE_CASE("answers that nobody takes", .act = answers_that_nobody_takes),
	HOSTILE_TEST(ten_thousand_reconnects),
	HOSTILE_CASE("guest that comes and goes under traffic", .act = guest_that_comes_and_goes),
	HOSTILE_CASE("port deleted while its guest receives", .act = port_deleted, .times = 5,
		.context = &(const bool){false}),
	HOSTILE_CASE("port deleted while its guest sends", .act = port_deleted, .times = 5,
		.context = &(const bool){true}),
};

HOSTILE_MAIN(tests)
