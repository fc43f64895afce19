/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whose turn it is, when a guest's every frame or chain is dear and another's are not: told by the
 * order in which frames of both reach a third, and not by time. The data plane stands still
 * (SIGSTOP) until both have shown what they have; from then on it always finds more of both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <string.h>

#include "tests/frontend/hostile_chain.h"

#define DEAR 0	   /* the guest whose frames are dear */
#define ORDINARY 1 /* the one that sends ordinary frames */
#define RECEIVER 2

#define FRAMES 256 /* of the ordinary guest: a few bursts */
#define BURST 64   /* PORT_BURST */
/* Turns that the dear guest may have before the other's kick is seen, and behind its last. */
#define SLACK 3
/* As in backend/ring.h. */
#define TURN_BYTES (256u << 10)
#define TURN_STEPS 1536
#define CHAIN_MAX 258

static struct driver_frame frame;

static void plug(struct fixture *fixture)
{
	static const char *const suffixes[] = {
		",mac=52:54:00:12:34:56", ",mac=52:54:00:12:34:57", ",mac=52:54:00:12:34:58"};
	struct frontend_options options = fixture_options();

	fixture_start(fixture, 3, suffixes, NULL);
	options.queue_size = 512;
	options.tx_slots = 512;
	options.rx_slots = 16;
	fixture_plug(fixture, DEAR, &options);
	fixture_plug(fixture, ORDINARY, &options);
	options.queue_size = 32768;
	options.rx_slots = 32768;
	options.tx_slots = 16;
	fixture_plug(fixture, RECEIVER, &options);
	fixture_introduce(fixture);
	assert_int_equal(
		driver_drain(&fixture->ports[DEAR].driver, deadline_in(DEADLINE_STEP_MS)), 0);
}

/* Has every thread of the process stopped? */
static bool all_stopped(pid_t pid)
{
	char path[320], state = 0;
	bool stopped = true;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *tasks = opendir(path);
	assert_non_null(tasks);
	struct dirent *entry;
	while ((entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", pid, entry->d_name);
		FILE *file = fopen(path, "re");
		if (file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1)
			stopped &= state == 'T';
		if (file)
			fclose(file);
	}
	closedir(tasks);
	return stopped;
}

static void stop(struct fixture *fixture)
{
	uint64_t deadline = deadline_in(DEADLINE_STEP_MS);

	assert_int_equal(kill(fixture->dataplane, SIGSTOP), 0);
	while (!all_stopped(fixture->dataplane))
		assert_true(deadline_now_ns() < deadline);
}

/* The ordinary guest's frames; shown at once, with a kick. */
static void show_ordinary(struct fixture *fixture)
{
	struct driver *driver = &fixture->ports[ORDINARY].driver;

	for (int i = 0; i < FRAMES; i++) {
		fixture_number(fixture, &frame, ORDINARY, fixture_end(RECEIVER, 0).mac, 1514);
		assert_int_equal(driver_queue(driver, &frame, deadline_in(DEADLINE_STEP_MS)), 0);
	}
	driver_publish(driver);
	virtqueue_kick(&driver->queues[DRIVER_TX]);
}

/* What of the dear guest's reaches the receiver before the last frame of the ordinary one. */
struct before {
	uint64_t frames;
	uint64_t bytes;
};

static struct before receive_ordinary(struct fixture *fixture)
{
	struct frames_end dear = fixture_end(DEAR, 0);
	struct before before = {0};

	for (int ordinary = 0; ordinary < FRAMES;) {
		fixture_receive(fixture, RECEIVER, &frame);
		if (memcmp(frame.bytes + 6, dear.mac, 6) == 0) {
			before.frames++;
			before.bytes += frame.length;
		} else {
			ordinary++;
		}
	}
	return before;
}

static void large_frames_take_turns(void **state)
{
	struct fixture *fixture = *state;
	struct driver *driver;
	const uint64_t turns = FRAMES / BURST + SLACK;

	plug(fixture);
	driver = &fixture->ports[DEAR].driver;
	stop(fixture);
	fixture_number(fixture, &frame, DEAR, fixture_end(RECEIVER, 0).mac, DRIVER_FRAME_MAX);
	for (int i = 0; i < 500; i++)
		assert_int_equal(driver_queue(driver, &frame, deadline_in(DEADLINE_STEP_MS)), 0);
	driver_publish(driver);
	virtqueue_kick(&driver->queues[DRIVER_TX]);
	show_ordinary(fixture);
	assert_int_equal(kill(fixture->dataplane, SIGCONT), 0);
	struct before before = receive_ordinary(fixture);
	print_message("%d ordinary frames (%d bytes) of one guest beside %llu large ones (%llu "
		      "bytes) of another\n",
		FRAMES, FRAMES * 1514, (unsigned long long)before.frames,
		(unsigned long long)before.bytes);
	assert_true(before.frames > 0);
	assert_true(before.bytes <= turns * (TURN_BYTES + DRIVER_FRAME_MAX));
}

/* Chains that are followed to their end and refused; every eighth is a frame that can be seen. */
static void refused_chains_take_turns(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t turns = FRAMES / BURST + SLACK;
	const uint64_t chains = turns * (TURN_STEPS / CHAIN_MAX + 1);

	plug(fixture);
	struct driver *driver = &fixture->ports[DEAR].driver;
	struct virtqueue *queue = &driver->queues[DRIVER_TX];
	uint64_t area = driver->tx_buffers[0];
	stop(fixture);
	/* Descriptors from 1 on are one ring of them; 0 is the frame that can be seen. */
	fixture_number(fixture, &frame, DEAR, fixture_end(RECEIVER, 0).mac, 60);
	assert_int_equal(guest_ram_write(driver->ram, area, &frame.vnet, DRIVER_HEADER_LENGTH), 0);
	assert_int_equal(
		guest_ram_write(driver->ram, area + DRIVER_HEADER_LENGTH, frame.bytes, 60), 0);
	hostile_put(&queue->desc[0], area, DRIVER_HEADER_LENGTH + 60, 0, 0);
	for (uint16_t i = 1; i < 512; i++)
		hostile_put(&queue->desc[i], area, 1, VRING_DESC_F_NEXT, (uint16_t)(i % 511 + 1));
	for (uint16_t i = 0; i < 512; i++)
		queue->avail->ring[(uint16_t)(queue->avail->idx + i) % 512] = i % 8 == 7 ? 0 : 1;
	queue->avail->idx += 512;
	virtqueue_kick(queue);
	show_ordinary(fixture);
	assert_int_equal(kill(fixture->dataplane, SIGCONT), 0);
	struct before before = receive_ordinary(fixture);
	print_message("%d ordinary frames of one guest beside about %llu chains of another, of "
		      "which %llu were no frames\n",
		FRAMES, (unsigned long long)before.frames * 8,
		(unsigned long long)before.frames * 7);
	assert_true(before.frames * 8 <= chains + 8);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(large_frames_take_turns),
	FIXTURE_TEST(refused_chains_take_turns),
};

FIXTURE_MAIN(tests)
