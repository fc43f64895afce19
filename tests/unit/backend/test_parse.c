/* SPDX-License-Identifier: BSD-3-Clause */
/* The frames were made with scapy 2.5.0. */
#include "backend/parse.h"

#include "tests/unit/frame.h"

static const char tcp_frame[] =
	"52540012345752540012345608004500003c1234000040061063ac100002ac10000303e800500000"
	"000100000000a0022000cba00000020405b40402080a000000010000000001030307";

static const char udp_frame[] =
	"5254001234575254001234560800450000211234000040111073ac100002ac10000303e80035000d"
	"5fbf68656c6c6f";

static const char udp_vlan_frame[] =
	"525400123457525400123456810000050800450000211234000040111073ac100002ac10000303e8"
	"0035000d5fbf68656c6c6f";

static const char icmp_frame[] =
	"5254001234575254001234560800450000241234000040011080ac100002ac100003080066620007"
	"00016162636465666768";

static const char ip_options_frame[] =
	"5254001234575254001234560800460000210001000040118da1ac100002ac100003940400000001"
	"000200092fb378";

static const char first_fragment_frame[] =
	"5254001234575254001234560800450000340001200040110293ac100002ac1000030001000203e8"
	"0000797979797979797979797979797979797979797979797979";

static const char later_fragment_frame[] =
	"52540012345752540012345608004500002c0001000440112297ac100002ac100003797979797979"
	"797979797979797979797979797979797979";

static const char gre_frame[] =
	"52540012345752540012345608004500001800010000402f2291ac100002ac10000330313233";

static const char arp_request_frame[] =
	"ffffffffffff52540012345608060001080006040001525400123456ac100002ffffffffffffac10"
	"0001";

static const char ipv6_frame[] =
	"52540012345752540012345686dd6000000000150640fd000000000000000000000000000001fd00"
	"0000000000000000000000000002000100020000000000000000500220001bda00007a";

static const char qinq_frame[] =
	"525400123457525400123456810000058100000608004500001d1234000040111077ac100002ac10"
	"0003003500350009364c71";

static const char padded_frame[] =
	"5254001234575254001234560800450000201234000040111074ac100002ac10000300090009000c"
	"4338313233340000000000000000000000000000";

static const char long_udp_frame[] =
	"52540012345752540012345608004500003a123400004011105aac100002ac10000303e800350026"
	"0000000000000000000000000000000000000000000000000000000000000000";

/* Offsets into an untagged frame with an IPv4 header of 20 bytes. */
#define IP 14
#define L4 34

struct parse_case {
	const char *name;
	const char *frame;
	uint16_t flags;
	uint16_t ethertype;
	uint16_t l3_offset;
	uint16_t l4_offset;
	uint8_t l4_protocol;
	uint32_t l3_length;
};

static const struct parse_case cases[] = {
	{"tcp", tcp_frame, PACKET_IPV4 | PACKET_L4, 0x0800, 14, 34, 6, 60},
	{"udp", udp_frame, PACKET_IPV4 | PACKET_L4, 0x0800, 14, 34, 17, 33},
	{"tag", udp_vlan_frame, PACKET_IPV4 | PACKET_L4, 0x0800, 18, 38, 17, 33},
	{"icmp", icmp_frame, PACKET_IPV4 | PACKET_L4, 0x0800, 14, 34, 1, 36},
	{"options", ip_options_frame, PACKET_IPV4 | PACKET_L4, 0x0800, 14, 38, 17, 33},
	{"first fragment", first_fragment_frame, PACKET_IPV4 | PACKET_L4 | PACKET_FRAGMENT, 0x0800,
		14, 34, 17, 52},
	{"later fragment", later_fragment_frame,
		PACKET_IPV4 | PACKET_FRAGMENT | PACKET_LATER_FRAGMENT, 0x0800, 14, 34, 17, 44},
	{"gre", gre_frame, PACKET_IPV4, 0x0800, 14, 34, 47, 24},
	{"arp", arp_request_frame, PACKET_ARP | PACKET_BROADCAST, 0x0806, 14, 0, 0, 0},
	{"ipv6", ipv6_frame, PACKET_IPV6, 0x86dd, 14, 0, 0, 0},
	{"two tags", qinq_frame, 0, 0x8100, 18, 0, 0, 0},
	{"long udp", long_udp_frame, PACKET_IPV4 | PACKET_L4, 0x0800, 14, 34, 17, 58},
	{"padded", padded_frame, PACKET_IPV4 | PACKET_L4, 0x0800, 14, 34, 17, 32},
};

