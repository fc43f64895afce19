/* SPDX-License-Identifier: BSD-3-Clause */
/* Front ends that say the wrong thing, at the wrong time, or take memory away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* Guest 0 is the hostile one. */
static void plug_neighbours(struct fixture *fixture)
{
	struct frontend_options options = fixture_options();
	fixture_start(fixture, 3, NULL, NULL);
	fixture_plug(fixture, 1, &options);
	fixture_plug(fixture, 2, &options);
	fixture_introduce(fixture);
}

/* A front end that has only connected. */
static struct frontend *connect_only(struct fixture *fixture)
{
	struct frontend_options options = fixture_options();
	struct frontend *port = &fixture->ports[0];

	fixture_unplug(fixture, 0);
	fixture->plugged[0] = true;
	assert_int_equal(frontend_init(port, &options), 0);
	assert_int_equal(frontend_connect(port, fixture->sockets[0]), 0);
	return port;
}

/* Nobody else was harmed, and an honest guest finds the socket as it was. */
static void check_unharmed(struct fixture *fixture)
{
	struct frontend_options options = fixture_options();

	fixture_fence(fixture, 1, 2);
	fixture_check_alive(fixture);
	fixture_unplug(fixture, 0);
	fixture_plug(fixture, 0, &options);
	fixture_introduce(fixture);
	fixture_pass(fixture, 0, 1, 1514);
	fixture_pass(fixture, 1, 0, 1514);
	fixture_unplug(fixture, 0);
}

static void enable_as_first_message(void **state)
{
	struct fixture *fixture = *state;

	plug_neighbours(fixture);
	struct frontend *port = connect_only(fixture);
	for (uint32_t i = 0; i < DRIVER_QUEUES; i++)
		client_set_vring(&port->client, CLIENT_SET_VRING_ENABLE, i, 1);
	check_unharmed(fixture);
	/* And what comes late is enough for a ring to run. */
	port = connect_only(fixture);
	for (uint32_t i = 0; i < DRIVER_QUEUES; i++)
		client_set_vring(&port->client, CLIENT_SET_VRING_ENABLE, i, 1);
	fixture_fence(fixture, 1, 2);
	assert_int_equal(frontend_activate(port), 0);
	fixture_introduce(fixture);
	check_unharmed(fixture);
}

static void any_message_as_first_message(void **state)
{
	struct fixture *fixture = *state;
	static const uint32_t sizes[] = {0, 4, 8, 12, 20, 40, 104, 264, 512};
	static const uint8_t fills[] = {0x00, 0x01, 0xff};
	uint8_t payload[CLIENT_PAYLOAD_MAX];
	struct client client;

	plug_neighbours(fixture);
	for (uint32_t request = 0; request <= 45; request++) {
		for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]) * sizeof(fills);
			i++) {
			memset(payload, fills[i % sizeof(fills)], sizeof(payload));
			if (client_connect(&client, fixture->sockets[0]) < 0)
				fail_msg("request %u: nobody listens", request);
			client_send(&client, request, CLIENT_FLAG_VERSION, payload,
				sizes[i / sizeof(fills)], NULL, 0);
			client_disconnect(&client);
		}
		fixture_pass(fixture, 1, 2, 60);
		fixture_check_alive(fixture);
	}
	check_unharmed(fixture);
}

/* The same in front of a guest that is running; it may lose its network, nobody else. */
static void any_message_to_a_running_guest(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	static const uint8_t fills[] = {0x00, 0x01, 0xff};
	uint8_t payload[CLIENT_PAYLOAD_MAX];

	plug_neighbours(fixture);
	for (uint32_t request = 0; request <= 45; request++) {
		for (unsigned int i = 0; i < sizeof(fills); i++) {
			fixture_unplug(fixture, 0);
			fixture_plug(fixture, 0, &options);
			memset(payload, fills[i], sizeof(payload));
			client_send(&fixture->ports[0].client, request, CLIENT_FLAG_VERSION,
				payload, 40, NULL, 0);
			virtqueue_kick(&fixture->ports[0].driver.queues[DRIVER_TX]);
			fixture_pass(fixture, 1, 2, 60);
			fixture_pass(fixture, 2, 1, 60);
		}
		fixture_check_alive(fixture);
	}
	check_unharmed(fixture);
}

