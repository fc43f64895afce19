/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rings with a dirty log: after each call, the pages that changed are the pages that are marked. A
 * page's border lies in every place of the used ring, in turn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/ring.h"

#define PAGE 4096u
#define PAGES 64u
#define GUEST_BASE (8u * PAGE)
#define SIZE 8
#define DESC_AT 0u
#define AVAIL_AT PAGE
#define USED_AT (4 * PAGE) /* less up to USED_LENGTH */
#define DATA_AT (8 * PAGE)
#define USED_LENGTH (4 + 8 * SIZE + 2)
#define LOG_SIZE 16 /* bytes */

static uint8_t memory[PAGES * PAGE] __attribute__((aligned(4096)));
static uint8_t before[PAGES * PAGE];
static struct guest_memory regions = {
	.count = 1, .regions = {{GUEST_BASE, sizeof(memory), memory}}};
static struct dirty_log dirty;
static struct port_stats stats;
static struct worker_stats worker_stats;
static struct ring ring;
static struct packet packets[PORT_BURST];
static struct vring_desc *const desc = (void *)(memory + DESC_AT);
static struct vring_avail *const avail = (void *)(memory + AVAIL_AT);

static int setup(void **state)
{
	(void)state;
	int fd = memfd_create("log", MFD_CLOEXEC);
	int failed = ftruncate(fd, LOG_SIZE) || dirty_log_init(&dirty, fd, LOG_SIZE, 0);
	close(fd);
	return failed;
}

static int teardown(void **state)
{
	(void)state;
	dirty_log_fini(&dirty);
	return 0;
}

static bool marked(unsigned int page)
{
	unsigned int bit = GUEST_BASE / PAGE + page;
	return dirty.bits[bit / 8] & 1 << bit % 8;
}

/* Marks and changes agree; then both begin anew. */
static void check(void)
{
	for (unsigned int page = 0; page < PAGES; page++) {
		bool changed = memcmp(memory + page * PAGE, before + page * PAGE, PAGE) != 0;
		if (changed && !marked(page))
			fail_msg("page %u was written and not marked", page);
		/* Of a used ring's, some writes change nothing. */
		if (marked(page) && !changed && page >= DATA_AT / PAGE)
			fail_msg("page %u was marked and not written", page);
	}
	memcpy(before, memory, sizeof(memory));
	memset(dirty.bits, 0, LOG_SIZE);
}

/* What the guest writes itself is none of ours. */
static void guest_wrote(void)
{
	memcpy(before, memory, sizeof(memory));
}

static void start(unsigned int used_at, bool event_idx)
{
	memset(memory, 0, sizeof(memory));
	guest_wrote();
	const struct ring_config config = {
		.desc = desc,
		.avail = avail,
		.used = (void *)(memory + used_at),
		.memory = &regions,
		.size = SIZE,
		.event_idx = event_idx,
		.mergeable = true,
		.version_1 = true,
		.log = &dirty,
		.call_fd = -1,
		.kick_fd = -1,
		.stats = &stats,
		.worker_stats = &worker_stats,
	};
	assert_int_equal(ring_init(&ring, &config), 0);
	check();
}

static void post(uint16_t head, uint32_t offset, uint32_t length, uint16_t flags)
{
	desc[head] = (struct vring_desc){GUEST_BASE + offset, length, flags, 0};
	avail->ring[avail->idx % SIZE] = head;
	avail->idx++;
	guest_wrote();
}

static void transmit(unsigned int used_at, bool event_idx)
{
	start(used_at, event_idx);
	for (uint16_t turn = 0; turn < 3 * SIZE; turn++) {
		post(turn % SIZE, DATA_AT + turn * 100u, 12 + 60, 0);
		ring_arm(&ring);
		check();
		assert_int_equal(ring_rx_burst(&ring, packets, PORT_BURST), 1);
		check();
		ring_rx_done(&ring);
		check();
		ring_arm(&ring);
		check();
		ring_disarm(&ring);
		check();
	}
}

/* A frame of bytes that no buffer has. */
static struct packet *frame(uint32_t length, uint8_t *bytes, struct iovec *segment)
{
	struct packet *p = &packets[0];
	memset(p, 0, sizeof(*p));
	memset(bytes, 0xa5, length);
	memset(p->head, 0xa5, 64);
	p->length = length;
	p->head_length = 64;
	*segment = (struct iovec){bytes, length - 64};
	p->segments = segment;
	p->segment_count = length > 64;
	return p;
}

static void receive(unsigned int used_at, bool event_idx)
{
	static uint8_t bytes[2048];
	struct iovec segment;

	start(used_at, event_idx);
	/* The last byte of each frame lies at, before or behind a page's border. */
	for (uint16_t turn = 0; turn < 3 * SIZE; turn++) {
		uint32_t length = 100 + turn % 3;
		uint32_t at = DATA_AT + (turn % 4) * 2 * PAGE + PAGE - 12 - 101;
		memset(memory + DATA_AT, 0, 8 * PAGE);
		/* Two buffers for one frame when the first is short. */
		if (turn % 2) {
			post(0, at - PAGE, 40, VRING_DESC_F_WRITE);
			post(1, at + 40, 200, VRING_DESC_F_WRITE);
		} else {
			post(2, at, 300, VRING_DESC_F_WRITE);
		}
		struct packet *const one[] = {frame(length, bytes, &segment)};
		assert_int_equal(ring_tx_burst(&ring, one, 1), 1);
		ring_tx_flush(&ring);
		check();
		ring_arm_room(&ring);
		check();
		ring_tx_flush(&ring);
		check();
	}
}

static void every_write_of_a_transmit_queue_is_marked(void **state)
{
	(void)state;
	for (unsigned int back = 4; back <= USED_LENGTH + 4; back += 4) {
		transmit(USED_AT - back, false);
		transmit(USED_AT - back, true);
	}
}

static void every_write_of_a_receive_queue_is_marked(void **state)
{
	(void)state;
	for (unsigned int back = 4; back <= USED_LENGTH + 4; back += 4) {
		receive(USED_AT - back, false);
		receive(USED_AT - back, true);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(every_write_of_a_transmit_queue_is_marked, setup, teardown),
	cmocka_unit_test_setup_teardown(every_write_of_a_receive_queue_is_marked, setup, teardown),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