static void assert_parsed(const struct packet *p, const struct parse_case *c)
{
	if (p->flags != c->flags)
		print_message("%s: flags %#x\n", c->name, p->flags);
	assert_int_equal(p->flags, c->flags);
	assert_int_equal(p->ethertype, c->ethertype);
	assert_int_equal(p->l3_offset, c->l3_offset);
	assert_int_equal(p->l4_offset, c->l4_offset);
	assert_int_equal(p->l4_protocol, c->l4_protocol);
	assert_int_equal(p->l3_length, c->l3_length);
}

/* However few bytes the port copied into the head, the findings are the same. */
static void test_known_frames(void **state)
{
	uint8_t bytes[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t length = frame_hex(cases[i].frame, bytes, sizeof(bytes));

		for (uint32_t head = 0; head <= length; head++) {
			struct frame *f = frame_new(bytes, length, head, 5);

			f->packet.port = 3;
			f->packet.reason = 4;
			/* What an earlier packet left behind. */
			f->packet.flags = 0xffff;
			f->packet.l3_offset = 0xffff;
			f->packet.l4_offset = 0xffff;
			f->packet.ethertype = 0xffff;
			f->packet.l4_protocol = 0xff;
			f->packet.l3_length = 0xffff;
			parse_packet(&f->packet);
			assert_parsed(&f->packet, &cases[i]);
			assert_int_equal(f->packet.port, 3);
			assert_int_equal(f->packet.reason, 4);
			frame_free(f);
		}
	}
}

/* Every prefix of every frame: no step beyond the bytes (ASAN), and no header that is not whole. */
static void test_truncated(void **state)
{
	uint8_t bytes[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t whole = frame_hex(cases[i].frame, bytes, sizeof(bytes));

		for (uint32_t length = 0; length < whole; length++) {
			struct frame *f = frame_new(bytes, length, length / 2, 7);
			const struct packet *p = &f->packet;

			parse_packet(&f->packet);
			if (length < cases[i].l3_offset)
				assert_int_equal(p->flags & ~PACKET_BROADCAST, PACKET_MALFORMED);
			if ((p->flags & PACKET_IPV4) != 0)
				assert_true(p->l3_offset + p->l3_length <= length);
			if ((cases[i].flags & PACKET_IPV4) != 0 &&
				length < cases[i].l3_offset + cases[i].l3_length)
				assert_false((p->flags & PACKET_IPV4) != 0);
			frame_free(f);
		}
	}
}

static void test_burst(void **state)
{
	static struct packet packets[4];
	uint8_t bytes[256];
	static const int chosen[4] = {0, 1, 8, 2};

	for (int i = 0; i < 4; i++) {
		packets[i].length = frame_hex(cases[chosen[i]].frame, bytes, sizeof(bytes));
		packets[i].head_length = (uint16_t)packets[i].length;
		memcpy(packets[i].head, bytes, packets[i].length);
	}
	packets[3].flags = 0x5555;
	parse_burst(packets, 3);
	for (int i = 0; i < 3; i++)
		assert_parsed(&packets[i], &cases[chosen[i]]);
	assert_int_equal(packets[3].flags, 0x5555);
}

/* One byte of a good frame changed: what remains of its flags. */
struct lie {
	const char *name;
	const char *frame;
	uint32_t offset;
	uint8_t value;
	uint16_t flags;
};

