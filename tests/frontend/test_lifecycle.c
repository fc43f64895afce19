/* SPDX-License-Identifier: BSD-3-Clause */
/* Machines that are paused, rebooted, restored from a snapshot, and moved to another place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"
#include "tests/frontend/migration.h"

#include <string.h>

#define ROUNDS 50
#define FRAMES 20

static struct migration migration;
static struct driver_frame frame;
static struct driver_frame frames[FRAMES];

static void plug(struct fixture *fixture, unsigned int count, const char *const *suffixes)
{
	struct frontend_options options = fixture_options();
	fixture_start(fixture, count, suffixes, NULL);
	for (unsigned int i = 0; i < count; i++)
		fixture_plug(fixture, i, &options);
	fixture_introduce(fixture);
}

static void enable(struct frontend *port, uint32_t on)
{
	for (uint32_t i = 0; i < DRIVER_QUEUES; i++)
		assert_int_equal(
			client_set_vring(&port->client, CLIENT_SET_VRING_ENABLE, i, on), 0);
}

/* Frames of guest 1 to a guest that does not run: it gets those that it had buffers for. */
static void pour(struct fixture *fixture)
{
	for (int i = 0; i < FRAMES; i++) {
		fixture_number(fixture, &frame, 1, fixture_end(0, 0).mac, 1000);
		fixture_send(fixture, 1, &frame);
	}
}

/* Takes what the guest has got; none twice, none before an earlier one. */
static void take_all(struct fixture *fixture, unsigned int port)
{
	uint32_t last = 0, number;
	while (driver_poll(&fixture->ports[port].driver, &frame) == 0) {
		memcpy(&number, frame.bytes + FRAMES_ETHERNET, sizeof(number));
		assert_in_range(number, last + 1, fixture->serial);
		last = number;
	}
}

/* Cloud Hypervisor's pause: every ring is disabled, and keeps its descriptors. */
static void pause_and_resume_under_traffic(void **state)
{
	struct fixture *fixture = *state;
	struct frontend *port = &fixture->ports[0];

	plug(fixture, 4, NULL);
	for (int round = 0; round < ROUNDS; round++) {
		pour(fixture);
		for (int i = 0; i < FRAMES; i++) {
			fixture_number(fixture, &frames[i], 0, fixture_end(2, 0).mac, 500);
			fixture_send(fixture, 0, &frames[i]);
		}
		enable(port, 0);
		uint16_t rx = port->driver.queues[DRIVER_RX].used->idx;
		uint16_t tx = port->driver.queues[DRIVER_TX].used->idx;
		pour(fixture);
		fixture_fence(fixture, 1, 3);
		/* It is left alone meanwhile. */
		assert_int_equal(port->driver.queues[DRIVER_RX].used->idx, rx);
		assert_int_equal(port->driver.queues[DRIVER_TX].used->idx, tx);
		enable(port, 1);
		for (int i = 0; i < FRAMES; i++)
			fixture_expect(fixture, 2, &frames[i]);
		take_all(fixture, 0);
		fixture_pass(fixture, 1, 0, 60);
		fixture_pass(fixture, 0, 1, 60);
	}
}

static void guest_reboots_under_traffic(void **state)
{
	struct fixture *fixture = *state;
	struct frontend *port = &fixture->ports[0];

	plug(fixture, 3, NULL);
	unsigned int fds = fixture_count_fds(fixture);
	for (int round = 0; round < ROUNDS; round++) {
		pour(fixture);
		/* Firmware, then the kernel: the rings begin anew each time. */
		for (int start = 0; start < 2; start++) {
			assert_int_equal(frontend_reset(port), 0);
			pour(fixture);
			fixture_pass(fixture, 1, 2, 60);
			assert_int_equal(frontend_activate(port), 0);
			fixture_pass(fixture, 0, 1, 60);
		}
		take_all(fixture, 0);
		fixture_pass(fixture, 1, 0, 1514);
	}
	fixture_expect_fds(fixture, fds);
}

