/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's memory is copied while it runs: the pages that the dirty log names, round by round. At
 * the end the copy must be what the memory is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"
#include "tests/frontend/migration.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define ROUNDS 8
#define FRAMES 24

static struct migration migration;

/* A driver that is watched: what it acks, and how it lays its buffers out. */
struct personality {
	const char *name;
	bool plain; /* neither mergeable buffers nor offloads */
	bool event_idx;
	bool polled;
	uint16_t queue_size;
	uint32_t rx_buffer;
	struct driver_layout layout;
	unsigned int regions; /* of adjacent memory */
};

static const struct personality personalities[] = {
	{"whole buffers, flags", true, false, false, 256, 1526, {0}, 1},
	{"whole buffers, EVENT_IDX", true, true, false, 64, 1526, {0}, 1},
	{"mergeable", false, true, false, 256, 300, {0}, 2},
	{"mergeable, header in one byte pieces", false, false, false, 512, 100, {.piece = 11}, 2},
	{"split headers", true, false, false, 256, 1526, {.header_apart = true}, 1},
	{"split headers, indirect", true, true, false, 256, 1526,
		{.header_apart = true, .piece = 700, .indirect = true}, 3},
	{"indirect, mergeable", false, true, false, 128, 2048, {.indirect = true}, 8},
	{"polled", true, false, true, 256, 1526, {0}, 1},
	{"a large ring", false, true, false, 8192, 200, {0}, 1},
	{"a small ring", true, true, false, 4, 1526, {0}, 1},
};

static struct frontend_options options_of(const struct personality *personality)
{
	struct frontend_options options = fixture_options();
	if (personality->plain)
		options.features = FRONTEND_BIT(VIRTIO_RING_F_EVENT_IDX);
	options.features |= FRONTEND_BIT(VIRTIO_RING_F_INDIRECT_DESC);
	if (!personality->event_idx)
		options.features &= ~FRONTEND_BIT(VIRTIO_RING_F_EVENT_IDX);
	options.queue_size = personality->queue_size;
	options.rx_buffer = personality->rx_buffer;
	options.rx_layout = options.tx_layout = personality->layout;
	options.polled = personality->polled;
	options.ram = (struct guest_ram_layout){.regions = personality->regions, .adjacent = true};
	return options;
}

/* Frames that come while a log is swapped may be lost; those that arrive are in order, none twice,
 * and the last one is among them. */
static void take_up_to(struct fixture *fixture, const struct driver_frame *last)
{
	static struct driver_frame frame;
	uint32_t wanted, number = 0, before;
	memcpy(&wanted, last->bytes + FRAMES_ETHERNET, sizeof(wanted));
	do {
		before = number;
		fixture_receive(fixture, 0, &frame);
		memcpy(&number, frame.bytes + FRAMES_ETHERNET, sizeof(number));
		assert_in_range(number, before + 1, wanted);
	} while (number != wanted);
}

/* Both ways, with the log swapped in the middle, while frames are under way. */
static void exchange_with_swap(struct fixture *fixture)
{
	static struct driver_frame sent[2][FRAMES];
	const struct driver *watched = &fixture->ports[0].driver;
	uint32_t buffer = watched->options.rx_buffer;
	uint32_t room = watched->rx_slots / ((DRIVER_HEADER_LENGTH + 1514 + buffer - 1) / buffer);
	uint32_t count = room < FRAMES ? room : FRAMES;

	assert_in_range(count, 1, FRAMES);
	for (uint32_t i = 0; i < count; i++) {
		for (unsigned int from = 0; from < 2; from++) {
			fixture_number(fixture, &sent[from][i], from, fixture_end(!from, 0).mac,
				60 + (i * 61) % 1455);
			fixture_send(fixture, from, &sent[from][i]);
		}
		/* Not behind the last frame, which must arrive. */
		if (i % 5 == 2 && i + 1 < count)
			migration_copy(&migration);
	}
	const struct driver_frame *last = sent[1];
	for (uint32_t i = 0; i < count; i++) {
		fixture_expect(fixture, 1, &sent[0][i]);
		last = &sent[1][i];
	}
	take_up_to(fixture, last);
}

static void start(struct fixture *fixture, const struct frontend_options *options)
{
	fixture_plug(fixture, 0, options);
	fixture_introduce(fixture);
}

static void plug_ordinary(struct fixture *fixture)
{
	struct frontend_options options = fixture_options();
	fixture_start(fixture, 2, NULL, NULL);
	fixture_plug(fixture, 1, &options);
}

