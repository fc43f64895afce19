/* SPDX-License-Identifier: BSD-3-Clause */
/* Links that are smaller than the packets. RFC 5508 REQ-9, RFC 1191. */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#include "backend/parse.h"
#include "nat/nat_private.h"

#define MTU_OUT 1400
#define MTU_IN 1486

static int setup(void **state)
{
	static struct fixture f;
	struct nat_config config = fixture_config();

	config.mtu_out = MTU_OUT;
	config.mtu_in = MTU_IN;
	fixture_init(&f, &config);
	*state = &f;
	return 0;
}

static uint8_t rest[65536];
static struct iovec segment;

/* Makes an IPv4 packet of `length` bytes out of a short one, with data behind the head. */
static void lengthen(struct packet *p, uint16_t length, bool dont_fragment)
{
	uint8_t *header = p->head + p->l3_offset;
	uint32_t more = length - p->l3_length, sum = 0;

	for (uint32_t i = 0; i < more; i++)
		rest[i] = (uint8_t)random();
	segment = (struct iovec){rest, more};
	p->segments = &segment;
	p->segment_count = more > 0 ? 1 : 0;
	p->length += more;
	header[2] = (uint8_t)(length >> 8);
	header[3] = (uint8_t)length;
	header[6] = dont_fragment ? 0x40 : 0;
	header[10] = header[11] = 0;
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(header[i] << 8 | header[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	header[10] = (uint8_t)(sum >> 8);
	header[11] = (uint8_t)sum;
	if (p->l4_protocol == IPPROTO_UDP) {
		p->head[p->l4_offset + 4] = (uint8_t)((length - 20) >> 8);
		p->head[p->l4_offset + 5] = (uint8_t)(length - 20);
	}
	parse_packet(p);
	assert_int_equal(p->l3_length, length);
	assert_true(p->flags & PACKET_L4);
	fill_checksum(p);
}

static void too_big_with_df(void **state)
{
	struct fixture *f = *state;
	struct packet p, before, *error;
	enum nat_verdict verdict;

	make_udp(&p, END(GUEST, 5000), END(REMOTE, 53), 20);
	lengthen(&p, MTU_OUT, true);
	assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD);
	for (int i = 0; i < 2; i++) {
		make_udp(&p, END(GUEST, 5000), END(REMOTE, 53), 20);
		lengthen(&p, MTU_OUT + 1, true);
		before = p;
		assert_dropped(f, send_out(f, &p), &p, NAT_DROP_TOO_BIG);
		assert_int_equal(nat_take(f->nat, &error, &verdict, 1), 1);
		assert_int_equal(verdict, NAT_VERDICT_INSIDE);
		assert_checksums(error);
		assert_string_equal(source_of(error).address, GATEWAY);
		assert_string_equal(destination_of(error).address, GUEST);
		assert_int_equal(error->head[error->l4_offset], 3);
		assert_int_equal(error->head[error->l4_offset + 1], 4);
		assert_int_equal(
			error->head[error->l4_offset + 6] << 8 | error->head[error->l4_offset + 7],
			MTU_OUT);
		assert_memory_equal(
			error->head + error->l4_offset + 8, before.head + before.l3_offset, 48);
	}
	/* And the other way, from an address that the world knows. */
	make_udp(&p, END(REMOTE, 53), END(OUTSIDE, 5000), 20);
	lengthen(&p, MTU_IN + 1, true);
	before = p;
	assert_dropped(f, send_in(f, &p), &p, NAT_DROP_TOO_BIG);
	assert_int_equal(nat_take(f->nat, &error, &verdict, 1), 1);
	assert_int_equal(verdict, NAT_VERDICT_WORLD);
	assert_string_equal(source_of(error).address, OUTSIDE);
	assert_string_equal(destination_of(error).address, REMOTE);
	assert_int_equal(
		error->head[error->l4_offset + 6] << 8 | error->head[error->l4_offset + 7], MTU_IN);
	assert_memory_equal(error->head + error->l4_offset + 8, before.head + before.l3_offset, 48);
}

/* Puts the fragments together; the result must be the translated datagram, whole. */
static void reassemble(struct fixture *f, struct packet *whole, uint32_t mtu, enum nat_verdict want)
{
	static uint8_t data[65536];
	struct packet *p;
	enum nat_verdict verdict;
	uint32_t seen = 0, total = whole->l3_length - 20;
	bool last = false;

	while (nat_take(f->nat, &p, &verdict, 1) == 1) {
		uint16_t word;
		uint32_t offset, length = p->l3_length - 20;

		assert_int_equal(verdict, want);
		assert_checksums(p);
		assert_true(p->l3_length <= mtu);
		assert_int_equal(p->length, 14 + p->l3_length);
		assert_memory_equal(p->head + 26, whole->head + 26, 8); /* addresses */
		assert_memory_equal(p->head + 18, whole->head + 18, 2); /* identification */
		memcpy(&word, p->head + 20, 2);
		word = ntohs(word);
		offset = (word & 0x1fffu) * 8;
		assert_int_equal(offset, seen);
		assert_false(last);
		last = !(word & 0x2000);
		assert_int_equal(packet_read(p, 34, data + offset, length), 0);
		assert_int_equal(p->vnet.flags, 0);
		seen += length;
	}
	assert_true(last);
	assert_int_equal(seen, total);
	memcpy(whole->head + 34, data, whole->head_length - 34u);
	memcpy(rest, data + whole->head_length - 34, total - (whole->head_length - 34u));
	whole->vnet.flags = 0;
	assert_checksums(whole);
}

static void cut_without_df(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	udp_out(f, &p, END(GUEST2, 5000), END(REMOTE, 9)); /* so that the port changes */
	for (uint16_t length = MTU_OUT + 1; length < 20000; length += 973) {
		make_udp(&p, END(GUEST, 5000), END(REMOTE, 53), 20);
		lengthen(&p, length, false);
		assert_int_equal(send_out(f, &p), NAT_VERDICT_KEPT);
		assert_string_equal(source_of(&p).address, OUTSIDE);
		reassemble(f, &p, MTU_OUT, NAT_VERDICT_WORLD);

		/* Partial checksums are completed, for a fragment cannot carry one. */
		make_udp(&p, END(GUEST, 5000), END(REMOTE, 53), 20);
		lengthen(&p, length, false);
		make_partial(&p);
		assert_int_equal(send_out(f, &p), NAT_VERDICT_KEPT);
		reassemble(f, &p, MTU_OUT, NAT_VERDICT_WORLD);

		make_udp(&p, END(REMOTE, 9), END(OUTSIDE, 5000), 20);
		lengthen(&p, (uint16_t)(length + 100), false);
		assert_int_equal(send_in(f, &p), NAT_VERDICT_KEPT);
		assert_string_equal(destination_of(&p).address, GUEST2);
		reassemble(f, &p, MTU_IN, NAT_VERDICT_INSIDE);
	}
}

/* Two frames of these IPv4 lengths are ready, and no other. */
static void expect_lengths(struct fixture *f, uint32_t first, uint32_t second)
{
	enum nat_verdict verdicts[3];
	struct packet *p[3];

	assert_int_equal(nat_take(f->nat, p, verdicts, 3), 2);
	assert_int_equal(p[0]->l3_length, first);
	assert_int_equal(p[1]->l3_length, second);
	assert_int_equal(verdicts[0], NAT_VERDICT_WORLD);
	assert_int_equal(verdicts[1], NAT_VERDICT_WORLD);
}

/* Makes a datagram of `length` bytes a fragment of the datagram `id`. */
static void make_piece(struct packet *p, struct end from, struct end to, uint16_t length,
	uint16_t word, uint16_t id)
{
	uint8_t *header;
	uint32_t sum = 0;

	make_udp(p, from, to, 20);
	lengthen(p, length, false);
	header = p->head + p->l3_offset;
	header[4] = (uint8_t)(id >> 8);
	header[5] = (uint8_t)id;
	header[6] = (uint8_t)(word >> 8);
	header[7] = (uint8_t)word;
	header[10] = header[11] = 0;
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(header[i] << 8 | header[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	header[10] = (uint8_t)(sum >> 8);
	header[11] = (uint8_t)sum;
	parse_packet(p);
	assert_true(p->flags & PACKET_FRAGMENT);
}

/* What a piece was cut into: right in length, offset, data and identification. Returns the
 * latter. */
static uint16_t expect_cut(struct fixture *f, const struct packet *piece, uint16_t piece_word)
{
	uint32_t seen = 0, total = piece->l3_length - 20;
	enum nat_verdict verdict;
	struct packet *p;
	uint16_t id = 0;

	while (nat_take(f->nat, &p, &verdict, 1) == 1) {
		static uint8_t data[2][4096];
		uint32_t length = p->l3_length - 20;
		uint16_t word = (uint16_t)(p->head[20] << 8 | p->head[21]);

		assert_int_equal(verdict, NAT_VERDICT_WORLD);
		assert_checksums(p);
		assert_true(p->l3_length <= MTU_OUT);
		assert_int_equal((word & 0x1fff) * 8, (piece_word & 0x1fff) * 8 + seen);
		assert_int_equal(
			word & 0x2000, seen + length < total ? 0x2000 : piece_word & 0x2000);
		assert_int_equal(packet_read(p, 34, data[0], length), 0);
		assert_int_equal(packet_read(piece, 34 + seen, data[1], length), 0);
		assert_memory_equal(data[0], data[1], length);
		id = (uint16_t)(p->head[18] << 8 | p->head[19]);
		seen += length;
	}
	assert_int_equal(seen, total);
	return id;
}

/* A fragment, the first or a later one, that is too long for the link is cut again. */
static void fragments_are_cut_again(void **state)
{
	static const uint16_t words[] = {0x2000, 0x2000 | 185, 370};
	struct fixture *f = *state;
	uint16_t ids[3];
	struct packet p;

	for (int i = 0; i < 3; i++) {
		make_piece(&p, END(GUEST, 5000), END(REMOTE, 53), 1500, words[i], 77);
		assert_int_equal(send_out(f, &p), NAT_VERDICT_KEPT);
		assert_string_equal(source_of(&p).address, OUTSIDE);
		ids[i] = expect_cut(f, &p, words[i]);
	}
	assert_int_equal(ids[0], ids[1]);
	assert_int_equal(ids[0], ids[2]);
	/* Early ones too, when the first one is there. */
	make_piece(&p, END(GUEST, 5000), END(REMOTE, 53), 1500, words[2], 78);
	assert_int_equal(send_out(f, &p), NAT_VERDICT_KEPT);
	make_piece(&p, END(GUEST, 5000), END(REMOTE, 53), 1396, words[0], 78);
	assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD);
	expect_lengths(f, 1396, 124);
	/* One that must not be is refused. */
	make_piece(&p, END(GUEST, 5000), END(REMOTE, 53), 1500, words[2] | 0x4000, 78);
	assert_dropped(f, send_out(f, &p), &p, NAT_DROP_TOO_BIG);
}

/* Guests that chose the same identification share an address behind the NAT: RFC 7857, section 9.
 */
static void identifications_differ(void **state)
{
	struct fixture *f = *state;
	uint16_t ids[2];
	struct packet p;

	for (int i = 0; i < 2; i++) {
		make_udp(&p, END(i == 0 ? GUEST : GUEST2, 5000), END(REMOTE, 53), 20);
		p.head[18] = p.head[19] = 5;
		lengthen(&p, 1500, false);
		assert_int_equal(send_out(f, &p), NAT_VERDICT_KEPT);
		ids[i] = expect_cut(f, &p, 0);
	}
	assert_int_not_equal(ids[0], ids[1]);
}

/* A GSO frame is as long as its segments. */
static void gso(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	tcp_out(f, &p, END(GUEST, 5000), END(REMOTE, 80), SYN);
	for (uint16_t size = MTU_OUT - 41; size <= MTU_OUT - 39; size++) {
		make_tcp(&p, END(GUEST, 5000), END(REMOTE, 80), ACK, 20);
		lengthen(&p, 30000, true);
		p.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		p.vnet.gso_size = size;
		make_partial(&p);
		assert_int_equal(send_out(f, &p),
			size <= MTU_OUT - 40 ? NAT_VERDICT_WORLD : NAT_VERDICT_DROP);
	}
	assert_int_equal(nat_counters(f->nat)->icmp_sent, 1);
}

/* A SYN with options; returns where the MSS is in the frame. */
static uint32_t make_syn(
	struct packet *p, struct end from, struct end to, uint8_t flags, int nops, uint16_t mss)
{
	uint32_t at;

	make_tcp(p, from, to, flags, 12);
	at = p->l4_offset + 20u;
	p->head[p->l4_offset + 12] = 8 << 4;
	memset(p->head + at, 1, 12);
	at += (uint32_t)nops;
	p->head[at] = 2;
	p->head[at + 1] = 4;
	p->head[at + 2] = (uint8_t)(mss >> 8);
	p->head[at + 3] = (uint8_t)mss;
	parse_packet(p);
	fill_checksum(p);
	return at + 2;
}

static uint16_t mss_at(const struct packet *p, uint32_t at)
{
	return (uint16_t)(p->head[at] << 8 | p->head[at + 1]);
}

static void mss_is_clamped(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	for (int nops = 0; nops < 9; nops++) {
		struct end from = END(GUEST, (uint16_t)(5000 + nops));
		uint32_t at = make_syn(&p, from, END(REMOTE, 80), SYN, nops, 1460);

		assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD); /* verifies the checksum */
		assert_int_equal(mss_at(&p, at), MTU_OUT - 40);
		at = make_syn(&p, END(REMOTE, 80), END(OUTSIDE, from.port), SYN | ACK, nops, 65535);
		assert_int_equal(send_in(f, &p), NAT_VERDICT_INSIDE);
		assert_int_equal(mss_at(&p, at), MTU_OUT - 40);
		/* Retransmitted, partial, small, none of ours. */
		at = make_syn(&p, from, END(REMOTE, 80), SYN, nops, 1361);
		make_partial(&p);
		assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD);
		assert_int_equal(mss_at(&p, at), MTU_OUT - 40);
		complete_partial(&p);
		assert_checksums(&p);
		at = make_syn(&p, from, END(REMOTE, 80), SYN, nops, 1360);
		assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD);
		assert_int_equal(mss_at(&p, at), 1360);
		at = make_syn(&p, from, END(REMOTE, 80), ACK, nops, 1460);
		assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD);
		assert_int_equal(mss_at(&p, at), 1460);
	}
}