static void ring_index_beyond_the_device(void **state)
{
	struct fixture *fixture = *state;
	static const uint32_t indices[] = {2, 3, 127, 255, 256, 257, 1000, 65536, UINT32_MAX};
	static const uint32_t requests[] = {CLIENT_SET_VRING_NUM, CLIENT_SET_VRING_BASE,
		CLIENT_SET_VRING_ENABLE, CLIENT_GET_VRING_BASE};

	plug_neighbours(fixture);
	for (unsigned int i = 0; i < sizeof(indices) / sizeof(indices[0]); i++) {
		for (unsigned int j = 0; j < sizeof(requests) / sizeof(requests[0]); j++) {
			struct frontend *port = connect_only(fixture);
			struct client_vring_state message = {.index = indices[i], .value = 256};
			client_send(&port->client, requests[j], CLIENT_FLAG_VERSION, &message,
				sizeof(message), NULL, 0);
			fixture_pass(fixture, 1, 2, 60);
		}
		struct frontend *port = connect_only(fixture);
		int fd = port->driver.queues[DRIVER_TX].kick_fd;
		uint64_t index = indices[i];
		client_send(&port->client, CLIENT_SET_VRING_KICK, CLIENT_FLAG_VERSION, &index,
			sizeof(index), &fd, 1);
		fixture_pass(fixture, 1, 2, 60);
	}
	check_unharmed(fixture);
}

static void size_after_kick(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	static const uint32_t sizes[] = {0, 1, 3, 255, 512, 32768, 65536, UINT32_MAX};

	plug_neighbours(fixture);
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		/* So little memory that a larger ring would reach beyond its end. */
		options.ram.region_size = 1 << 20;
		options.rx_slots = 8;
		options.tx_slots = 2;
		fixture_plug(fixture, 0, &options);
		for (uint32_t queue = 0; queue < DRIVER_QUEUES; queue++)
			client_set_vring(
				&fixture->ports[0].client, CLIENT_SET_VRING_NUM, queue, sizes[i]);
		for (uint32_t queue = 0; queue < DRIVER_QUEUES; queue++)
			virtqueue_kick(&fixture->ports[0].driver.queues[queue]);
		check_unharmed(fixture);
	}
}

/* Activates guest 0 with one part of its transmit ring elsewhere. */
static void activate_with_address(
	struct fixture *fixture, int part, uint64_t user, uint16_t queue_size)
{
	struct frontend *port = connect_only(fixture);
	struct virtqueue *queue = &port->driver.queues[DRIVER_TX];
	struct client *client = &port->client;
	struct client_vring_addr address = {
		.index = DRIVER_TX,
		.desc = (uint64_t)(uintptr_t)queue->desc,
		.used = (uint64_t)(uintptr_t)queue->used,
		.avail = (uint64_t)(uintptr_t)queue->avail,
	};
	uint64_t *const parts[] = {&address.desc, &address.used, &address.avail};

	*parts[part] = user;
	/* Errors are the back end's right. */
	frontend_set_features(port);
	frontend_set_mem_table(port);
	client_set_vring(client, CLIENT_SET_VRING_NUM, DRIVER_TX, queue_size);
	client_set(client, CLIENT_SET_VRING_ADDR, &address, sizeof(address), NULL, 0);
	client_set_vring(client, CLIENT_SET_VRING_BASE, DRIVER_TX, 0);
	client_set_vring_fd(client, CLIENT_SET_VRING_CALL, DRIVER_TX, queue->call_fd);
	client_set_vring_fd(client, CLIENT_SET_VRING_KICK, DRIVER_TX, queue->kick_fd);
	client_set_vring(client, CLIENT_SET_VRING_ENABLE, DRIVER_TX, 1);
	virtqueue_kick(queue);
	fixture_fence(fixture, 1, 2);
}

