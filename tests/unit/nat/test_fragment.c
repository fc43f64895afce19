/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams in pieces: cut here, put together here, whatever order they took through the NAT.
 */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#include "backend/parse.h"
#include "nat/nat_private.h"

#define PIECES_MAX 64

/* A datagram as it left, and its pieces. */
struct datagram {
	uint8_t l4[65536]; /* header and payload, checksum right */
	uint32_t length;   /* of l4 */
	uint16_t id;
	uint8_t protocol;
	struct end from, to;
	uint32_t piece; /* bytes of l4 in each */
};

/* What the receiver has. */
struct reassembly {
	uint8_t l4[65536];
	uint32_t seen; /* bytes */
	uint16_t id;
	uint32_t addresses[2]; /* network byte order */
};

static uint32_t sum16(const uint8_t *data, size_t length, uint32_t sum)
{
	for (size_t i = 0; i < length; i++) {
		sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* The sum over pseudo-header and datagram: 0xffff when right. */
static uint32_t whole_sum(
	const uint32_t addresses[2], uint8_t protocol, const uint8_t *l4, uint32_t length)
{
	const uint8_t tail[4] = {0, protocol, (uint8_t)(length >> 8), (uint8_t)length};
	uint32_t sum = 0;

	if (protocol == IPPROTO_UDP) {
		sum = sum16((const uint8_t *)addresses, 8, sum);
		sum = sum16(tail, 4, sum);
	}
	return sum16(l4, length, sum);
}

static void make(struct datagram *d, uint8_t protocol, struct end from, struct end to,
	uint32_t length, uint32_t piece, uint16_t id)
{
	uint32_t addresses[2] = {ip(from.address), ip(to.address)};
	uint32_t at = protocol == IPPROTO_UDP ? 6 : 2, checksum;

	*d = (struct datagram){.length = length,
		.id = id,
		.protocol = protocol,
		.from = from,
		.to = to,
		.piece = piece};
	for (uint32_t i = 8; i < length; i++)
		d->l4[i] = (uint8_t)random();
	if (protocol == IPPROTO_UDP) {
		uint16_t header[3] = {htons(from.port), htons(to.port), htons((uint16_t)length)};

		memcpy(d->l4, header, 6);
	} else if (protocol == IPPROTO_ICMP) {
		d->l4[0] = from.port != 0 ? 8 : 0;
		d->l4[4] = (uint8_t)((from.port | to.port) >> 8);
		d->l4[5] = (uint8_t)(from.port | to.port);
	}
	checksum = ~whole_sum(addresses, protocol, d->l4, length);
	d->l4[at] = (uint8_t)(checksum >> 8);
	d->l4[at + 1] = (uint8_t)checksum;
}

static uint32_t pieces_of(const struct datagram *d)
{
	return (d->length + d->piece - 1) / d->piece;
}

/* Piece `n` as a frame whose bytes behind the first 64 lie elsewhere. */
static void cut(const struct datagram *d, uint32_t n, struct packet *p)
{
	static uint8_t rest[PIECES_MAX][65536];
	static struct iovec segments[PIECES_MAX];
	static uint32_t next;
	uint8_t frame[14 + 20 + 65536] = {[12] = 8, [14] = 0x45, [22] = 64, [23] = d->protocol};
	uint32_t offset = n * d->piece, slot = next++ % PIECES_MAX;
	uint32_t length = d->length - offset < d->piece ? d->length - offset : d->piece;
	uint16_t word = (uint16_t)(offset / 8 | (offset + length < d->length ? 0x2000 : 0));
	uint32_t addresses[2] = {ip(d->from.address), ip(d->to.address)}, checksum;
	uint16_t fields[3] = {htons((uint16_t)(20 + length)), htons(d->id), htons(word)};

	memcpy(frame + 16, fields, 6);
	memcpy(frame + 26, addresses, 8);
	checksum = ~sum16(frame + 14, 20, 0);
	frame[24] = (uint8_t)(checksum >> 8);
	frame[25] = (uint8_t)checksum;
	memcpy(frame + 34, d->l4 + offset, length);

	memset(p, 0, sizeof(*p));
	p->length = 34 + length;
	p->head_length = (uint16_t)(p->length < 64 ? p->length : 64);
	memcpy(p->head, frame, p->head_length);
	memcpy(rest[slot], frame + p->head_length, p->length - p->head_length);
	segments[slot] = (struct iovec){rest[slot], p->length - p->head_length};
	p->segments = &segments[slot];
	p->segment_count = p->length > p->head_length ? 1 : 0;
	parse_packet(p);
	assert_true(p->flags & PACKET_FRAGMENT);
}

/* The receiver's side. */
static void add(struct reassembly *r, const struct packet *p)
{
	uint16_t word, id;
	uint32_t length = p->l3_length - 20;

	assert_checksums(p);
	memcpy(&word, p->head + 20, 2);
	memcpy(&id, p->head + 18, 2);
	word = (uint16_t)((ntohs(word) & 0x1fff) * 8);
	assert_int_equal(packet_read(p, 34, r->l4 + word, length), 0);
	if (r->seen > 0) {
		assert_int_equal(r->id, id);
		assert_memory_equal(r->addresses, p->head + 26, 8);
	}
	r->id = id;
	memcpy(r->addresses, p->head + 26, 8);
	r->seen += length;
}

static void take(struct fixture *f, struct reassembly *r, enum nat_verdict want)
{
	struct packet *packets[5];
	enum nat_verdict verdicts[5];
	uint16_t n;

	while ((n = nat_take(f->nat, packets, verdicts, 5)) > 0) {
		for (uint16_t i = 0; i < n; i++) {
			assert_int_equal(verdicts[i], want);
			add(r, packets[i]);
		}
	}
	assert_null(nat_check(f->nat));
}

/* Sends the pieces in the given order; all must arrive, as one right datagram. */
static void send_pieces(struct fixture *f, const struct datagram *d, const uint32_t *order,
	enum flow_direction direction, enum nat_verdict want, struct reassembly *r)
{
	memset(r, 0, sizeof(*r));
	for (uint32_t i = 0; i < pieces_of(d); i++) {
		enum nat_verdict verdict;
		struct packet p, *packet = &p;

		cut(d, order[i], &p);
		if (direction == FLOW_OUT)
			nat_out_burst(f->nat, &packet, &verdict, 1, f->now_ns);
		else
			nat_in_burst(f->nat, &packet, &verdict, 1, f->now_ns);
		if (verdict != NAT_VERDICT_KEPT) {
			assert_int_equal(verdict, want);
			add(r, &p);
		} else {
			/* Its memory is not borrowed any longer. */
			memset(p.head, 0xdd, sizeof(p.head));
			if (p.segment_count > 0)
				memset(p.segments[0].iov_base, 0xdd, p.segments[0].iov_len);
		}
		take(f, r, want);
	}
	assert_int_equal(r->seen, d->length);
	assert_int_equal(whole_sum(r->addresses, d->protocol, r->l4, d->length), 0xffff);
	assert_memory_equal(r->l4 + 8, d->l4 + 8, d->length - 8);
}

static void order_of(uint32_t *order, uint32_t n, int kind)
{
	for (uint32_t i = 0; i < n; i++)
		order[i] = kind == 1 ? n - 1 - i : i;
	for (uint32_t i = n - 1; kind == 2 && i > 0; i--) {
		uint32_t j = (uint32_t)random() % (i + 1), swap = order[i];

		order[i] = order[j];
		order[j] = swap;
	}
}

/* In order, in reverse order, in any order; out and in; a session there already or not. */
static void any_order_both_ways(void **state)
{
	struct fixture *f = *state;
	static struct reassembly r;
	static struct datagram d;
	uint32_t order[PIECES_MAX];
	struct packet p;

	udp_out(f, &p, END(GUEST2, 5000), END(REMOTE, 7)); /* so that the port changes */
	for (uint16_t round = 0; round < 60; round++) {
		uint32_t length = 1500 + (uint32_t)random() % 8000;
		uint16_t port;

		make(&d, IPPROTO_UDP, END(GUEST, 5000), END(REMOTE, (uint16_t)(7 + round / 9)),
			length, 8 * (20 + (uint32_t)random() % 160), round);
		if (pieces_of(&d) > PIECES_MAX)
			continue;
		order_of(order, pieces_of(&d), round % 3);
		send_pieces(f, &d, order, FLOW_OUT, NAT_VERDICT_WORLD, &r);
		assert_int_equal(r.addresses[0], ip(OUTSIDE));
		port = (uint16_t)(r.l4[0] << 8 | r.l4[1]);
		assert_int_not_equal(port, 5000);

		make(&d, IPPROTO_UDP, d.to, END(OUTSIDE, port), length, d.piece, round);
		send_pieces(f, &d, order, FLOW_IN, NAT_VERDICT_INSIDE, &r);
		assert_int_equal(r.addresses[1], ip(GUEST));
		assert_int_equal(r.l4[2] << 8 | r.l4[3], 5000);
		assert_int_equal(r.id, htons(round)); /* not ours to change */
	}
	assert_int_equal(nat_counters(f->nat)->drops[NAT_DROP_FRAGMENT], 0);
}

/* ping -s 60000, whose last piece may come first. */
static void large_ping(void **state)
{
	struct fixture *f = *state;
	static struct reassembly r;
	static struct datagram d;
	uint32_t order[PIECES_MAX];

	for (uint16_t kind = 0; kind < 3; kind++) {
		make(&d, IPPROTO_ICMP, END(GUEST, 77), END(REMOTE, 0), 60008, 1480, kind);
		order_of(order, pieces_of(&d), kind);
		send_pieces(f, &d, order, FLOW_OUT, NAT_VERDICT_WORLD, &r);
		make(&d, IPPROTO_ICMP, END(REMOTE, 0), END(OUTSIDE, 77), 60008, 1480, kind);
		send_pieces(f, &d, order, FLOW_IN, NAT_VERDICT_INSIDE, &r);
	}
}

static void hairpin(void **state)
{
	struct fixture *f = *state;
	static struct reassembly r;
	static struct datagram d;
	uint32_t order[PIECES_MAX];
	struct packet p;

	udp_out(f, &p, END(GUEST2, 3000), END(OUTSIDE, 9));
	for (uint16_t kind = 0; kind < 3; kind++) {
		make(&d, IPPROTO_UDP, END(GUEST, 2000), END(OUTSIDE, 3000), 5000, 1480, kind);
		order_of(order, pieces_of(&d), kind);
		send_pieces(f, &d, order, FLOW_OUT, NAT_VERDICT_INSIDE, &r);
		assert_int_equal(r.addresses[0], ip(OUTSIDE));
		assert_int_equal(r.addresses[1], ip(GUEST2));
	}
}

static void protocols_without_ports(void **state)
{
	struct fixture *f = *state;
	static struct datagram d;
	struct packet p;

	make(&d, 47, END(GUEST, 0), END(REMOTE, 0), 4000, 1480, 3);
	for (int n = 2; n >= 0; n--) {
		cut(&d, (uint32_t)n, &p);
		assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD);
		assert_string_equal(source_of(&p).address, OUTSIDE);
	}
}

/* Two guests with the same identification must not be mixed up behind one address. */
static void identifications_differ(void **state)
{
	struct fixture *f = *state;
	static struct reassembly a, b;
	static struct datagram d;
	uint32_t order[PIECES_MAX];

	order_of(order, 3, 0);
	make(&d, IPPROTO_UDP, END(GUEST, 1), END(REMOTE, 2), 4000, 1480, 99);
	send_pieces(f, &d, order, FLOW_OUT, NAT_VERDICT_WORLD, &a);
	make(&d, IPPROTO_UDP, END(GUEST2, 1), END(REMOTE, 2), 4000, 1480, 99);
	send_pieces(f, &d, order, FLOW_OUT, NAT_VERDICT_WORLD, &b);
	assert_int_not_equal(a.id, b.id);
}

static enum nat_verdict send_piece(
	struct fixture *f, const struct datagram *d, uint32_t n, enum flow_direction direction)
{
	struct packet p;

	cut(d, n, &p);
	return direction == FLOW_OUT ? send_out(f, &p) : send_in(f, &p);
}

static uint64_t dropped(const struct fixture *f)
{
	return nat_counters(f->nat)->drops[NAT_DROP_FRAGMENT];
}

/* Pieces without a first one wait two seconds, and no longer. */
static void waiting_ends(void **state)
{
	struct fixture *f = *state;
	static struct reassembly r;
	static struct datagram d;

	make(&d, IPPROTO_UDP, END(GUEST, 1), END(REMOTE, 2), 4000, 1480, 1);
	assert_true(nat_is_idle(f->nat));
	assert_int_equal(send_piece(f, &d, 1, FLOW_OUT), NAT_VERDICT_KEPT);
	assert_int_equal(send_piece(f, &d, 2, FLOW_OUT), NAT_VERDICT_KEPT);
	assert_false(nat_is_idle(f->nat));
	f->now_ns += FRAGMENT_WAIT_NS;

	for (int i = 0; i < FRAGMENT_DATAGRAMS / FRAGMENT_STEPS; i++)
		nat_tick(f->nat, f->now_ns);
	assert_int_equal(dropped(f), 2);
	assert_true(nat_is_idle(f->nat));

	assert_int_equal(send_piece(f, &d, 0, FLOW_OUT), NAT_VERDICT_WORLD);
	take(f, &r, NAT_VERDICT_WORLD);
	assert_int_equal(r.seen, 0);
	/* Those behind a known first one have more time. */
	f->now_ns += FRAGMENT_LIFE_NS - SECOND;
	assert_int_equal(send_piece(f, &d, 1, FLOW_OUT), NAT_VERDICT_WORLD);
	f->now_ns += SECOND;
	assert_int_equal(send_piece(f, &d, 2, FLOW_OUT), NAT_VERDICT_KEPT);
}

/* Nobody takes more than the buffer; live traffic goes on; all of it comes back. */
static void floods_are_bounded(void **state)
{
	struct fixture *f = *state;
	static struct reassembly r;
	static struct datagram d;
	uint32_t order[PIECES_MAX], kept = 0;

	for (uint32_t i = 0; i < 20000; i++) {
		enum nat_verdict verdict;
		struct packet p, *packet = &p;

		make(&d, IPPROTO_UDP, END(i % 2 ? REMOTE : REMOTE2, 1), END(OUTSIDE, 2), 80, 40,
			(uint16_t)(i / 3));
		cut(&d, 1, &p);
		nat_in_burst(f->nat, &packet, &verdict, 1, f->now_ns);
		kept += verdict == NAT_VERDICT_KEPT;
	}
	assert_null(nat_check(f->nat));
	assert_in_range(kept, FRAGMENT_WAITING_ALL, 20000);
	/* What is left of the frames is for those that need one at once. */
	assert_in_range(f->nat->fragments.waiting, 1, OUTBOX_FRAMES - 100);
	assert_int_equal(dropped(f), 20000 - FRAGMENT_WAITING_ALL);
	order_of(order, 3, 0);
	make(&d, IPPROTO_UDP, END(GUEST, 1), END(REMOTE, 2), 4000, 1480, 1);
	send_pieces(f, &d, order, FLOW_OUT, NAT_VERDICT_WORLD, &r);
	f->now_ns += FRAGMENT_WAIT_NS;
	for (int i = 0; i < FRAGMENT_DATAGRAMS / FRAGMENT_STEPS; i++)
		nat_tick(f->nat, f->now_ns);
	assert_int_equal(dropped(f), 20000);
	order_of(order, 3, 1);
	make(&d, IPPROTO_UDP, END(GUEST, 1), END(REMOTE, 2), 4000, 1480, 2);
	send_pieces(f, &d, order, FLOW_OUT, NAT_VERDICT_WORLD, &r);
}

static void one_datagram_has_a_limit(void **state)
{
	struct fixture *f = *state;
	static struct datagram d;

	make(&d, IPPROTO_UDP, END(GUEST, 1), END(REMOTE, 2), 8000, 80, 1);
	for (uint32_t i = 1; i <= FRAGMENT_WAITING_MAX; i++)
		assert_int_equal(send_piece(f, &d, i, FLOW_OUT), NAT_VERDICT_KEPT);
	assert_int_equal(send_piece(f, &d, FRAGMENT_WAITING_MAX + 1, FLOW_OUT), NAT_VERDICT_DROP);
	assert_int_equal(dropped(f), 1);
}

static void expect_dropped(struct fixture *f, struct packet *p)
{
	uint64_t before = dropped(f);

	assert_int_equal(send_out(f, p), NAT_VERDICT_DROP);
	assert_int_equal(p->reason, NAT_DROP_FRAGMENT);
	assert_int_equal(dropped(f), before + 1);
}

static void malicious_pieces(void **state)
{
	struct fixture *f = *state;
	static struct datagram d;
	struct packet p;

	/* RFC 1858: too short for the ports. */
	make(&d, IPPROTO_TCP, END(GUEST, 1), END(REMOTE, 2), 64, 16, 1);
	cut(&d, 0, &p);
	expect_dropped(f, &p);
	/* RFC 3128: over the first one. */
	make(&d, IPPROTO_UDP, END(GUEST, 1), END(REMOTE, 2), 256, 64, 2);
	assert_int_equal(send_piece(f, &d, 0, FLOW_OUT), NAT_VERDICT_WORLD);
	d.piece = 8;
	cut(&d, 1, &p);
	expect_dropped(f, &p);
	cut(&d, 7, &p);
	expect_dropped(f, &p);
	cut(&d, 8, &p);
	assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD);
	/* Another first one with other ports. */
	d.piece = 64;
	d.l4[1] ^= 1;
	cut(&d, 0, &p);
	expect_dropped(f, &p);
	/* Not a multiple of eight, and not the last one. */
	d.piece = 60;
	d.id = 9;
	cut(&d, 0, &p);
	expect_dropped(f, &p);
	/* Overlap of one that waited. */
	make(&d, IPPROTO_UDP, END(GUEST, 1), END(REMOTE, 2), 256, 8, 3);
	assert_int_equal(send_piece(f, &d, 2, FLOW_OUT), NAT_VERDICT_KEPT);
	d.piece = 64;
	assert_int_equal(send_piece(f, &d, 0, FLOW_OUT), NAT_VERDICT_WORLD);
	assert_int_equal(dropped(f), 6);
}

/* What the filter refuses takes its pieces with it. */
static void refused_first(void **state)
{
	struct fixture *f = *state;
	static struct reassembly r;
	static struct datagram d;

	make(&d, IPPROTO_UDP, END(REMOTE, 1), END(OUTSIDE, 2), 4000, 1480, 1);
	assert_int_equal(send_piece(f, &d, 1, FLOW_IN), NAT_VERDICT_KEPT);
	assert_int_equal(send_piece(f, &d, 0, FLOW_IN), NAT_VERDICT_DROP);
	assert_int_equal(nat_counters(f->nat)->drops[NAT_DROP_NO_MAPPING], 1);
	assert_int_equal(dropped(f), 1);
	r.seen = 0;
	take(f, &r, NAT_VERDICT_INSIDE);
	assert_int_equal(r.seen, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			any_order_both_ways, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(large_ping, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(hairpin, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			protocols_without_ports, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			identifications_differ, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(waiting_ends, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			floods_are_bounded, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			one_datagram_has_a_limit, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			malicious_pieces, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(refused_first, fixture_set_up, fixture_tear_down),
	};

	return cmocka_run_group_tests_name("fragment", tests, NULL, NULL);
}