/* Options that lie about their length are left alone, and not read beyond the header. */
static void odd_options(void **state)
{
	static const uint8_t options[][12] = {
		{0, 2, 4, 5, 180},			/* behind the end */
		{2, 3, 5, 180, 1, 1, 1, 1, 1, 1, 1, 1}, /* wrong length */
		{3, 0, 2, 4, 5, 180},			/* would never end */
		{3, 1, 2, 4, 5, 180},
		{3, 13, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, /* beyond the header */
		{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2},
		{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4},
	};
	struct fixture *f = *state;
	struct packet p;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		make_syn(&p, END(GUEST, 5000), END(REMOTE, 80), SYN, 0, 0);
		memcpy(p.head + p.l4_offset + 20, options[i], 12);
		fill_checksum(&p);
		assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD);
		assert_memory_equal(p.head + p.l4_offset + 20, options[i], 12);
	}
}

/* Frames for the pieces run out: nothing is sent by halves. */
static void no_room_for_the_pieces(void **state)
{
	struct fixture *f = *state;
	struct packet p, *taken;
	enum nat_verdict verdict;

	for (int i = 0; i < 5; i++) {
		struct packet *packet = &p;

		make_udp(&p, END(GUEST, 5000), END(REMOTE, 53), 20);
		lengthen(&p, 65535, false);
		nat_out_burst(f->nat, &packet, &verdict, 1, f->now_ns);
		/* 48 frames each. */
		assert_int_equal(verdict, NAT_VERDICT_KEPT);
	}
	assert_null(nat_check(f->nat));
	make_udp(&p, END(GUEST, 5000), END(REMOTE, 53), 20);
	lengthen(&p, 65535, false);
	assert_dropped(f, send_out(f, &p), &p, NAT_DROP_TOO_BIG);
	while (nat_take(f->nat, &taken, &verdict, 1) == 1)
		;
	make_udp(&p, END(GUEST, 5000), END(REMOTE, 53), 20);
	lengthen(&p, 65535, false);
	assert_int_equal(send_out(f, &p), NAT_VERDICT_KEPT);
	reassemble(f, &p, MTU_OUT, NAT_VERDICT_WORLD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(too_big_with_df, setup, fixture_tear_down),
		cmocka_unit_test_setup_teardown(cut_without_df, setup, fixture_tear_down),
		cmocka_unit_test_setup_teardown(fragments_are_cut_again, setup, fixture_tear_down),
		cmocka_unit_test_setup_teardown(identifications_differ, setup, fixture_tear_down),
		cmocka_unit_test_setup_teardown(gso, setup, fixture_tear_down),
		cmocka_unit_test_setup_teardown(mss_is_clamped, setup, fixture_tear_down),
		cmocka_unit_test_setup_teardown(odd_options, setup, fixture_tear_down),
		cmocka_unit_test_setup_teardown(no_room_for_the_pieces, setup, fixture_tear_down),
	};

	return cmocka_run_group_tests_name("mtu", tests, NULL, NULL);
}
