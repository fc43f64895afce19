/* SPDX-License-Identifier: BSD-3-Clause */
/* Every way in which a driver may cut its buffers into descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* From the shortest to the longest that is not TSO; around the places where pieces end. */
static const uint32_t lengths[] = {18, 42, 60, 63, 64, 65, 116, 127, 128, 129, 243, 244, 245, 256,
	257, 511, 512, 513, 1023, 1024, 1025, 1513, 1514};

static const struct driver_layout layouts[] = {
	{.header_apart = false},
	{.header_apart = true},
	{.header_apart = false, .piece = 11}, /* the header itself is cut */
	{.header_apart = false, .piece = 64},
	{.header_apart = true, .piece = 13},
	{.header_apart = true, .piece = 1000},
	{.header_apart = false, .indirect = true},
	{.header_apart = true, .indirect = true},
	{.header_apart = false, .piece = 11, .indirect = true},
	{.header_apart = true, .piece = 100, .indirect = true},
};

static void exchange(struct fixture *fixture)
{
	fixture_introduce(fixture);
	for (unsigned int i = 0; i < LENGTH(lengths); i++) {
		fixture_pass(fixture, 0, 1, lengths[i]);
		fixture_pass(fixture, 1, 0, lengths[i]);
	}
	fixture_stream(fixture, 0, 1, 600);
	fixture_stream(fixture, 1, 0, 600);
}

/* Guest 0 has this layout both ways, guest 1 is an ordinary one. */
static void try_layout(struct fixture *fixture, const struct frontend_options *options)
{
	fixture_plug(fixture, 0, options);
	exchange(fixture);
	fixture_unplug(fixture, 0);
}

static void plug_ordinary(struct fixture *fixture)
{
	struct frontend_options options = fixture_options();
	fixture_start(fixture, 2, fixture_full, NULL);
	fixture_plug(fixture, 1, &options);
}

static void large_buffers(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	plug_ordinary(fixture);
	options.features = FRONTEND_BIT(VIRTIO_RING_F_INDIRECT_DESC);
	options.rx_buffer = DRIVER_HEADER_LENGTH + 1514;
	for (unsigned int i = 0; i < LENGTH(layouts); i++) {
		print_message("layout %u\n", i);
		options.rx_layout = options.tx_layout = layouts[i];
		try_layout(fixture, &options);
	}
}

static void mergeable_buffers(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	/* The header fills the first of 12 bytes and nearly that of 13. */
	static const uint32_t buffers[] = {12, 13, 64, 100, 1526, 2048, 4096};

	plug_ordinary(fixture);
	for (unsigned int i = 0; i < LENGTH(layouts); i++) {
		for (unsigned int j = 0; j < LENGTH(buffers); j++) {
			/* Room for the longest frame in descriptors of the ring. */
			if (buffers[j] <= 13 && !layouts[i].indirect && layouts[i].piece)
				continue;
			if (buffers[j] == 12 && layouts[i].header_apart)
				continue;
			/* The back end follows 258 descriptors of a chain; real drivers use 19. */
			if (layouts[i].piece && buffers[j] / layouts[i].piece > 250)
				continue;
			print_message("layout %u, buffers of %u bytes\n", i, buffers[j]);
			options.rx_layout = options.tx_layout = layouts[i];
			options.rx_buffer = buffers[j];
			options.queue_size = buffers[j] <= 13 ? 4096 : 512;
			try_layout(fixture, &options);
		}
	}
}

static void several_regions(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	struct guest_ram_layout rams[] = {
		{.regions = 2},
		{.regions = 8},
		{.regions = 2, .one_file = true},
		{.regions = 8, .one_file = true},
		{.regions = 8, .adjacent = true},
		{.regions = 4, .adjacent = true, .one_file = true},
	};

	plug_ordinary(fixture);
	options.features |= FRONTEND_BIT(VIRTIO_RING_F_INDIRECT_DESC);
	for (unsigned int i = 0; i < LENGTH(rams); i++) {
		print_message("memory %u\n", i);
		options.ram = rams[i];
		options.tx_layout.header_apart = i & 1;
		options.rx_layout.indirect = i & 2;
		try_layout(fixture, &options);
	}
}