/* The machine ends, and goes on from a copy of its memory in another process. */
static void snapshot_is_restored(void **state)
{
	struct fixture *fixture = *state;
	struct frontend *port = &fixture->ports[0];
	static struct frontend restored;

	plug(fixture, 2, NULL);
	for (int round = 0; round < ROUNDS; round++) {
		pour(fixture);
		migration_begin(&migration, port, 0);
		/* What it has sent and nobody took goes with it. */
		enable(port, 0);
		for (int i = 0; i < FRAMES; i++) {
			fixture_number(fixture, &frames[i], 0, fixture_end(1, 0).mac, 700);
			fixture_send(fixture, 0, &frames[i]);
		}
		for (unsigned int i = 0; i < port->ram.count; i++)
			memcpy(migration.copies[i], port->ram.regions[i].host,
				port->ram.regions[i].size);
		migration_arrive(&migration, &restored);
		migration_fini(&migration);
		frontend_fini(port);
		*port = restored;
		port->driver.ram = &port->ram;
		for (int i = 0; i < DRIVER_QUEUES; i++)
			port->driver.queues[i].ram = &port->ram;
		assert_int_equal(frontend_connect(port, fixture->sockets[0]), 0);
		assert_int_equal(frontend_resume(port), 0);
		for (int i = 0; i < FRAMES; i++)
			fixture_expect(fixture, 1, &frames[i]);
		take_all(fixture, 0);
		fixture_pass(fixture, 1, 0, 60);
		fixture_pass(fixture, 0, 1, 60);
	}
}

/* Expects the announcement of guest 0 at port `to`: an ARP one if `ip`, else a reverse request. */
static void expect_announcement(struct fixture *fixture, unsigned int to, uint32_t ip)
{
	struct frames_end guest = fixture_end(0, 0);
	struct frames_view view;

	fixture_receive(fixture, to, &frame);
	assert_int_equal(frames_parse(frame.bytes, frame.length, &view), 0);
	assert_memory_equal(view.target, frames_broadcast, 6);
	assert_memory_equal(view.source, guest.mac, 6);
	assert_int_equal(view.type, ip ? FRAMES_TYPE_ARP : 0x8035);
	if (ip) {
		assert_int_equal(view.operation, FRAMES_ARP_REQUEST);
		assert_memory_equal(view.arp_source, guest.mac, 6);
		assert_int_equal(view.ip_source, ip);
		assert_int_equal(view.ip_target, ip);
	}
}

/* Lets guest 0 run behind socket 2, in the memory that was copied. */
static void arrive(struct fixture *fixture)
{
	struct frontend *port = &fixture->ports[2];
	fixture->plugged[2] = true;
	migration_arrive(&migration, port);
	migration_fini(&migration);
	assert_int_equal(frontend_connect(port, fixture->sockets[2]), 0);
	assert_int_equal(frontend_resume(port), 0);
}

/* From port 0 to port 2, with traffic up to the last round. */
static void leave(struct fixture *fixture)
{
	migration_begin(&migration, &fixture->ports[0], 0);
	for (int round = 0; round < 5; round++) {
		pour(fixture);
		fixture_pass(fixture, 0, 1, 60);
		migration_copy(&migration);
		take_all(fixture, 0);
		/* What the driver writes, the VMM tracks; here it is copied whole at the end. */
	}
	migration_finish(&migration);
	migration_walk(&migration, migration_expect_same);
	for (unsigned int i = 0; i < fixture->ports[0].ram.count; i++)
		memcpy(migration.copies[i], fixture->ports[0].ram.regions[i].host,
			fixture->ports[0].ram.regions[i].size);
}

