/* SPDX-License-Identifier: BSD-3-Clause */
/* The frames were made with scapy 2.5.0. */
#include "guest/services/icmp_echo.h"

#include <arpa/inet.h>

#include "backend/parse.h"
#include "tests/unit/frame.h"

static const char echo_request[] =
	"020000000001525400123456080045000054432140003f01a064ac100002ac100001080099ed004d"
	"00030726456483a2c1e0ff1e3d5c7b9ab9d8f71635547392b1d0ef0e2d4c6b8aa9c8e70625446382"
	"a1c0dffe1d3c5b7a99b8d7f61534537291b0";

static const char echo_reply[] =
	"5254001234560200000000010800450000544321400040019f64ac100001ac1000020000a1ed004d"
	"00030726456483a2c1e0ff1e3d5c7b9ab9d8f71635547392b1d0ef0e2d4c6b8aa9c8e70625446382"
	"a1c0dffe1d3c5b7a99b8d7f61534537291b0";

static const char options_request[] =
	"0200000000015254001234568100000308004700002900010000ff0156a8ac100002ac1000010707"
	"04000000000008002825004d00030726456483";

static const char options_reply[] =
	"5254001234560200000000018100000308004700002900010000400115a9ac100001ac1000020707"
	"04000000000000003025004d00030726456483";

#define GATEWAY 0xac100001U
#define IP 14
#define ICMP 34

static struct frame *load(const char *hex, uint32_t head)
{
	uint8_t bytes[256];
	uint32_t length = frame_hex(hex, bytes, sizeof(bytes));
	struct frame *f = frame_new(bytes, length, head, 9);

	parse_packet(&f->packet);
	return f;
}

static void test_answers(void **state)
{
	static const char *const cases[][2] = {
		{echo_request, echo_reply},
		{options_request, options_reply},
	};
	uint8_t expected[256], bytes[256];

	for (size_t i = 0; i < 2; i++) {
		uint32_t length = frame_hex(cases[i][1], expected, sizeof(expected));

		for (uint32_t head = 0; head <= length; head++) {
			struct frame *f = load(cases[i][0], head);

			f->packet.vnet.flags = 1;
			assert_true(icmp_echo_answer(&f->packet, htonl(GATEWAY)));
			frame_bytes(&f->packet, bytes, sizeof(bytes));
			assert_memory_equal(bytes, expected, length);
			assert_int_equal(f->packet.vnet.flags, 0);
			frame_free(f);
		}
	}
}

/* The payload is not looked at: it stays in the segments, and a wrong checksum stays wrong. */
static void test_large_payload(void **state)
{
	uint8_t bytes[14 + 1500] = {0}, after[sizeof(bytes)];
	struct frame *f;
	uint16_t head_length;

	frame_hex(echo_request, bytes, sizeof(bytes));
	bytes[IP + 2] = 1500 >> 8;
	bytes[IP + 3] = 1500 & 0xff;
	memset(bytes + IP + 10, 0, 2);
	bytes[IP + 10] = (uint8_t)(~frame_sum(0, bytes + IP, 20) >> 8);
	bytes[IP + 11] = (uint8_t)~frame_sum(0, bytes + IP, 20);
	for (uint32_t i = 200; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	for (int wrong = 0; wrong < 2; wrong++) {
		memset(bytes + ICMP + 2, 0, 2);
		bytes[ICMP + 2] = (uint8_t)(~frame_sum(0, bytes + ICMP, 1480) >> 8);
		bytes[ICMP + 3] = (uint8_t)~frame_sum(0, bytes + ICMP, 1480);
		bytes[ICMP + 3] ^= (uint8_t)wrong;
		f = frame_new(bytes, sizeof(bytes), 128, 700);
		parse_packet(&f->packet);
		head_length = f->packet.head_length;
		assert_true(icmp_echo_answer(&f->packet, htonl(GATEWAY)));
		assert_int_equal(f->packet.head_length, head_length);
		assert_int_equal(f->packet.segment_count, 2);
		frame_bytes(&f->packet, after, sizeof(after));
		assert_int_equal(frame_sum(0, after + IP, 20), 0xffff);
		assert_int_equal(frame_sum(0, after + ICMP, 1480) == 0xffff, !wrong);
		assert_memory_equal(after + ICMP + 4, bytes + ICMP + 4, 1476);
		frame_free(f);
	}
}

/* One byte of a good request changed, the header checksum right again. */
static void test_refusals(void **state)
{
	static const struct {
		const char *name;
		uint32_t offset;
		uint8_t value;
	} cases[] = {
		{"to a group address", 0, 0xff},
		{"UDP", IP + 9, 17},
		{"first fragment", IP + 6, 0x20},
		{"later fragment", IP + 7, 1},
		{"to another address", IP + 19, 3},
		{"from the gateway's own", IP + 15, 1},
		{"from 0.x", IP + 12, 0},
		{"from loopback", IP + 12, 127},
		{"from a group", IP + 12, 224},
		{"from broadcast", IP + 12, 255},
		{"echo reply", ICMP, 0},
		{"timestamp", ICMP, 13},
		{"code", ICMP + 1, 1},
	};
	uint8_t before[256], after[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame *f = load(echo_request, 60);
		uint8_t *ip = f->packet.head + IP;
		uint32_t length, sum;

		f->packet.head[cases[i].offset] = cases[i].value;
		memset(ip + 10, 0, 2);
		sum = ~frame_sum(0, ip, 20);
		ip[10] = (uint8_t)(sum >> 8);
		ip[11] = (uint8_t)sum;
		parse_packet(&f->packet);
		length = frame_bytes(&f->packet, before, sizeof(before));
		if (icmp_echo_answer(&f->packet, htonl(GATEWAY)))
			fail_msg("%s is answered", cases[i].name);
		frame_bytes(&f->packet, after, sizeof(after));
		assert_memory_equal(before, after, length);
		frame_free(f);
	}
}

static void test_wrong_header_checksum(void **state)
{
	struct frame *f = load(echo_request, 60);

	f->packet.head[IP + 11] ^= 1;
	assert_false(icmp_echo_answer(&f->packet, htonl(GATEWAY)));
	frame_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_large_payload),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_wrong_header_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