static void copy_is_whole(void **state)
{
	struct fixture *fixture = *state;

	plug_ordinary(fixture);
	for (unsigned int i = 0; i < LENGTH(personalities); i++) {
		print_message("%s\n", personalities[i].name);
		struct frontend_options options = options_of(&personalities[i]);
		start(fixture, &options);
		/* QEMU's logs begin at 0, too; an offset that is no page's is legal. */
		migration_begin(&migration, &fixture->ports[0], i % 2 ? 0x1238 : 0);
		for (unsigned int round = 0; round < ROUNDS; round++)
			exchange_with_swap(fixture);
		migration_finish(&migration);
		migration_walk(&migration, migration_expect_same);
		migration_fini(&migration);
		fixture_unplug(fixture, 0);
	}
}

/* ---- no page is marked that was not written */

#define POISON 0xa5
/* Buffers begin so many bytes into the first of three pages that nothing else lies in. */
#define BEFORE 3000

static bool is_used_ring(const struct migration *m, uint64_t guest)
{
	return guest == m->port->driver.queues[DRIVER_RX].used_guest ||
	       guest == m->port->driver.queues[DRIVER_TX].used_guest;
}

static void poison(const struct migration *m, uint64_t guest, uint64_t length)
{
	if (!is_used_ring(m, guest))
		memset(guest_ram_at(&m->port->ram, guest, length), POISON, length);
}

/* A page of a receive buffer is marked if, and only if, it was written. */
static void expect_exact(const struct migration *m, uint64_t guest, uint64_t length)
{
	/* Used rings may be written with what is there already: flags, say. */
	if (is_used_ring(m, guest))
		return;
	for (uint64_t end = guest + length; guest < end;) {
		uint64_t part = MIGRATION_PAGE - guest % MIGRATION_PAGE;
		part = part < end - guest ? part : end - guest;
		const uint8_t *bytes = guest_ram_at(&m->port->ram, guest, part);
		bool written = false;
		for (uint64_t i = 0; i < part; i++)
			written |= bytes[i] != POISON;
		if (written != migration_was_marked(m, guest))
			fail_msg("the page 0x%llx is %s and %s", (unsigned long long)guest,
				written ? "written" : "not written",
				written ? "not marked" : "marked");
		guest += part;
	}
}

static void no_page_is_marked_in_vain(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	plug_ordinary(fixture);
	options.rx_slots = 32;
	fixture->plugged[0] = true;
	struct frontend *port = &fixture->ports[0];
	assert_int_equal(frontend_init(port, &options), 0);
	for (uint16_t i = 0; i < port->driver.rx_slots; i++) {
		uint64_t pages =
			guest_ram_alloc(&port->ram, 3 * (uint64_t)MIGRATION_PAGE, MIGRATION_PAGE);
		assert_int_not_equal(pages, 0);
		port->driver.rx_buffers[i] = pages + BEFORE;
	}
	assert_int_equal(frontend_connect(port, fixture->sockets[0]), 0);
	assert_int_equal(frontend_activate(port), 0);
	fixture_introduce(fixture);

	migration_begin(&migration, port, 0);
	for (uint32_t count = 1; count < 12; count++) {
		migration_walk(&migration, poison);
		migration_copy(&migration);
		migration_forget(&migration);
		/* Those of an odd number end in the first page, the others in the second, if only
		 * by a byte. */
		for (uint32_t i = 0; i < count; i++)
			fixture_pass(fixture, 1, 0,
				i % 2 ? 60 + i
				      : MIGRATION_PAGE - BEFORE - DRIVER_HEADER_LENGTH + 1 + i);
		migration_copy(&migration);
		migration_walk(&migration, expect_exact);
	}
	migration_finish(&migration);
	migration_fini(&migration);
}

/* ---- the log itself */

static void rarp_of_qemu_brings_an_answer_without_payload(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	plug_ordinary(fixture);
	options.rarp = true;
	start(fixture, &options);
	migration_begin(&migration, &fixture->ports[0], 0);
	exchange_with_swap(fixture);
	migration_finish(&migration);
	migration_walk(&migration, migration_expect_same);
	migration_fini(&migration);
}

/* As for Cloud Hypervisor when a migration is called off: the guest goes on, and nobody logs. */
static void migration_that_is_called_off(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	plug_ordinary(fixture);
	start(fixture, &options);
	for (int i = 0; i < 20; i++) {
		migration_begin(&migration, &fixture->ports[0], 0);
		exchange_with_swap(fixture);
		migration_finish(&migration);
		memset(migration.log, 0, migration.log_size);
		for (uint32_t ring = 0; ring < DRIVER_QUEUES; ring++)
			assert_int_equal(client_set_vring(&fixture->ports[0].client,
						 CLIENT_SET_VRING_ENABLE, ring, 1),
				0);
		fixture_stream(fixture, 0, 1, 100);
		fixture_stream(fixture, 1, 0, 100);
		for (uint64_t byte = 0; byte < migration.log_size; byte++)
			assert_int_equal(migration.log[byte], 0);
		migration_fini(&migration);
	}
}

