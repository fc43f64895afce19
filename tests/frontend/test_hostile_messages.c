/* SPDX-License-Identifier: BSD-3-Clause */
/* Front ends that say the wrong thing, at the wrong time, or nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>

#include "tests/frontend/hostile.h"

/* Of the specification and some behind it. */
#define REQUESTS 46

static void enable_first(struct fixture *fixture, const void *context, unsigned int turn)
{
	struct frontend *port = hostile_connect();

	(void)fixture;
	(void)context;
	(void)turn;
	for (uint32_t i = 0; i < DRIVER_QUEUES; i++)
		client_set_vring(&port->client, CLIENT_SET_VRING_ENABLE, i, 1);
	hostile_poke();
	/* And what comes late is enough for a ring to run. */
	assert_int_equal(frontend_activate(port), 0);
	hostile_pass(60);
}

/* What fills a payload. */
struct filling {
	uint8_t byte;
};

/* Every request with a payload of every size that one has. */
static void any_request_first(struct fixture *fixture, const void *context, unsigned int turn)
{
	const struct filling *filling = context;
	static const uint32_t sizes[] = {0, 4, 8, 12, 20, 40, 104, 264, 512};
	uint8_t payload[CLIENT_PAYLOAD_MAX];
	struct client client;

	memset(payload, filling->byte, sizeof(payload));
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (client_connect(&client, fixture->sockets[HOSTILE_GUEST]) < 0)
			fail_msg("request %u: nobody listens", turn % REQUESTS);
		client_send(
			&client, turn % REQUESTS, CLIENT_FLAG_VERSION, payload, sizes[i], NULL, 0);
		client_disconnect(&client);
	}
}

/* The same in front of a guest that is running; it may lose its network, nobody else. */
static void any_request_under_way(struct fixture *fixture, const void *context, unsigned int turn)
{
	const struct filling *filling = context;
	uint8_t payload[CLIENT_PAYLOAD_MAX];

	(void)fixture;
	hostile_plug();
	memset(payload, filling->byte, sizeof(payload));
	client_send(&hostile_port()->client, turn % REQUESTS, CLIENT_FLAG_VERSION, payload, 40,
		NULL, 0);
	virtqueue_kick(&hostile_port()->driver.queues[DRIVER_TX]);
	hostile_poke();
}

static void ring_index_beyond_the_device(
	struct fixture *fixture, const void *context, unsigned int turn)
{
	const uint32_t *request = context;
	static const uint32_t indices[] = {2, 3, 127, 255, 256, 257, 1000, 65536, UINT32_MAX};
	uint32_t index = indices[turn % (sizeof(indices) / sizeof(indices[0]))];
	struct frontend *port = hostile_connect();
	struct client_vring_state state = {.index = index, .value = 256};
	struct client_vring_addr address = {.index = index};
	bool is_address = *request == CLIENT_SET_VRING_ADDR;
	bool has_fd = *request == CLIENT_SET_VRING_KICK || *request == CLIENT_SET_VRING_CALL ||
		      *request == CLIENT_SET_VRING_ERR;
	int fd = port->driver.queues[DRIVER_TX].kick_fd;

	(void)fixture;
	if (has_fd)
		state.value = 0;
	client_send(&port->client, *request, CLIENT_FLAG_VERSION,
		is_address ? (const void *)&address : &state,
		is_address ? sizeof(address) : sizeof(state), &fd, has_fd);
	hostile_poke();
}

/* So little memory that a larger ring would reach beyond its end. */
static void size_behind_kick(struct fixture *fixture, const void *context, unsigned int turn)
{
	const uint32_t *size = context;
	struct frontend_options options = fixture_options();

	(void)turn;
	options.ram.regions = 1;
	options.ram.region_size = 1 << 20;
	options.rx_slots = 8;
	options.tx_slots = 2;
	fixture_unplug(fixture, HOSTILE_GUEST);
	fixture_plug(fixture, HOSTILE_GUEST, &options);
	for (uint32_t queue = 0; queue < DRIVER_QUEUES; queue++)
		client_set_vring(&hostile_port()->client, CLIENT_SET_VRING_NUM, queue, *size);
	for (uint32_t queue = 0; queue < DRIVER_QUEUES; queue++)
		virtqueue_kick(&hostile_port()->driver.queues[queue]);
	hostile_poke();
}

