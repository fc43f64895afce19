/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rings in the wrong place: not in memory, in each other, in the buffers; and guest memory that
 * changes all the time. What such a guest sends and receives is its own affair.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "tests/frontend/hostile_chain.h"

enum part {
	DESC,
	USED,
	AVAIL,
	PARTS
};

/* Where one part of guest 0's transmit ring is said to be; the other parts are right. */
struct place {
	enum part part;
	int64_t offset; /* from the start of memory; below 0: from its end */
	bool wraps;	/* from the last byte that there can be */
	bool runs;	/* the ring can be served */
};

/* Starts guest 0's transmit ring with this address. */
static void start_ring(struct frontend *port, const struct client_vring_addr *address)
{
	struct client *client = &port->client;
	struct virtqueue *queue = &port->driver.queues[DRIVER_TX];

	assert_int_equal(frontend_set_features(port), 0);
	assert_int_equal(frontend_set_mem_table(port), 0);
	/* Errors are the back end's right. */
	client_set_vring(client, CLIENT_SET_VRING_NUM, DRIVER_TX, queue->options.size);
	client_set(client, CLIENT_SET_VRING_ADDR, address, sizeof(*address), NULL, 0);
	client_set_vring(client, CLIENT_SET_VRING_BASE, DRIVER_TX, 0);
	client_set_vring_fd(client, CLIENT_SET_VRING_CALL, DRIVER_TX, queue->call_fd);
	client_set_vring_fd(client, CLIENT_SET_VRING_KICK, DRIVER_TX, queue->kick_fd);
	client_set_vring(client, CLIENT_SET_VRING_ENABLE, DRIVER_TX, 1);
	virtqueue_kick(queue);
}

static struct client_vring_addr honest_address(const struct frontend *port)
{
	const struct virtqueue *queue = &port->driver.queues[DRIVER_TX];
	return (struct client_vring_addr){
		.index = DRIVER_TX,
		.desc = (uint64_t)(uintptr_t)queue->desc,
		.used = (uint64_t)(uintptr_t)queue->used,
		.avail = (uint64_t)(uintptr_t)queue->avail,
	};
}

static void ring_elsewhere(struct fixture *fixture, const void *context, unsigned int turn)
{
	const struct place *place = context;
	struct frontend *port = hostile_connect();
	const struct guest_ram_region *region = &port->ram.regions[0];
	uint64_t start = (uint64_t)(uintptr_t)region->host;
	struct client_vring_addr address = honest_address(port);
	uint64_t *const parts[PARTS] = {&address.desc, &address.used, &address.avail};

	(void)fixture;
	(void)turn;
	*parts[place->part] = place->wraps ? UINT64_MAX - 100
					   : start + (uint64_t)place->offset +
						     (place->offset < 0 ? region->size : 0);
	start_ring(port, &address);
}

/* Rings that lie in each other: the guest's own loss. */
struct overlap {
	int desc; /* which part each part is laid over */
	int used;
	int avail;
};

static void rings_in_each_other(struct fixture *fixture, const void *context, unsigned int turn)
{
	const struct overlap *overlap = context;
	struct frontend *port = hostile_connect();
	struct client_vring_addr honest = honest_address(port);
	const uint64_t parts[PARTS] = {honest.desc, honest.used, honest.avail};
	struct client_vring_addr address = honest;
	struct virtqueue *queue = &port->driver.queues[DRIVER_TX];

	(void)fixture;
	address.desc = parts[overlap->desc];
	address.used = parts[overlap->used];
	address.avail = parts[overlap->avail];
	/* Numbers that make one thing of another. */
	memset(queue->desc, (int)turn, queue->options.size * sizeof(*queue->desc));
	memset(queue->avail, (int)turn, queue->options.size * sizeof(uint16_t));
	start_ring(port, &address);
	for (int i = 0; i < 4; i++) {
		hostile_offer(queue, (uint16_t)i);
		hostile_poke();
	}
}

/* Receive buffers that are a part of a ring. */
static void buffers_in_the_rings(struct fixture *fixture, const void *context, unsigned int turn)
{
	const unsigned int *which = context;
	struct frontend *port = hostile_port();
	struct virtqueue *rx = &port->driver.queues[DRIVER_RX];
	struct virtqueue *tx = &port->driver.queues[DRIVER_TX];
	const uint64_t places[] = {rx->desc_guest, rx->avail_guest, rx->used_guest, tx->desc_guest,
		tx->avail_guest, tx->used_guest};

	(void)fixture;
	(void)turn;
	assert_int_equal(frontend_reset(port), 0);
	driver_clear(&port->driver);
	assert_int_equal(frontend_resume(port), 0);
	for (uint16_t i = 0; i < 16; i++) {
		hostile_put(&rx->desc[i], places[*which], 2048, VRING_DESC_F_WRITE, 0);
		hostile_offer(rx, i);
	}
	for (int i = 0; i < 16; i++) {
		hostile_poke();
		virtqueue_kick(tx);
	}
}