static const struct lie lies[] = {
	{"version 6", udp_frame, IP, 0x65, PACKET_MALFORMED},
	{"header of 16 bytes", udp_frame, IP, 0x44, PACKET_MALFORMED},
	{"header of 36 bytes, longer than the datagram", udp_frame, IP, 0x49, PACKET_MALFORMED},
	{"datagram longer than the frame", udp_frame, IP + 3, 34, PACKET_MALFORMED},
	{"datagram shorter than its header", udp_frame, IP + 3, 19, PACKET_MALFORMED},
	{"datagram without L4 header", udp_frame, IP + 3, 27, PACKET_IPV4},
	{"UDP of 7 bytes", udp_frame, L4 + 5, 7, PACKET_IPV4},
	{"UDP longer than the datagram", udp_frame, L4 + 5, 14, PACKET_IPV4},
	{"UDP shorter than the datagram", udp_frame, L4 + 5, 12, PACKET_IPV4 | PACKET_L4},
	{"TCP header of 16 bytes", tcp_frame, L4 + 12, 0x40, PACKET_IPV4},
	{"TCP header longer than the datagram", tcp_frame, L4 + 12, 0xb0, PACKET_IPV4},
	{"TCP header of 20 bytes", tcp_frame, L4 + 12, 0x50, PACKET_IPV4 | PACKET_L4},
	{"TCP cut", tcp_frame, IP + 3, 39, PACKET_IPV4},
	{"ICMP cut", icmp_frame, IP + 3, 27, PACKET_IPV4},
	{"UDP of 7 bytes", long_udp_frame, L4 + 5, 7, PACKET_IPV4},
	{"UDP of 8 bytes", long_udp_frame, L4 + 5, 8, PACKET_IPV4 | PACKET_L4},
	{"UDP as long as the datagram", long_udp_frame, L4 + 5, 38, PACKET_IPV4 | PACKET_L4},
	{"UDP longer than the datagram", long_udp_frame, L4 + 5, 39, PACKET_IPV4},
	{"datagram longer than the frame", long_udp_frame, IP + 3, 59, PACKET_MALFORMED},
	{"datagram shorter than its header", long_udp_frame, IP + 3, 19, PACKET_MALFORMED},
	{"header of 24 bytes", long_udp_frame, IP, 0x46, PACKET_IPV4},
	{"version 6", long_udp_frame, IP, 0x65, PACKET_MALFORMED},
	{"first fragment", long_udp_frame, IP + 6, 0x20, PACKET_IPV4 | PACKET_L4 | PACKET_FRAGMENT},
	{"to everybody", long_udp_frame, 0, 0x53, PACKET_IPV4 | PACKET_L4 | PACKET_BROADCAST},
	{"ICMP", long_udp_frame, IP + 9, 1, PACKET_IPV4 | PACKET_L4},
	{"GRE", long_udp_frame, IP + 9, 47, PACKET_IPV4},
	{"as TCP, without data offset", long_udp_frame, IP + 9, 6, PACKET_IPV4},
	{"fragment far behind", later_fragment_frame, IP + 6, 0x1f,
		PACKET_IPV4 | PACKET_FRAGMENT | PACKET_LATER_FRAGMENT},
	{"ARP hardware IEEE 802", arp_request_frame, IP + 1, 6,
		PACKET_MALFORMED | PACKET_BROADCAST},
	{"ARP for another protocol", arp_request_frame, IP + 2, 9,
		PACKET_MALFORMED | PACKET_BROADCAST},
	{"ARP hardware length", arp_request_frame, IP + 4, 8, PACKET_MALFORMED | PACKET_BROADCAST},
	{"ARP protocol length", arp_request_frame, IP + 5, 16, PACKET_MALFORMED | PACKET_BROADCAST},
};

static void test_lies(void **state)
{
	uint8_t bytes[256];

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		uint32_t length = frame_hex(lies[i].frame, bytes, sizeof(bytes));

		bytes[lies[i].offset] = lies[i].value;
		for (uint32_t head = 0; head <= length; head++) {
			struct frame *f = frame_new(bytes, length, head, 11);

			parse_packet(&f->packet);
			if (f->packet.flags != lies[i].flags)
				print_message("%s: flags %#x\n", lies[i].name, f->packet.flags);
			assert_int_equal(f->packet.flags, lies[i].flags);
			frame_free(f);
		}
	}
}

