/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest memory that is not there, that goes away, or that may only be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/frontend/hostile.h"

static struct driver_frame frame;

static void set_up_rings(struct frontend *port)
{
	struct client *client = &port->client;

	/* Errors are the back end's right. */
	for (uint32_t i = 0; i < DRIVER_QUEUES; i++) {
		client_set_vring(client, CLIENT_SET_VRING_NUM, i, port->options.queue_size);
		frontend_set_vring_addr(port, i);
		client_set_vring(client, CLIENT_SET_VRING_BASE, i, 0);
		client_set_vring_fd(
			client, CLIENT_SET_VRING_KICK, i, port->driver.queues[i].kick_fd);
		client_set_vring(client, CLIENT_SET_VRING_ENABLE, i, 1);
	}
}

/* A file that is shorter than the region that it is to hold. */
static void file_shorter_than_announced(
	struct fixture *fixture, const void *context, unsigned int turn)
{
	const off_t *length = context;
	struct frontend *port = hostile_connect();

	(void)fixture;
	(void)turn;
	assert_int_equal(driver_post_all(&port->driver), 0);
	assert_int_equal(frontend_set_features(port), 0);
	assert_int_equal(ftruncate(port->ram.regions[0].fd, *length), 0);
	assert_int_not_equal(frontend_set_mem_table(port), 0);
	set_up_rings(port);
	hostile_poke();
}

/* What stays of the file while the rings run. */
enum stay {
	NOTHING,
	RINGS
};

static void file_truncated(struct fixture *fixture, const void *context, unsigned int turn)
{
	const enum stay *stay = context;
	struct frontend *port = hostile_port();
	struct client *client = &port->client;
	uint32_t running = *stay == NOTHING;

	(void)turn;
	hostile_plug();
	hostile_pass(60);
	for (uint32_t queue = 0; queue < DRIVER_QUEUES; queue++)
		assert_int_equal(
			client_set_vring(client, CLIENT_SET_VRING_ENABLE, queue, running), 0);
	off_t length = *stay == NOTHING ? 0 : (off_t)port->driver.rx_buffers[0] & ~4095;
	/* With the rings there is something to read that will not be there. */
	fixture_number(fixture, &frame, HOSTILE_GUEST, fixture_end(HOSTILE_WITNESS, 0).mac, 1000);
	if (*stay == RINGS)
		fixture_send(fixture, HOSTILE_GUEST, &frame);
	assert_int_equal(ftruncate(port->ram.regions[0].fd, length), 0);
	for (uint32_t queue = 0; queue < DRIVER_QUEUES && !running; queue++)
		client_set_vring(client, CLIENT_SET_VRING_ENABLE, queue, 1);
	virtqueue_kick(&port->driver.queues[DRIVER_TX]);
	for (int i = 0; i < 10; i++)
		hostile_poke();
	hostile_fence();
}

/* In the middle of traffic, at a moment that nobody chose. */
static void *truncate_now(void *data)
{
	const struct frontend *port = data;
	return (void *)(intptr_t)ftruncate(port->ram.regions[0].fd, 0);
}

static void file_truncated_under_traffic(
	struct fixture *fixture, const void *context, unsigned int turn)
{
	struct frontend *port = hostile_port();
	struct driver *witness = &fixture->ports[HOSTILE_WITNESS].driver;
	pthread_t thread;

	(void)context;
	(void)turn;
	hostile_plug();
	hostile_pass(60);
	assert_int_equal(pthread_create(&thread, NULL, truncate_now, port), 0);
	/* Only towards it: its driver's own memory goes away under us, too. */
	for (int i = 0; i < 50; i++)
		hostile_poke();
	pthread_join(thread, NULL);
	hostile_poke();
	assert_int_equal(driver_drain(witness, deadline_in(DEADLINE_STEP_MS)), 0);
}

/* The library itself touches the used ring at KICK. */
static void file_truncated_before_kick(
	struct fixture *fixture, const void *context, unsigned int turn)
{
	struct frontend *port = hostile_connect();

	(void)fixture;
	(void)context;
	(void)turn;
	assert_int_equal(frontend_set_features(port), 0);
	assert_int_equal(frontend_set_mem_table(port), 0);
	assert_int_equal(ftruncate(port->ram.regions[0].fd, 0), 0);
	set_up_rings(port);
	hostile_poke();
}

/* A hole in place of the memory is memory all the same: zeros. */
static void file_with_a_hole(struct fixture *fixture, const void *context, unsigned int turn)
{
	const struct guest_ram_region *region = &hostile_port()->ram.regions[0];

	(void)context;
	(void)turn;
	(void)fixture;
	hostile_plug();
	hostile_pass(60);
	assert_int_equal(fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				 (off_t)region->size),
		0);
	virtqueue_kick(&hostile_port()->driver.queues[DRIVER_TX]);
	hostile_poke();
}

/* Rings in ROM: a file that may only be read, or that is sealed. */
static void file_that_cannot_be_written(
	struct fixture *fixture, const void *context, unsigned int turn)
{
	const bool *sealed = context;
	struct frontend *port = hostile_connect();
	struct guest_ram_region *region = &port->ram.regions[0];
	char path[64];

	(void)fixture;
	(void)turn;
	assert_int_equal(frontend_set_features(port), 0);
	if (*sealed) {
		int fd = memfd_create("rom", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, (off_t)region->size), 0);
		assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
		assert_true(dup2(fd, region->fd) >= 0);
		close(fd);
	} else {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", region->fd);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_true(dup2(fd, region->fd) >= 0);
		close(fd);
	}
	assert_int_not_equal(frontend_set_mem_table(port), 0);
	set_up_rings(port);
	hostile_poke();
}