/* Writes nonsense into a guest's rings and buffers until told to stop. */
struct scribbler {
	struct frontend *port;
	uint32_t seed;
	bool stop;
};

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* Nonsense that is nearly right, or nothing of it would be looked at twice. */
static void scribble(struct scribbler *scribbler)
{
	struct frontend *port = scribbler->port;
	uint32_t *seed = &scribbler->seed;
	struct virtqueue *queue = &port->driver.queues[next_random(seed) % DRIVER_QUEUES];
	struct vring_desc *desc = &queue->desc[next_random(seed) % 16];
	uint64_t memory = port->ram.regions[0].size;
	uint16_t *header = guest_ram_at(&port->ram, port->driver.tx_buffers[0], 64);

	switch (next_random(seed) % 8) {
	case 0:
		desc->addr = next_random(seed) % (memory + 8192);
		break;
	case 1:
		desc->len = next_random(seed) % 70000;
		break;
	case 2:
		desc->flags = next_random(seed) & 7;
		break;
	case 3:
		desc->next = next_random(seed) % 17;
		break;
	case 4:
		queue->avail->ring[next_random(seed) % HOSTILE_QUEUE_SIZE] = next_random(seed) % 16;
		break;
	case 5:
		header[next_random(seed) % 32] = (uint16_t)next_random(seed);
		break;
	case 6:
		desc->addr = port->driver.tx_buffers[0];
		desc->flags = queue == &port->driver.queues[DRIVER_RX] ? VRING_DESC_F_WRITE : 0;
		break;
	case 7:
		__atomic_store_n(
			&queue->avail->idx, (uint16_t)(queue->used->idx + 8), __ATOMIC_RELEASE);
		virtqueue_kick(queue);
		break;
	}
}

static void *scribble_on(void *data)
{
	struct scribbler *scribbler = data;
	while (!__atomic_load_n(&scribbler->stop, __ATOMIC_RELAXED))
		scribble(scribbler);
	return NULL;
}

static void memory_that_changes_all_the_time(void **state)
{
	struct driver *witness = &hostile_fixture()->ports[HOSTILE_WITNESS].driver;
	static struct driver_frame frame;
	struct hostile_watch watch;

	(void)state;
	hostile_plug();
	hostile_begin(&watch, "memory that changes all the time");
	do {
		struct scribbler scribbler = {
			.port = hostile_port(), .seed = (watch.turns + 1) * 7919};
		pthread_t thread;
		assert_int_equal(frontend_reset(hostile_port()), 0);
		assert_int_equal(frontend_activate(hostile_port()), 0);
		assert_int_equal(pthread_create(&thread, NULL, scribble_on, &scribbler), 0);
		hostile_fence();
		hostile_poke();
		__atomic_store_n(&scribbler.stop, true, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		/* What guest 0 has sent may be anything. */
		while (driver_poll(witness, &frame) == 0)
			;
	} while (hostile_goes_on(&watch, 100));
	frontend_disconnect(hostile_port());
	hostile_fence();
	while (driver_poll(witness, &frame) == 0)
		;
	hostile_end(&watch);
}

#define ELSEWHERE(title, where, ...)                                                  \
	HOSTILE_CASE(title, .act = ring_elsewhere, .counter = "worker.rings_refused", \
		.context = &(const struct place){.part = (where), __VA_ARGS__})
#define ANY_PART(title, ...)                                      \
	ELSEWHERE("descriptors " title, DESC, __VA_ARGS__),       \
		ELSEWHERE("used ring " title, USED, __VA_ARGS__), \
		ELSEWHERE("available ring " title, AVAIL, __VA_ARGS__)
#define OVERLAP(title, ...)                             \
	HOSTILE_CASE(title, .act = rings_in_each_other, \
		.context = &(const struct overlap){__VA_ARGS__})
#define BUFFERS(title, number)                                            \
	HOSTILE_CASE(title, .act = buffers_in_the_rings, .plugged = true, \
		.context = &(const unsigned int){number})

static const struct CMUnitTest tests[] = {
	ANY_PART("behind the end of memory", .offset = 1 << 30),
	ANY_PART("cut off by the end", .offset = -16),
	ANY_PART("half cut off by the end", .offset = -512),
	ANY_PART("that wraps", .wraps = true),
	ANY_PART("at an odd address", .offset = 4096 + 1),
	ELSEWHERE("descriptors at a multiple of 2", DESC, .offset = 4096 + 2),
	ELSEWHERE("used ring at a multiple of 2", USED, .offset = 4096 + 2),
	OVERLAP("used and available ring are one", DESC, USED, USED),
	OVERLAP("used ring in the descriptors", DESC, DESC, AVAIL),
	OVERLAP("available ring in the descriptors", DESC, USED, DESC),
	OVERLAP("all rings are one", AVAIL, AVAIL, AVAIL),
	BUFFERS("buffers in their own descriptors", 0),
	BUFFERS("buffers in their own available ring", 1),
	BUFFERS("buffers in their own used ring", 2),
	BUFFERS("buffers in the other queue's descriptors", 3),
	BUFFERS("buffers in the other queue's available ring", 4),
	BUFFERS("buffers in the other queue's used ring", 5),
	HOSTILE_TEST(memory_that_changes_all_the_time),
};

HOSTILE_MAIN(tests)