static void guest_that_moves_is_found_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	uint64_t mac = 0;

	/* A front end that announces its guest by SEND_RARP, as QEMU. */
	options.rarp = true;
	fixture_start(fixture, 4, NULL, NULL);
	for (unsigned int i = 0; i < 2; i++)
		fixture_plug(fixture, i, &options);
	fixture_plug(fixture, 3, &options);
	fixture_introduce(fixture);
	leave(fixture);
	arrive(fixture);
	memcpy(&mac, fixture_end(0, 0).mac, 6);
	assert_int_equal(client_set_u64(&fixture->ports[2].client, CLIENT_SEND_RARP, mac), 0);
	expect_announcement(fixture, 1, 0);
	expect_announcement(fixture, 3, 0);
	/* The guest has not said a word here. */
	fixture_number(fixture, &frame, 1, fixture_end(0, 0).mac, 60);
	fixture_send(fixture, 1, &frame);
	fixture_expect(fixture, 2, &frame);
	/* It is where it is, and nowhere else. */
	fixture_number(fixture, &frame, 3, fixture_end(0, 0).mac, 60);
	fixture_send(fixture, 3, &frame);
	fixture_expect(fixture, 2, &frame);
	fixture_pass(fixture, 1, 3, 60);
}

/* Cloud Hypervisor asks for nothing; the socket says whose it is. */
static void guest_that_goes_on_is_announced(void **state)
{
	static const char *const suffixes[] = {
		",mac=52:54:00:12:34:56,ip=172.16.0.2", NULL, NULL, NULL};
	struct fixture *fixture = *state;

	plug(fixture, 3, suffixes);
	/* Not when it boots. */
	fixture_pass(fixture, 0, 1, 60);
	for (int round = 0; round < ROUNDS; round++) {
		assert_int_equal(frontend_reconnect(&fixture->ports[0], fixture->sockets[0]), 0);
		expect_announcement(fixture, 1, FIXTURE_FIRST_IP);
		expect_announcement(fixture, 2, FIXTURE_FIRST_IP);
		fixture_pass(fixture, 0, 1, 60);
		/* Nor when it is paused and goes on. */
		enable(&fixture->ports[0], 0);
		enable(&fixture->ports[0], 1);
		fixture_pass(fixture, 0, 1, 60);
		assert_int_equal(frontend_reset(&fixture->ports[0]), 0);
		assert_int_equal(frontend_activate(&fixture->ports[0]), 0);
		fixture_pass(fixture, 0, 1, 60);
	}
}

/* A front end speaks for no other guest. */
static void nobody_is_announced_with_anothers_address(void **state)
{
	static const char *const suffixes[] = {
		",mac=52:54:00:12:34:56", ",mac=52:54:00:12:34:57", NULL, NULL};
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	uint64_t mac = 0;

	options.rarp = true;
	fixture_start(fixture, 3, suffixes, NULL);
	for (unsigned int i = 0; i < 3; i++)
		fixture_plug(fixture, i, &options);
	fixture_introduce(fixture);
	memcpy(&mac, fixture_end(0, 0).mac, 6);
	/* Guest 2 has no MAC of its own, but guest 0 has that one. */
	assert_int_equal(client_set_u64(&fixture->ports[2].client, CLIENT_SEND_RARP, mac), 0);
	fixture_pass(fixture, 2, 1, 60);
	fixture_pass(fixture, 1, 0, 60);
	assert_int_equal(fixture_counter(fixture, "port.2.drop.spoofed_mac"), 1);
	/* Guest 1's own is announced instead. */
	assert_int_equal(client_set_u64(&fixture->ports[1].client, CLIENT_SEND_RARP, mac), 0);
	fixture_receive(fixture, 2, &frame);
	assert_memory_equal(frame.bytes + 6, fixture_end(1, 0).mac, 6);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(pause_and_resume_under_traffic),
	FIXTURE_TEST(guest_reboots_under_traffic),
	FIXTURE_TEST(snapshot_is_restored),
	FIXTURE_TEST(guest_that_moves_is_found_at_once),
	FIXTURE_TEST(guest_that_goes_on_is_announced),
	FIXTURE_TEST(nobody_is_announced_with_anothers_address),
};

FIXTURE_MAIN(tests)
