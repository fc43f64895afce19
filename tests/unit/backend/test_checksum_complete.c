/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/checksum_complete.h"

#include <errno.h>

#include "tests/unit/backend/offload_frames.h"

/* scapy's checksum comes out, wherever the frame is cut into head and segments. */
static void test_complete(void **state)
{
	uint8_t whole[256], partial[256], bytes[256];

	for (int i = 0; i < OFFLOAD_COUNT; i++) {
		const struct offload_frame *o = &offload_frames[i];
		uint32_t length = offload_frame_load(o, whole, partial, sizeof(whole));

		assert_memory_not_equal(whole, partial, length);
		for (uint32_t head = 0; head <= length; head++) {
			struct frame *f = frame_new(partial, length, head, 1 + head % 9);

			f->packet.vnet = offload_frame_vnet(o);
			assert_int_equal(checksum_complete(&f->packet), 0);
			frame_bytes(&f->packet, bytes, sizeof(bytes));
			assert_memory_equal(bytes, whole, length);
			assert_int_equal(f->packet.vnet.flags, 0);
			assert_int_equal(f->packet.vnet.csum_start, 0);
			assert_int_equal(f->packet.vnet.csum_offset, 0);
			frame_free(f);
		}
	}
}

static void test_nothing_to_do(void **state)
{
	uint8_t whole[256], partial[256], bytes[256];
	uint32_t length = offload_frame_load(&offload_frames[0], whole, partial, sizeof(whole));
	struct frame *f = frame_new(partial, length, 60, 10);

	assert_int_equal(checksum_complete(&f->packet), 0);
	frame_bytes(&f->packet, bytes, sizeof(bytes));
	assert_memory_equal(bytes, partial, length);
	frame_free(f);
}

/* A frame of 300 bytes is longer than the head: both bounds matter. */
static void test_refused(void **state)
{
	static const struct {
		uint32_t length;
		uint16_t start;
		uint16_t offset;
		uint8_t gso;
		int result;
	} cases[] = {
		{100, 90, 8, 0, 0},
		{100, 90, 9, 0, -EINVAL},
		{100, 100, 0, 0, -EINVAL},
		{100, 65535, 65535, 0, -EINVAL},
		{300, 250, 4, 0, 0},
		{300, 250, 5, 0, -EINVAL},
		{300, 34, 16, VIRTIO_NET_HDR_GSO_TCPV4, -EINVAL},
	};
	uint8_t zeros[300] = {0}, bytes[300];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame *f = frame_new(zeros, cases[i].length, 60, 100);

		f->packet.vnet = (struct virtio_net_hdr_v1){
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.csum_start = cases[i].start,
			.csum_offset = cases[i].offset,
			.gso_type = cases[i].gso,
		};
		assert_int_equal(checksum_complete(&f->packet), cases[i].result);
		frame_bytes(&f->packet, bytes, sizeof(bytes));
		if (cases[i].result != 0)
			assert_memory_equal(bytes, zeros, cases[i].length);
		frame_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_nothing_to_do),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