/* A table that says what cannot be. */
struct table {
	uint32_t count;	  /* regions that it says it has */
	uint32_t sent;	  /* those that are sent */
	unsigned int fds; /* files that come with it */
	uint64_t size;	  /* of each region, bytes; 0: as it is */
	uint64_t offset;  /* in the file */
	uint64_t guest;	  /* guest physical address of the first */
	bool empty;	  /* size 0 */
};

static void table_that_lies(struct fixture *fixture, const void *context, unsigned int turn)
{
	const struct table *lie = context;
	struct frontend *port = hostile_connect();
	const struct guest_ram_region *region = &port->ram.regions[0];
	struct client_memory_table table = {.count = lie->count};
	int fds[CLIENT_FDS_MAX];

	(void)fixture;
	(void)turn;
	for (unsigned int i = 0; i < 8; i++) {
		fds[i] = region->fd;
		table.regions[i] = (struct client_memory_region){
			.guest = lie->guest,
			.size = lie->empty  ? 0
				: lie->size ? lie->size
					    : region->size,
			.user = (uint64_t)(uintptr_t)region->host,
			.mmap_offset = lie->offset,
		};
	}
	assert_int_equal(frontend_set_features(port), 0);
	client_set(&port->client, CLIENT_SET_MEM_TABLE, &table,
		(uint32_t)offsetof(struct client_memory_table, regions) +
			lie->sent * (uint32_t)sizeof(table.regions[0]),
		fds, lie->fds);
	set_up_rings(port);
	hostile_poke();
}

/* After a refused table the rings of the old one are not touched any more. */
static void refused_table_stops_the_rings(
	struct fixture *fixture, const void *context, unsigned int turn)
{
	struct frontend *port = hostile_port();
	struct client_memory_table table = {.count = 1};

	(void)fixture;
	(void)context;
	(void)turn;
	hostile_plug();
	hostile_pass(60);
	table.regions[0].size = port->ram.regions[0].size * 2;
	int error = client_set(
		&port->client, CLIENT_SET_MEM_TABLE, &table, 8 + 32, &port->ram.regions[0].fd, 1);
	assert_int_not_equal(error, 0);
	/* Enable must not wake them. */
	for (uint32_t i = 0; i < DRIVER_QUEUES; i++)
		client_set_vring(&port->client, CLIENT_SET_VRING_ENABLE, i, 1);
	uint16_t used = port->driver.queues[DRIVER_RX].used->idx;
	hostile_poke();
	assert_int_equal(port->driver.queues[DRIVER_RX].used->idx, used);
}

#define REFUSED "worker.memory_refused"
#define SHORTER(title, bytes)                                                                   \
	HOSTILE_CASE(title, .act = file_shorter_than_announced, .counter = REFUSED, .count = 1, \
		.context = &(const off_t){bytes})
#define TABLE(title, reason, ...)                                        \
	HOSTILE_CASE(title, .act = table_that_lies, .counter = (reason), \
		.context = &(const struct table){__VA_ARGS__})

static const struct CMUnitTest tests[] = {
	SHORTER("file without a byte", 0),
	SHORTER("file of one page", 4096),
	SHORTER("file that ends in the buffers", 1 << 20),
	HOSTILE_CASE("file truncated away while rings run", .act = file_truncated,
		.counter = "worker.sigbus", .context = &(const enum stay){NOTHING}),
	HOSTILE_CASE("file truncated behind the rings", .act = file_truncated,
		.counter = "worker.sigbus", .context = &(const enum stay){RINGS}),
	HOSTILE_CASE("file truncated under traffic", .act = file_truncated_under_traffic,
		.counter = "worker.sigbus"),
	HOSTILE_CASE("file truncated before KICK", .act = file_truncated_before_kick,
		.counter = "worker.sigbus"),
	HOSTILE_CASE("file with a hole in place of the rings", .act = file_with_a_hole),
	HOSTILE_CASE("file that is open for reading", .act = file_that_cannot_be_written,
		.counter = REFUSED, .count = 1, .context = &(const bool){false}),
	HOSTILE_CASE("file that is sealed", .act = file_that_cannot_be_written, .counter = REFUSED,
		.count = 1, .context = &(const bool){true}),
	HOSTILE_CASE("refused table stops the rings", .act = refused_table_stops_the_rings,
		.counter = REFUSED, .count = 1),
	TABLE("table without regions", NULL, .count = 0),
	TABLE("table with more regions than files", NULL, .count = 8, .sent = 8, .fds = 1),
	TABLE("table with more regions than were sent", NULL, .count = 8, .sent = 1, .fds = 8),
	TABLE("table with nine regions", NULL, .count = 9, .sent = 8, .fds = 8),
	TABLE("table with 4294967295 regions", NULL, .count = UINT32_MAX, .sent = 1, .fds = 1),
	TABLE("table with an offset behind the end", REFUSED, .count = 1, .sent = 1, .fds = 1,
		.offset = UINT64_C(1) << 40),
	TABLE("table with an offset that wraps", REFUSED, .count = 1, .sent = 1, .fds = 1,
		.offset = UINT64_MAX - 4095),
	TABLE("table with a size that wraps", REFUSED, .count = 1, .sent = 1, .fds = 1,
		.size = UINT64_MAX, .offset = 4096),
	TABLE("table with a size of 2^64-1", REFUSED, .count = 1, .sent = 1, .fds = 1,
		.size = UINT64_MAX),
	TABLE("table with a region of no bytes", NULL, .count = 1, .sent = 1, .fds = 1,
		.empty = true),
	TABLE("table with one region eight times", NULL, .count = 8, .sent = 8, .fds = 8),
	TABLE("table whose addresses wrap", NULL, .count = 1, .sent = 1, .fds = 1,
		.guest = UINT64_MAX - 4095),
};

HOSTILE_MAIN(tests)