static void buffer_across_two_adjacent_regions(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	static struct driver_frame frame;

	plug_ordinary(fixture);
	options.ram = (struct guest_ram_layout){.regions = 3, .adjacent = true};
	options.rx_slots = 1;
	fixture->plugged[0] = true;
	struct frontend *port = &fixture->ports[0];
	assert_int_equal(frontend_init(port, &options), 0);
	/* One guest buffer, two places in memory: every buffer lies across a border. */
	for (uint16_t i = 0; i < port->driver.tx_slots; i++)
		port->driver.tx_buffers[i] = port->ram.regions[1].guest - 50;
	port->driver.rx_buffers[0] = port->ram.regions[2].guest - 150;
	assert_int_equal(frontend_connect(port, fixture->sockets[0]), 0);
	assert_int_equal(frontend_activate(port), 0);
	fixture_introduce(fixture);
	for (unsigned int i = 0; i < LENGTH(lengths); i++) {
		fixture_number(fixture, &frame, 0, fixture_end(1, 0).mac, lengths[i]);
		fixture_send(fixture, 0, &frame);
		fixture_expect(fixture, 1, &frame);
		assert_int_equal(driver_drain(&port->driver, deadline_in(DEADLINE_STEP_MS)), 0);
		fixture_pass(fixture, 1, 0, lengths[i]);
	}
}

static void frame_that_fits_no_buffer_is_dropped(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	static struct driver_frame frame;

	plug_ordinary(fixture);
	options.features = 0;
	options.rx_buffer = DRIVER_HEADER_LENGTH + 500;
	fixture_plug(fixture, 0, &options);
	fixture_introduce(fixture);
	for (int i = 0; i < 1000; i++) {
		fixture_number(fixture, &frame, 1, fixture_end(0, 0).mac, 501);
		fixture_send(fixture, 1, &frame);
		if (i % 10 == 0)
			fixture_pass(fixture, 1, 0, 500);
	}
	fixture_pass(fixture, 0, 1, 500);
	assert_int_equal(fixture_counter(fixture, "port.0.drop.too_large"), 1000);
}

static void guest_without_receive_buffers_holds_up_nobody(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	static struct driver_frame frame;

	fixture_start(fixture, 3, NULL, NULL);
	fixture_plug(fixture, 1, &options);
	fixture_plug(fixture, 2, &options);
	options.rx_slots = 4;
	fixture_plug(fixture, 0, &options);
	fixture_introduce(fixture);
	/* Guest 0 does not look at its four buffers any more. */
	for (int i = 0; i < 1000; i++) {
		fixture_number(fixture, &frame, 1, fixture_end(0, 0).mac, 60);
		fixture_send(fixture, 1, &frame);
	}
	assert_int_equal(driver_drain(&fixture->ports[1].driver, deadline_in(DEADLINE_STEP_MS)), 0);
	fixture_stream(fixture, 1, 2, 1000);
	/* Broadcasts reach those that do listen. */
	fixture_number(fixture, &frame, 1, frames_broadcast, 60);
	fixture_send(fixture, 1, &frame);
	fixture_expect(fixture, 2, &frame);
	/* Now it takes what it got and finds the port alive. */
	for (int i = 0; i < 4; i++)
		fixture_receive(fixture, 0, &frame);
	fixture_fence(fixture, 1, 2);
	while (driver_poll(&fixture->ports[0].driver, &frame) == 0)
		;
	fixture_pass(fixture, 1, 0, 60);
	fixture_pass(fixture, 0, 1, 60);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(large_buffers),
	FIXTURE_TEST(mergeable_buffers),
	FIXTURE_TEST(several_regions),
	FIXTURE_TEST(buffer_across_two_adjacent_regions),
	FIXTURE_TEST(frame_that_fits_no_buffer_is_dropped),
	FIXTURE_TEST(guest_without_receive_buffers_holds_up_nobody),
};

FIXTURE_MAIN(tests)
