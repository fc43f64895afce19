/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/packet.h"

#include <errno.h>

#include "tests/unit/frame.h"

#define LENGTH 1000

static uint8_t pattern[LENGTH];

static int fill_pattern(void **state)
{
	for (int i = 0; i < LENGTH; i++)
		pattern[i] = (uint8_t)(i * 7 + i / 256);
	return 0;
}

static void assert_frame(const struct packet *p, uint32_t length)
{
	uint8_t bytes[LENGTH];

	assert_int_equal(frame_bytes(p, bytes, sizeof(bytes)), length);
	assert_memory_equal(bytes, pattern, length);
}

/* Whatever the pieces, pulling moves bytes and changes none, and gives no empty segments. */
static void test_pull(void **state)
{
	static const uint32_t pieces[] = {1, 3, 7, 64, 4096};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct frame *f = frame_new(pattern, 300, 60, pieces[i]);

		for (uint32_t length = 0; length <= PACKET_HEAD_CAPACITY; length += 5) {
			assert_int_equal(packet_pull(&f->packet, length), 0);
			assert_int_equal(f->packet.head_length, length > 60 ? length : 60);
			assert_frame(&f->packet, 300);
			for (uint16_t s = 0; s < f->packet.segment_count; s++)
				assert_true(f->packet.segments[s].iov_len > 0);
		}
		frame_free(f);
	}
}

static void test_pull_takes_the_last_byte(void **state)
{
	struct frame *f = frame_new(pattern, PACKET_HEAD_CAPACITY, 1, 50);

	assert_int_equal(packet_pull(&f->packet, PACKET_HEAD_CAPACITY), 0);
	assert_int_equal(f->packet.segment_count, 0);
	assert_frame(&f->packet, PACKET_HEAD_CAPACITY);
	frame_free(f);
}

static void test_pull_refuses(void **state)
{
	struct frame *f = frame_new(pattern, 100, 60, 64);

	assert_int_equal(packet_pull(&f->packet, 101), -EMSGSIZE);
	assert_int_equal(packet_pull(&f->packet, UINT32_MAX), -EMSGSIZE);
	assert_int_equal(f->packet.head_length, 60);
	frame_free(f);

	f = frame_new(pattern, 400, 60, 64);
	assert_int_equal(packet_pull(&f->packet, PACKET_HEAD_CAPACITY + 1), -EMSGSIZE);
	assert_int_equal(f->packet.head_length, 60);
	assert_frame(&f->packet, 400);
	frame_free(f);
}

static void test_read(void **state)
{
	struct frame *f = frame_new(pattern, LENGTH, 100, 37);
	uint8_t bytes[LENGTH];

	for (uint32_t offset = 0; offset <= LENGTH; offset += 13) {
		for (uint32_t length = 0; length <= LENGTH - offset; length += 17) {
			memset(bytes, 0xaa, sizeof(bytes));
			assert_int_equal(packet_read(&f->packet, offset, bytes, length), 0);
			assert_memory_equal(bytes, pattern + offset, length);
			if (length < sizeof(bytes))
				assert_int_equal(bytes[length], 0xaa);
		}
	}
	assert_int_equal(packet_read(&f->packet, 0, bytes, LENGTH + 1), -EMSGSIZE);
	assert_int_equal(packet_read(&f->packet, LENGTH, bytes, 1), -EMSGSIZE);
	assert_int_equal(packet_read(&f->packet, LENGTH + 1, bytes, 0), -EMSGSIZE);
	assert_int_equal(packet_read(&f->packet, 8, bytes, UINT32_MAX - 4), -EMSGSIZE);
	assert_frame(&f->packet, LENGTH);
	frame_free(f);
}

static void test_trim(void **state)
{
	for (uint32_t length = 0; length <= 310; length++) {
		struct frame *f = frame_new(pattern, 300, 60, 41);

		packet_trim(&f->packet, length);
		assert_frame(&f->packet, length < 300 ? length : 300);
		for (uint16_t s = 0; s < f->packet.segment_count; s++)
			assert_true(f->packet.segments[s].iov_len > 0);
		frame_free(f);
	}
}

static void test_store(void **state)
{
	struct frame *f = frame_new(pattern, 500, 60, 41);
	struct packet copy = {.length = 12345};
	struct iovec segment = {0};
	uint8_t buffer[440];

	f->packet.port = 7;
	f->packet.vnet.gso_size = 99;
	assert_int_equal(packet_store(&f->packet, buffer, 439, &copy, &segment), -ENOSPC);
	assert_int_equal(copy.length, 12345);
	assert_null(segment.iov_base);

	assert_int_equal(packet_store(&f->packet, buffer, 440, &copy, &segment), 0);
	frame_free(f);
	assert_frame(&copy, 500);
	assert_ptr_equal(copy.segments, &segment);
	assert_int_equal(copy.segment_count, 1);
	assert_int_equal(copy.port, 7);
	assert_int_equal(copy.vnet.gso_size, 99);
}

static void test_store_of_a_head_only(void **state)
{
	struct frame *f = frame_new(pattern, 60, 60, 1);
	struct packet copy;
	struct iovec segment;

	assert_int_equal(packet_store(&f->packet, NULL, 0, &copy, &segment), 0);
	frame_free(f);
	assert_int_equal(copy.segment_count, 0);
	assert_frame(&copy, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pull),
		cmocka_unit_test(test_pull_takes_the_last_byte),
		cmocka_unit_test(test_pull_refuses),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_store_of_a_head_only),
	};

	return cmocka_run_group_tests(tests, fill_pattern, NULL);
}
