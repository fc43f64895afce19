/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/arp.h"

#include <errno.h>

#include "tests/unit/probe/datagram.h"

static int read_copy(const uint8_t *frame, size_t length, struct arp_message *message)
{
	uint8_t *copy = datagram_copy(frame, length);
	int r = arp_read(copy, length, message);

	free(copy);
	return r;
}

static void test_request_and_reply(void **state)
{
	struct frame_station asking = station, answering = station;
	uint8_t frame[FRAME_MAX], reply[FRAME_MAX];
	struct arp_message message;

	asking.ip_be = htonl(GUEST_IP);
	answering.ip_be = htonl(GATEWAY_IP);
	memcpy(answering.mac, station.gateway_mac, 6);
	assert_int_equal(arp_write_request(&asking, htonl(GATEWAY_IP), frame), ARP_FRAME);
	assert_int_equal(read_copy(frame, ARP_FRAME, &message), 0);
	assert_int_equal(message.operation, ARP_REQUEST);
	assert_int_equal(message.target_be, htonl(GATEWAY_IP));
	assert_int_equal(arp_write_reply(&answering, &message, reply), ARP_FRAME);
	assert_int_equal(read_copy(reply, ARP_FRAME, &message), 0);
	assert_int_equal(message.operation, ARP_REPLY);
	assert_int_equal(message.ip_be, htonl(GATEWAY_IP));
	assert_int_equal(message.target_be, htonl(GUEST_IP));
	assert_memory_equal(message.mac, station.gateway_mac, 6);
	/* Destination and target are who asked. */
	assert_memory_equal(reply, station.mac, 6);
	assert_memory_equal(reply + 32, station.mac, 6);
}

static void test_what_is_no_arp_is_refused(void **state)
{
	struct arp_message message = {.operation = 77};
	uint8_t frame[FRAME_MAX];

	arp_write_request(&station, htonl(GATEWAY_IP), frame);
	for (size_t length = FRAME_HEADER; length < ARP_FRAME; length++)
		assert_int_equal(read_copy(frame, length, &message), -EBADMSG);
	for (size_t i = FRAME_HEADER; i < 22; i++) {
		frame[i] ^= 0x40;
		assert_int_equal(read_copy(frame, ARP_FRAME, &message), -EBADMSG);
		frame[i] ^= 0x40;
	}
	assert_int_equal(message.operation, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_and_reply),
		cmocka_unit_test(test_what_is_no_arp_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