static void bad_log_is_refused_and_the_guest_goes_on(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	static const struct {
		uint64_t size, offset;
	} logs[] = {{0, 0}, {4097, 0}, {4096, 1}, {1, UINT64_MAX}, {UINT64_MAX, 2}, {8, 1 << 20}};

	plug_ordinary(fixture);
	start(fixture, &options);
	struct frontend *port = &fixture->ports[0];
	unsigned int fds = fixture_count_fds(fixture);
	int fd = memfd_create("short", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, MIGRATION_PAGE), 0);
	for (unsigned int i = 0; i < LENGTH(logs); i++)
		assert_int_equal(
			frontend_set_log_base(port, fd, logs[i].size, logs[i].offset), -EREMOTEIO);
	assert_int_equal(frontend_set_log_base(port, -1, 4096, 0), -EREMOTEIO);
	close(fd);
	fixture_expect_fds(fixture, fds);
	fixture_pass(fixture, 0, 1, 60);
	fixture_pass(fixture, 1, 0, 60);
}

/* No byte of the payload is taken that did not come. */
static void log_of_another_length_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	static const uint32_t lengths[] = {0, 1, 8, 15, 17, 24, 256};
	const uint64_t payload[32] = {MIGRATION_PAGE, 0};

	plug_ordinary(fixture);
	start(fixture, &options);
	struct client *client = &fixture->ports[0].client;
	unsigned int fds = fixture_count_fds(fixture);
	int fd = memfd_create("log", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, MIGRATION_PAGE), 0);
	for (unsigned int i = 0; i < LENGTH(lengths); i++) {
		uint64_t answer = 0;
		assert_int_equal(client_send(client, CLIENT_SET_LOG_BASE,
					 CLIENT_FLAG_VERSION | CLIENT_FLAG_NEED_REPLY, payload,
					 lengths[i], &fd, 1),
			0);
		assert_int_equal(client_receive(client, CLIENT_SET_LOG_BASE, &answer,
					 sizeof(answer), NULL, NULL),
			0);
		assert_int_not_equal(answer, 0);
	}
	close(fd);
	assert_int_equal(fixture_counter(fixture, "worker.memory_refused"), LENGTH(lengths));
	fixture_expect_fds(fixture, fds);
	fixture_pass(fixture, 0, 1, 60);
	fixture_pass(fixture, 1, 0, 60);
}

/* A log of a single byte: what lies beyond it is not marked anywhere. */
static void log_that_is_too_short(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	plug_ordinary(fixture);
	start(fixture, &options);
	struct frontend *port = &fixture->ports[0];
	int fd = memfd_create("short", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 2 * MIGRATION_PAGE), 0);
	uint8_t *log = mmap(NULL, 2 * MIGRATION_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(log, MAP_FAILED);
	assert_int_equal(frontend_set_log_base(port, fd, 1, 8), 0);
	port->logging = true;
	assert_int_equal(frontend_set_features(port), 0);
	fixture_stream(fixture, 1, 0, 200);
	fixture_stream(fixture, 0, 1, 200);
	for (uint32_t i = 0; i < 2 * MIGRATION_PAGE; i++)
		if (i != 8)
			assert_int_equal(log[i], 0);
	munmap(log, 2 * MIGRATION_PAGE);
	close(fd);
}

/* A front end that takes its log away hurts its own port. */
static void log_that_is_truncated(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	static struct driver_frame frame;

	fixture_start(fixture, 3, NULL, NULL);
	for (unsigned int i = 0; i < 3; i++)
		fixture_plug(fixture, i, &options);
	fixture_introduce(fixture);
	struct frontend *port = &fixture->ports[0];
	int fd = memfd_create("gone", MFD_CLOEXEC);
	uint64_t size = UINT64_C(1) << 20;
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(frontend_set_log_base(port, fd, size, 0), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	port->logging = true;
	assert_int_equal(frontend_set_features(port), 0);
	fixture_number(fixture, &frame, 1, fixture_end(0, 0).mac, 60);
	fixture_send(fixture, 1, &frame);
	fixture_stream(fixture, 1, 2, 200);
	fixture_stream(fixture, 2, 1, 200);
	assert_true(fixture_counter(fixture, "worker.sigbus") > 0);
	close(fd);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(copy_is_whole),
	FIXTURE_TEST(no_page_is_marked_in_vain),
	FIXTURE_TEST(rarp_of_qemu_brings_an_answer_without_payload),
	FIXTURE_TEST(migration_that_is_called_off),
	FIXTURE_TEST(bad_log_is_refused_and_the_guest_goes_on),
	FIXTURE_TEST(log_of_another_length_is_refused),
	FIXTURE_TEST(log_that_is_too_short),
	FIXTURE_TEST(log_that_is_truncated),
};

FIXTURE_MAIN(tests)