static void ring_that_is_not_in_memory(void **state)
{
	struct fixture *fixture = *state;

	plug_neighbours(fixture);
	for (int part = 0; part < 3; part++) {
		struct frontend *port = connect_only(fixture);
		const struct guest_ram_region *region = &port->ram.regions[0];
		uint64_t start = (uint64_t)(uintptr_t)region->host;
		/* The next front end gets the same layout, if not the same place. */
		const uint64_t offsets[] = {
			region->size,	   /* behind the end */
			region->size - 16, /* cut off by the end */
			region->size - 256 * 2,
			region->size - 256 * 8,
			UINT64_MAX - start - 100, /* wraps */
			(uint64_t)0 - start,	  /* nowhere */
			4096 + 1,		  /* odd */
			4096 + 2,
		};
		for (unsigned int i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
			port = connect_only(fixture);
			start = (uint64_t)(uintptr_t)port->ram.regions[0].host;
			frontend_disconnect(port);
			activate_with_address(fixture, part, start + offsets[i], 256);
			fixture_check_alive(fixture);
		}
	}
	check_unharmed(fixture);
}

/* A file that is shorter than the region that it is to hold. */
static void memory_file_shorter_than_announced(void **state)
{
	struct fixture *fixture = *state;

	plug_neighbours(fixture);
	static const off_t lengths[] = {0, 4096, 65536};
	for (unsigned int i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct frontend *port = connect_only(fixture);
		assert_int_equal(driver_post_all(&port->driver), 0);
		assert_int_equal(frontend_set_features(port), 0);
		assert_int_equal(ftruncate(port->ram.regions[0].fd, lengths[i]), 0);
		assert_int_not_equal(frontend_set_mem_table(port), 0);
		check_unharmed(fixture);
	}
	assert_int_equal(fixture_counter(fixture, "worker.memory_refused"), 3);
}

/* Memory that goes away while the rings run: 0 bytes stay, or the rings but not the buffers. */
static void memory_file_truncated(struct fixture *fixture, bool keep_rings)
{
	struct frontend_options options = fixture_options();
	static struct driver_frame frame;

	plug_neighbours(fixture);
	for (int i = 0; i < 5; i++) {
		fixture_plug(fixture, 0, &options);
		fixture_introduce(fixture);
		struct frontend *port = &fixture->ports[0];
		struct client *client = &port->client;
		off_t stay = keep_rings ? (off_t)port->driver.rx_buffers[0] & ~4095 : 0;
		assert_int_equal(driver_drain(&port->driver, deadline_in(DEADLINE_STEP_MS)), 0);
		for (uint32_t queue = 0; queue < DRIVER_QUEUES; queue++)
			assert_int_equal(client_set_vring(client, CLIENT_SET_VRING_ENABLE, queue,
						 keep_rings ? 0 : 1),
				0);
		/* With the rings there is something to read that will not be there. */
		fixture_number(fixture, &frame, 0, fixture_end(1, 0).mac, 1000);
		if (keep_rings)
			fixture_send(fixture, 0, &frame);
		assert_int_equal(ftruncate(port->ram.regions[0].fd, stay), 0);
		if (keep_rings)
			for (uint32_t queue = 0; queue < DRIVER_QUEUES; queue++)
				client_set_vring(client, CLIENT_SET_VRING_ENABLE, queue, 1);
		virtqueue_kick(&port->driver.queues[DRIVER_TX]);
		/* Frames towards it, known and flooded. */
		for (int j = 0; j < 10; j++) {
			fixture_number(fixture, &frame, 1, fixture_end(0, 0).mac, 1000);
			fixture_send(fixture, 1, &frame);
		}
		fixture_fence(fixture, 1, 2);
		check_unharmed(fixture);
	}
	assert_true(fixture_counter(fixture, "worker.sigbus") > 0);
}

static void rings_are_truncated_away(void **state)
{
	memory_file_truncated(*state, false);
}

static void buffers_are_truncated_away(void **state)
{
	memory_file_truncated(*state, true);
}

/* The library itself touches the used ring at KICK. */
static void ring_is_truncated_away_before_kick(void **state)
{
	struct fixture *fixture = *state;

	plug_neighbours(fixture);
	struct frontend *port = connect_only(fixture);
	struct client *client = &port->client;
	assert_int_equal(frontend_set_features(port), 0);
	assert_int_equal(frontend_set_mem_table(port), 0);
	assert_int_equal(ftruncate(port->ram.regions[0].fd, 0), 0);
	for (uint32_t i = 0; i < DRIVER_QUEUES; i++) {
		client_set_vring(client, CLIENT_SET_VRING_NUM, i, 256);
		frontend_set_vring_addr(port, i);
		client_set_vring(client, CLIENT_SET_VRING_BASE, i, 0);
		client_set_vring_fd(
			client, CLIENT_SET_VRING_KICK, i, port->driver.queues[i].kick_fd);
		client_set_vring(client, CLIENT_SET_VRING_ENABLE, i, 1);
	}
	check_unharmed(fixture);
}

