/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/ring.h"

#include <errno.h>

#include "tests/unit/probe/datagram.h"

static struct ring_memory memory;
static struct ring ring;
static uint8_t buffer[100];

static int setup(void **state)
{
	ring_init(&ring, &memory, 8);
	return 0;
}

/* The device's side: gives a buffer back. */
static void use(uint32_t id, uint32_t length)
{
	memory.used.ring[memory.used.index % ring.size] =
		(struct ring_used_element){.id = id, .length = length};
	memory.used.index++;
}

static void test_a_posted_buffer_is_the_devices(void **state)
{
	ring_post(&ring, 3, buffer, sizeof(buffer), true);
	assert_int_equal(memory.available.index, 1);
	assert_int_equal(memory.available.ring[0], 3);
	assert_int_equal(memory.table[3].address, (uintptr_t)buffer);
	assert_int_equal(memory.table[3].length, sizeof(buffer));
	assert_int_equal(memory.table[3].flags, 2);
	ring_post(&ring, 4, buffer, sizeof(buffer), false);
	assert_int_equal(memory.table[4].flags, 0);
	assert_true(ring.out[3] && ring.out[4]);
}

static void test_buffers_come_back_past_the_wrap_of_indices(void **state)
{
	uint16_t number = 99;
	uint32_t length = 99;

	assert_int_equal(ring_take(&ring, &number, &length), 0);
	for (uint32_t i = 0; i < 70000; i++) {
		ring_post(&ring, i % 8, buffer, sizeof(buffer), true);
		use(i % 8, i % 101);
		assert_int_equal(ring_take(&ring, &number, &length), 1);
		assert_int_equal(number, i % 8);
		assert_int_equal(length, i % 101);
		assert_false(ring.out[number]);
	}
	assert_int_equal(ring_take(&ring, &number, &length), 0);
}

static void lie(uint32_t id, uint32_t length)
{
	uint16_t number = 99;
	uint32_t taken = 99;

	use(id, length);
	assert_int_equal(ring_take(&ring, &number, &taken), -EBADMSG);
	assert_int_equal(number, 99);
	assert_int_equal(taken, 99);
}

static void test_a_device_that_lies_is_found(void **state)
{
	ring_post(&ring, 1, buffer, sizeof(buffer), true);
	ring_post(&ring, 2, buffer, sizeof(buffer), false);
	lie(3, 0);
	lie(8, 0);
	lie(65537, 0);
	lie(1, sizeof(buffer) + 1);
	/* Nothing is written to what it may only read. */
	lie(2, 1);
}

static void test_a_kick_is_left_out_when_the_device_says_so(void **state)
{
	assert_true(ring_wants_kick(&ring));
	memory.used.flags = 1;
	assert_false(ring_wants_kick(&ring));
}

static void test_interrupts_are_wanted_when_said(void **state)
{
	assert_int_equal(memory.available.flags, 1);
	ring_want_interrupts(&ring, true);
	assert_int_equal(memory.available.flags, 0);
	ring_want_interrupts(&ring, false);
	assert_int_equal(memory.available.flags, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_posted_buffer_is_the_devices, setup),
		cmocka_unit_test_setup(test_buffers_come_back_past_the_wrap_of_indices, setup),
		cmocka_unit_test_setup(test_a_device_that_lies_is_found, setup),
		cmocka_unit_test_setup(test_a_kick_is_left_out_when_the_device_says_so, setup),
		cmocka_unit_test_setup(test_interrupts_are_wanted_when_said, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
