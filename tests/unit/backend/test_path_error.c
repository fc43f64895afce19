/* SPDX-License-Identifier: BSD-3-Clause */
/* "Fragmentation needed" in a guest's name. */
#include "tests/unit/frame.h"

#include "backend/bytes.h"
#include "backend/parse.h"
#include "backend/path_error.h"

#define PORT 3
#define MTU 1486

static const uint8_t guest_mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
static const uint8_t sender_mac[6] = {0x02, 0x63, 0x68, 0x6e, 0x65, 0x01};
static uint64_t now_ns;

/* A datagram of 1,500 bytes to the guest, not to be fragmented. */
static struct frame *datagram(void)
{
	uint8_t bytes[1514] = {0};
	uint8_t *ip = bytes + 14;
	memcpy(bytes, guest_mac, 6);
	memcpy(bytes + 6, sender_mac, 6);
	store16_be(bytes + 12, htons(0x0800));
	ip[0] = 0x45;
	store16_be(ip + 2, htons(1500));
	store16_be(ip + 6, htons(0x4000));
	ip[9] = 17;
	store32_be(ip + 12, htonl(0xc6336402));
	store32_be(ip + 16, htonl(0xac100002));
	store16_be(ip + 20, htons(53));
	store16_be(ip + 24, htons(1480));
	return frame_new(bytes, sizeof(bytes), PACKET_HEAD_INITIAL, 4096);
}

static bool answered(struct path_error *error, struct frame *frame)
{
	parse_packet(&frame->packet);
	error->waits = false;
	path_error_add(error, &frame->packet, PORT, MTU);
	frame_free(frame);
	return error->waits;
}

static void sender_is_told(void **state)
{
	struct path_error error = {.now_ns = &now_ns};
	struct frame *frame = datagram();
	const uint8_t *bytes = error.packet.head;
	const uint8_t *icmp = bytes + 34;

	now_ns = 1000000000;
	parse_packet(&frame->packet);
	path_error_add(&error, &frame->packet, PORT, MTU);
	assert_true(error.waits);
	assert_int_equal(error.packet.port, PORT);
	assert_memory_equal(bytes, sender_mac, 6);
	assert_memory_equal(bytes + 6, guest_mac, 6);
	assert_int_equal(load32(bytes + 26), 0xac100002);
	assert_int_equal(load32(bytes + 30), 0xc6336402);
	assert_int_equal(icmp[0], 3);
	assert_int_equal(icmp[1], 4);
	assert_int_equal(load16(icmp + 6), MTU);
	assert_memory_equal(icmp + 8, frame->packet.head + 14, 28);
	assert_int_equal(frame_sum(0, bytes + 14, 20), 0xffff);
	assert_int_equal(frame_sum(0, icmp, error.packet.length - 34), 0xffff);
	assert_int_equal(error.packet.head_length, error.packet.length);
	frame_free(frame);
}

static void not_about_everything(void **state)
{
	struct path_error error = {.now_ns = &now_ns};
	struct frame *frame;

	now_ns = 2000000000;
	frame = datagram(); /* may be fragmented */
	store16_be(frame->packet.head + 20, 0);
	assert_false(answered(&error, frame));
	frame = datagram(); /* to a group */
	frame->packet.head[0] = 1;
	assert_false(answered(&error, frame));
	frame = datagram(); /* about an error */
	frame->packet.head[23] = 1;
	frame->packet.head[34] = 3;
	assert_false(answered(&error, frame));
	assert_true(answered(&error, datagram()));
}

static void not_too_often(void **state)
{
	struct path_error error = {.now_ns = &now_ns};
	unsigned int count = 0;

	now_ns = 3000000000;
	for (int i = 0; i < 1000; i++, now_ns += PATH_ERROR_INTERVAL_NS / 10)
		count += answered(&error, datagram());
	assert_int_equal(count, 100);
	/* One that waits is not overwritten. */
	now_ns += PATH_ERROR_INTERVAL_NS;
	assert_true(answered(&error, datagram()));
	now_ns += PATH_ERROR_INTERVAL_NS;
	struct frame *frame = datagram();
	parse_packet(&frame->packet);
	path_error_add(&error, &frame->packet, PORT + 1, MTU);
	assert_int_equal(error.packet.port, PORT);
	frame_free(frame);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sender_is_told),
		cmocka_unit_test(not_about_everything),
		cmocka_unit_test(not_too_often),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