static void memory_table_that_lies(void **state)
{
	struct fixture *fixture = *state;
	struct client_memory_table table;

	plug_neighbours(fixture);
	for (unsigned int i = 0; i < 8; i++) {
		struct frontend *port = connect_only(fixture);
		const struct guest_ram_region *region = &port->ram.regions[0];
		memset(&table, 0, sizeof(table));
		table.count = 1;
		table.regions[0] = (struct client_memory_region){
			.guest = region->guest,
			.size = region->size,
			.user = (uint64_t)(uintptr_t)region->host,
		};
		uint32_t size = 8 + 32;
		unsigned int fds = 1;
		switch (i) {
		case 0: /* no memory */
			table.count = 0;
			fds = 0;
			size = 8;
			break;
		case 1: /* more regions than descriptors */
			table.count = 8;
			size = sizeof(table);
			break;
		case 2: /* more regions than there can be */
			table.count = 9;
			break;
		case 3:
			table.count = UINT32_MAX;
			break;
		case 4: /* offset behind the end */
			table.regions[0].mmap_offset = region->size;
			break;
		case 5: /* offset and size that wrap */
			table.regions[0].mmap_offset = UINT64_MAX - 4095;
			break;
		case 6:
			table.regions[0].size = UINT64_MAX;
			break;
		case 7: /* nothing to map */
			table.regions[0].size = 0;
			break;
		}
		assert_int_equal(frontend_set_features(port), 0);
		client_set(&port->client, CLIENT_SET_MEM_TABLE, &table, size, &region->fd, fds);
		client_set_vring(&port->client, CLIENT_SET_VRING_ENABLE, 0, 1);
		check_unharmed(fixture);
	}
}

/* After a refused table the rings of the old one are not touched any more. */
static void refused_memory_table_stops_the_rings(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	struct client_memory_table table = {.count = 1};
	static struct driver_frame frame;

	plug_neighbours(fixture);
	fixture_plug(fixture, 0, &options);
	fixture_introduce(fixture);
	struct frontend *port = &fixture->ports[0];
	table.regions[0].size = port->ram.regions[0].size * 2;
	int error = client_set(
		&port->client, CLIENT_SET_MEM_TABLE, &table, 8 + 32, &port->ram.regions[0].fd, 1);
	assert_int_not_equal(error, 0);
	/* Enable must not wake them. */
	for (uint32_t i = 0; i < DRIVER_QUEUES; i++)
		client_set_vring(&port->client, CLIENT_SET_VRING_ENABLE, i, 1);
	fixture_number(fixture, &frame, 1, fixture_end(0, 0).mac, 60);
	fixture_send(fixture, 1, &frame);
	check_unharmed(fixture);
}

static void owner_is_reset(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	plug_neighbours(fixture);
	fixture_plug(fixture, 0, &options);
	for (int i = 0; i < 40; i++) {
		for (uint32_t queue = 0; queue < 4; queue++)
			client_set_vring(
				&fixture->ports[0].client, CLIENT_SET_VRING_NUM, queue, 32768);
		client_set(&fixture->ports[0].client, CLIENT_RESET_OWNER, NULL, 0, NULL, 0);
	}
	check_unharmed(fixture);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(enable_as_first_message),
	FIXTURE_TEST(any_message_as_first_message),
	FIXTURE_TEST(any_message_to_a_running_guest),
	FIXTURE_TEST(ring_index_beyond_the_device),
	FIXTURE_TEST(size_after_kick),
	FIXTURE_TEST(ring_that_is_not_in_memory),
	FIXTURE_TEST(memory_file_shorter_than_announced),
	FIXTURE_TEST(rings_are_truncated_away),
	FIXTURE_TEST(buffers_are_truncated_away),
	FIXTURE_TEST(ring_is_truncated_away_before_kick),
	FIXTURE_TEST(memory_table_that_lies),
	FIXTURE_TEST(refused_memory_table_stops_the_rings),
	FIXTURE_TEST(owner_is_reset),
};

FIXTURE_MAIN(tests)