static void owner_is_reset(struct fixture *fixture, const void *context, unsigned int turn)
{
	struct client *client = &hostile_port()->client;

	(void)fixture;
	(void)context;
	(void)turn;
	for (uint32_t queue = 0; queue < 4; queue++)
		client_set_vring(client, CLIENT_SET_VRING_NUM, queue, 32768);
	client_set(client, CLIENT_RESET_OWNER, NULL, 0, NULL, 0);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* A message that is nearly right: of the device's requests, with numbers that mean something. */
static void send_nonsense(struct frontend *port, uint32_t *seed)
{
	const uint32_t numbers[] = {0, 1, 2, 255, 256, 512, 32768, 65536, UINT32_MAX,
		next_random(seed), CLIENT_FLAG_VERSION, 0x100};
	const size_t count = sizeof(numbers) / sizeof(numbers[0]);
	const uint64_t host = (uint64_t)(uintptr_t)port->ram.regions[0].host;
	uint32_t payload[CLIENT_PAYLOAD_MAX / 4];
	uint32_t sizes[] = {8, 8, 8, 12, 20, 40, 40, 4, 264, next_random(seed) % 512};
	int fds[CLIENT_FDS_MAX];
	unsigned int fd_count =
		next_random(seed) % 4 ? next_random(seed) % 2 : next_random(seed) % CLIENT_FDS_MAX;

	for (size_t i = 0; i < sizeof(payload) / 4; i++)
		payload[i] = numbers[next_random(seed) % count];
	/* Addresses that are in memory, or nearly. */
	for (size_t i = 2; i + 1 < 20; i += 2) {
		uint64_t address = host + next_random(seed) % (port->ram.regions[0].size + 8192);
		if (next_random(seed) % 2)
			memcpy(&payload[i], &address, sizeof(address));
	}
	payload[0] = next_random(seed) % 3;
	for (unsigned int i = 0; i < fd_count; i++)
		fds[i] = next_random(seed) % 2 ? port->ram.regions[0].fd
					       : port->driver.queues[next_random(seed) % 2].kick_fd;
	uint32_t request = next_random(seed) % 8 ? next_random(seed) % 22 : next_random(seed) % 64;
	uint32_t flags = next_random(seed) % 16 ? CLIENT_FLAG_VERSION : next_random(seed);
	client_send(&port->client, request, flags & ~CLIENT_FLAG_NEED_REPLY, payload,
		sizes[next_random(seed) % (sizeof(sizes) / sizeof(sizes[0]))], fds, fd_count);
}

/* A run of such messages, to a guest that runs or to one that has only connected. */
static void nonsense(struct fixture *fixture, const void *context, unsigned int turn)
{
	const bool *running = context;
	uint32_t seed = (turn + 1) * 2654435761u + *running;

	(void)fixture;
	if (*running)
		hostile_plug();
	else
		hostile_connect();
	/* Nobody reads the answers: what finds no room to be answered is the front end's loss. */
	for (int i = 0; i < 30; i++)
		send_nonsense(hostile_port(), &seed);
	virtqueue_kick(&hostile_port()->driver.queues[DRIVER_TX]);
	hostile_poke();
	/* The next one would be turned away while something of this one is unread. */
	shutdown(hostile_port()->client.fd, SHUT_WR);
	assert_int_equal(client_wait_hangup(&hostile_port()->client), 0);
}

#define FIRST(title, fill)                                                   \
	HOSTILE_CASE(title, .act = any_request_first, .times = 2 * REQUESTS, \
		.context = &(const struct filling){fill})
#define UNDER_WAY(title, fill)                                               \
	HOSTILE_CASE(title, .act = any_request_under_way, .times = REQUESTS, \
		.context = &(const struct filling){fill})
#define BEYOND(request)                                                   \
	HOSTILE_CASE(#request " of a ring that the device does not have", \
		.act = ring_index_beyond_the_device,                      \
		.context = &(const uint32_t){CLIENT_##request})
#define SIZE(title, ...) \
	HOSTILE_CASE(title, .act = size_behind_kick, .context = &(const uint32_t){__VA_ARGS__})

static const struct CMUnitTest tests[] = {
	HOSTILE_CASE("ENABLE as the first message", .act = enable_first),
	FIRST("any request as the first, zeros", 0x00),
	FIRST("any request as the first, small numbers", 0x01),
	FIRST("any request as the first, all ones", 0xff),
	UNDER_WAY("any request under way, zeros", 0x00),
	UNDER_WAY("any request under way, small numbers", 0x01),
	UNDER_WAY("any request under way, all ones", 0xff),
	BEYOND(SET_VRING_NUM),
	BEYOND(SET_VRING_BASE),
	BEYOND(SET_VRING_ADDR),
	BEYOND(SET_VRING_ENABLE),
	BEYOND(GET_VRING_BASE),
	BEYOND(SET_VRING_KICK),
	BEYOND(SET_VRING_CALL),
	BEYOND(SET_VRING_ERR),
	SIZE("size 0 behind KICK", 0),
	SIZE("size 1 behind KICK", 1),
	SIZE("size 3 behind KICK", 3),
	SIZE("size 255 behind KICK", 255),
	SIZE("size 512 behind KICK", 512),
	SIZE("size 32768 behind KICK", 32768),
	SIZE("size 65536 behind KICK", 65536),
	SIZE("size 4294967295 behind KICK", UINT32_MAX),
	HOSTILE_CASE("owner is reset again and again", .act = owner_is_reset, .plugged = true,
		.times = 100),
	HOSTILE_CASE("nonsense at first", .act = nonsense, .context = &(const bool){false},
		.times = 200),
	HOSTILE_CASE("nonsense under way", .act = nonsense, .context = &(const bool){true},
		.times = 200),
};

HOSTILE_MAIN(tests)
