/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/ip.h"

#include <errno.h>

#include "nat/checksum.h"
#include "tests/unit/probe/datagram.h"

/* An echo request from 172.16.0.1 to 172.16.0.2; made with scapy 2.5.0. */
static const uint8_t request[] = {0x02, 0, 0, 0, 0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 0x08, 0,
	0x45, 0, 0, 0x54, 0x43, 0x21, 0x40, 0, 0x3f, 1, 0xa0, 0x64, 0xac, 0x10, 0, 2, 0xac, 0x10, 0,
	1, 8, 0, 0x99, 0xed, 0, 0x4d, 0, 3, 7, 0x26, 0x45, 0x64, 0x83, 0xa2, 0xc1, 0xe0, 0xff, 0x1e,
	0x3d, 0x5c, 0x7b, 0x9a, 0xb9, 0xd8, 0xf7, 0x16, 0x35, 0x54, 0x73, 0x92, 0xb1, 0xd0, 0xef,
	0x0e, 0x2d, 0x4c, 0x6b, 0x8a, 0xa9, 0xc8, 0xe7, 6, 0x25, 0x44, 0x63, 0x82, 0xa1, 0xc0, 0xdf,
	0xfe, 0x1d, 0x3c, 0x5b, 0x7a, 0x99, 0xb8, 0xd7, 0xf6, 0x15, 0x34, 0x53, 0x72, 0x91, 0xb0};

static void test_a_good_frame_is_read(void **state)
{
	struct ip_tally tally = {0};
	struct ip_datagram datagram;

	assert_int_equal(datagram_read(request, sizeof(request), &tally, &datagram), 0);
	assert_int_equal(datagram.source_be, htonl(GUEST_IP));
	assert_int_equal(datagram.destination_be, htonl(GATEWAY_IP));
	assert_int_equal(datagram.protocol, FRAME_ICMP);
	assert_int_equal(datagram.length, 64);
	assert_int_equal(tally.checksums, 2);
	assert_int_equal(tally.bad_headers + tally.bad_payloads + tally.malformed, 0);
}

/* Each byte of the frame, one after the other, with another value. */
static void test_every_changed_byte_is_found(void **state)
{
	uint8_t frame[sizeof(request)];

	for (size_t i = FRAME_HEADER; i < sizeof(frame); i++) {
		struct ip_tally tally = {0};
		struct ip_datagram datagram;

		memcpy(frame, request, sizeof(frame));
		frame[i] ^= 0x15;
		assert_true(datagram_read(frame, sizeof(frame), &tally, &datagram) < 0);
		assert_int_equal(tally.bad_headers + tally.bad_payloads + tally.malformed, 1);
		assert_int_equal(tally.bad_payloads, i >= FRAME_PAYLOAD);
	}
}

static void test_a_frame_cut_anywhere_is_malformed(void **state)
{
	for (size_t length = 0; length < sizeof(request); length++) {
		struct ip_tally tally = {0};
		struct ip_datagram datagram;

		assert_int_equal(datagram_read(request, length, &tally, &datagram), -EBADMSG);
		assert_int_equal(tally.malformed, 1);
	}
}

/* Makes a frame of ours with that many bytes of `protocol`. */
static size_t write(uint8_t protocol, size_t length, uint8_t frame[FRAME_MAX])
{
	struct frame_station sender = station;

	memset(frame, 0, FRAME_MAX);
	sender.ip_be = htonl(GUEST_IP);
	return ip_write(&sender, htonl(GATEWAY_IP), protocol, length, frame);
}

static void test_what_is_written_can_be_read(void **state)
{
	static const uint8_t protocols[] = {FRAME_ICMP, FRAME_UDP, FRAME_TCP};

	for (size_t i = 0; i < sizeof(protocols); i++) {
		struct ip_tally tally = {0};
		struct ip_datagram datagram;
		uint8_t frame[FRAME_MAX];
		size_t length = write(protocols[i], 33, frame);

		assert_int_equal(length, FRAME_PAYLOAD + 33);
		assert_int_equal(datagram_read(frame, length, &tally, &datagram), 0);
		assert_int_equal(datagram.length, 33);
		assert_int_equal(tally.checksums, 2);
		assert_memory_equal(frame, station.gateway_mac, 6);
	}
}

static void test_a_payload_shorter_than_its_header_is_malformed(void **state)
{
	static const struct {
		uint8_t protocol;
		size_t least;
	} cases[] = {{FRAME_ICMP, 8}, {FRAME_UDP, 8}, {FRAME_TCP, 20}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip_tally tally = {0};
		struct ip_datagram datagram;
		uint8_t frame[FRAME_MAX];
		size_t length = write(cases[i].protocol, cases[i].least, frame);

		assert_int_equal(datagram_read(frame, length, &tally, &datagram), 0);
		length = write(cases[i].protocol, cases[i].least - 1, frame);
		assert_int_equal(datagram_read(frame, length, &tally, &datagram), -EBADMSG);
		assert_int_equal(tally.malformed, 1);
	}
}

/* Changes one byte of the IPv4 header, and its checksum with it. */
static void change(uint8_t *frame, size_t at, uint8_t value)
{
	uint16_t checksum;

	frame[FRAME_HEADER + at] = value;
	checksum = checksum_ipv4_header(frame + FRAME_HEADER, FRAME_IP_HEADER);
	memcpy(frame + FRAME_HEADER + 10, &checksum, sizeof(checksum));
}

static void test_fragments_and_others_are_counted(void **state)
{
	struct ip_tally tally = {0};
	struct ip_datagram datagram;
	uint8_t frame[FRAME_MAX];
	size_t length = write(FRAME_UDP, 8, frame);

	change(frame, 6, 0x20); /* more fragments */
	assert_int_equal(datagram_read(frame, length, &tally, &datagram), -EPROTONOSUPPORT);
	change(frame, 6, 0);
	change(frame, 7, 1); /* the last one */
	assert_int_equal(datagram_read(frame, length, &tally, &datagram), -EPROTONOSUPPORT);
	assert_int_equal(tally.fragments, 2);
	change(frame, 7, 0);
	change(frame, 9, 2); /* IGMP */
	assert_int_equal(datagram_read(frame, length, &tally, &datagram), -EPROTONOSUPPORT);
	assert_int_equal(tally.other, 1);
	assert_int_equal(tally.bad_headers, 0);
}

static void test_udp_without_a_checksum_is_taken(void **state)
{
	struct ip_tally tally = {0};
	struct ip_datagram datagram;
	uint8_t frame[FRAME_MAX];
	size_t length = write(FRAME_UDP, 20, frame);

	memset(frame + FRAME_PAYLOAD + 6, 0, 2);
	assert_int_equal(datagram_read(frame, length, &tally, &datagram), 0);
	assert_int_equal(tally.checksums, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_frame_is_read),
		cmocka_unit_test(test_every_changed_byte_is_found),
		cmocka_unit_test(test_a_frame_cut_anywhere_is_malformed),
		cmocka_unit_test(test_what_is_written_can_be_read),
		cmocka_unit_test(test_a_payload_shorter_than_its_header_is_malformed),
		cmocka_unit_test(test_fragments_and_others_are_counted),
		cmocka_unit_test(test_udp_without_a_checksum_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