/* Offset 8,189 * 8 = 65,512: 23 bytes of payload fit, 24 do not. */
static void test_ping_of_death(void **state)
{
	uint8_t bytes[256];
	uint32_t length = frame_hex(later_fragment_frame, bytes, sizeof(bytes));
	struct frame *f;

	bytes[IP + 6] = 0x1f;
	bytes[IP + 7] = 0xfd;
	f = frame_new(bytes, length, length, 1);
	parse_packet(&f->packet);
	assert_int_equal(f->packet.flags, PACKET_MALFORMED);
	frame_free(f);

	bytes[IP + 3] = 23;
	f = frame_new(bytes, length, length, 1);
	parse_packet(&f->packet);
	assert_int_equal(f->packet.flags, PACKET_IPV4 | PACKET_FRAGMENT | PACKET_LATER_FRAGMENT);
	frame_free(f);
}

/* Nothing behind the headers: at the very end of the datagram, which ends the frame or does not. */
static void test_bare_headers(void **state)
{
	static const struct {
		uint8_t protocol;
		uint8_t length; /* of the L4 header, bytes */
		uint16_t flags;
	} bare[] = {
		{6, 20, PACKET_IPV4 | PACKET_L4},
		{17, 8, PACKET_IPV4 | PACKET_L4},
		{1, 8, PACKET_IPV4 | PACKET_L4},
		{6, 19, PACKET_IPV4},
		{17, 7, PACKET_IPV4},
		{1, 7, PACKET_IPV4},
		{17, 0, PACKET_IPV4},
	};

	for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++) {
		uint32_t end = L4 + bare[i].length;
		uint8_t bytes[100] = {0};

		bytes[12] = 0x08;
		bytes[IP] = 0x45;
		bytes[IP + 3] = (uint8_t)(end - IP);
		bytes[IP + 9] = bare[i].protocol;
		if (bare[i].protocol == 6)
			bytes[L4 + 12] = 0x50;
		else
			bytes[L4 + 5] = 8;
		for (uint32_t length = end; length <= sizeof(bytes); length += 100 - end) {
			for (uint32_t head = 0; head <= length; head++) {
				struct frame *f = frame_new(bytes, length, head, 5);

				parse_packet(&f->packet);
				assert_int_equal(f->packet.flags, bare[i].flags);
				assert_int_equal(f->packet.l3_length, end - IP);
				frame_free(f);
			}
		}
	}
}

/* The longest headers that there are: a tag, 60 bytes of IPv4, 60 bytes of TCP. */
static void test_longest_headers(void **state)
{
	uint8_t bytes[18 + 60 + 60] = {0};
	struct frame *f;

	bytes[12] = 0x81;
	bytes[16] = 0x08;
	bytes[18] = 0x4f;
	bytes[18 + 3] = 120;
	bytes[18 + 9] = 6;
	bytes[78 + 12] = 0xf0;
	f = frame_new(bytes, sizeof(bytes), 128, 3);
	parse_packet(&f->packet);
	assert_int_equal(f->packet.flags, PACKET_IPV4 | PACKET_L4);
	assert_int_equal(f->packet.head_length, sizeof(bytes));
	frame_free(f);
}

static void test_ipv4_checksum(void **state)
{
	uint8_t bytes[256];
	uint32_t length = frame_hex(ip_options_frame, bytes, sizeof(bytes));

	for (uint32_t bit = 0; bit <= 24 * 8; bit++) {
		struct frame *f = frame_new(bytes, length, length, 1);

		parse_packet(&f->packet);
		if (bit < 24 * 8)
			f->packet.head[IP + bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(parse_ipv4_checksum_ok(&f->packet), bit == 24 * 8);
		frame_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_frames),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_ping_of_death),
		cmocka_unit_test(test_bare_headers),
		cmocka_unit_test(test_longest_headers),
		cmocka_unit_test(test_ipv4_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
