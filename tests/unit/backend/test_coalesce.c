/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one property that matters: what is joined and then cut again, by segment.c as the kernel
 * would, is what was put in, byte for byte and in order within a flow. Joined frames are compared
 * with the plain list of what went in.
 */
#include "tests/unit/frame.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "backend/checksum_complete.h"
#include "backend/coalesce.h"
#include "backend/parse.h"
#include "backend/parse_vnet.h"
#include "backend/segment.h"

#define L3 14
#define L4 34
#define ACK 0x10
#define PSH 0x08
#define FIN 0x01
#define SYN 0x02
#define LISTED_MAX 8192
#define PAIRS 4
#define PORTS 3 /* of each pair, from 4000 */
#define FLOWS (PAIRS * PORTS)

/* A frame as the test wants it. */
struct wish {
	uint8_t pair; /* which two addresses: 0 to PAIRS - 1 */
	uint8_t protocol;
	uint8_t flags; /* TCP */
	uint8_t tos;
	uint8_t options; /* TCP, bytes */
	uint8_t option_value;
	bool fragmentable; /* DF clear */
	bool partial;	   /* the checksum is left to others */
	bool wrong;	   /* the complete checksum is */
	bool no_checksum;  /* UDP without one */
	bool tagged;
	uint16_t port;
	uint16_t id;
	uint16_t payload;
	uint32_t sequence;
	uint32_t acknowledgement;
	uint16_t window;
};

struct bytes {
	uint32_t length;
	uint8_t data[COALESCE_FRAME_MAX];
};

struct fixture {
	struct coalesce *coalesce;
	struct bytes *in[FLOWS];
	uint32_t in_count[FLOWS];
	uint32_t out_count[FLOWS];
	uint32_t listed;  /* of all flows */
	uint32_t written; /* frames handed to the kernel */
	uint64_t now_ns;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	assert_int_equal(coalesce_new(true, true, &f->coalesce), 0);
	for (int i = 0; i < FLOWS; i++)
		assert_non_null(f->in[i] = calloc(LISTED_MAX, sizeof(*f->in[i])));
	f->now_ns = 1000;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	coalesce_free(f->coalesce);
	coalesce_free(NULL);
	for (int i = 0; i < FLOWS; i++)
		free(f->in[i]);
	free(f);
	return 0;
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value);
}

/* Writes the frame with complete checksums; returns its length. */
static uint32_t build(const struct wish *w, uint8_t *b)
{
	uint32_t header = w->protocol == IPPROTO_UDP ? 8 : 20u + w->options;
	uint32_t tag = w->tagged ? 4 : 0, length = tag + L4 + header + w->payload;
	uint8_t *ip = b + tag + L3, *l4 = b + tag + L4;
	memset(b, 0, length);
	memset(b, 0x52, 12);
	put16(b + 12, w->tagged ? 0x8100 : 0x0800);
	put16(ip - 2, 0x0800);
	ip[0] = 0x45;
	ip[1] = w->tos;
	put16(ip + 2, 20 + header + w->payload);
	put16(ip + 4, w->id);
	ip[6] = w->fragmentable ? 0 : 0x40;
	ip[8] = 64;
	ip[9] = w->protocol;
	put32(ip + 12, 0xac100002u + w->pair);
	put32(ip + 16, 0xc6336402u);
	put16(ip + 10, ~frame_sum(0, ip, 20));
	put16(l4, w->port);
	put16(l4 + 2, 80);
	for (uint32_t i = 0; i < w->payload; i++)
		l4[header + i] = (uint8_t)(w->sequence + 3 * i + (i >> 8));
	uint32_t sum = frame_sum(w->protocol + header + w->payload, ip + 12, 8);
	if (w->protocol == IPPROTO_UDP) {
		put16(l4 + 4, 8u + w->payload);
		sum = ~frame_sum(sum, l4, header + w->payload) & 0xffff;
		put16(l4 + 6, w->no_checksum ? 0 : sum ? sum : 0xffff);
		return length;
	}
	put32(l4 + 4, w->sequence);
	put32(l4 + 8, w->acknowledgement);
	l4[12] = (uint8_t)((20 + w->options) << 2);
	l4[13] = w->flags;
	put16(l4 + 14, w->window);
	memset(l4 + 20, w->option_value, w->options);
	put16(l4 + 16, ~frame_sum(sum, l4, header + w->payload));
	return length;
}

/* The same with the sum of the pseudo-header only. */
static void make_partial(const struct wish *w, uint8_t *b, uint32_t length)
{
	uint8_t *ip = b +
		      (length - w->payload - (w->protocol == IPPROTO_UDP ? 8 : 20u + w->options)) -
		      20;
	uint32_t l4_length = length - (uint32_t)(ip + 20 - b);
	put16(ip + 20 + (w->protocol == IPPROTO_UDP ? 6 : 16),
		frame_sum(w->protocol + l4_length, ip + 12, 8));
}

/* With DF the identification means nothing (RFC 6864): cutting counts it up from the first's. */
static void forget_id(uint8_t *bytes)
{
	uint8_t *ip = bytes + (bytes[12] == 0x81 ? L3 + 4 : L3);
	if (!(ip[6] & 0x40))
		return;
	assert_int_equal(frame_sum(0, ip, 20), 0xffff);
	put16(ip + 4, 0);
	put16(ip + 10, 0);
}

/* Compares one frame, complete, with the next that went in between its addresses. */
static void list_out(struct fixture *f, struct packet *p)
{
	static uint8_t bytes[PACKET_LENGTH_MAX];
	assert_int_equal(checksum_complete(p), 0);
	uint32_t length = frame_bytes(p, bytes, sizeof(bytes));
	uint32_t port = (uint32_t)bytes[p->l4_offset] << 8 | bytes[p->l4_offset + 1];
	uint32_t flow = (bytes[p->l3_offset + 15] - 2u) * PORTS + port - 4000;
	assert_true(flow < FLOWS && f->out_count[flow] < f->in_count[flow]);
	struct bytes *expected = &f->in[flow][f->out_count[flow]++];
	assert_int_equal(length, expected->length);
	forget_id(bytes);
	forget_id(expected->data);
	assert_memory_equal(bytes, expected->data, length);
}

static void kernel_takes(struct fixture *f, const struct packet *frame, uint16_t frames)
{
	struct packet copy = *frame, piece;
	struct segmenter segmenter;
	struct iovec storage[4];
	uint16_t pieces = 0;

	f->written++;
	/* What the kernel checks. */
	parse_packet(&copy);
	assert_int_equal(copy.flags, frame->flags);
	assert_int_equal(copy.l3_length, frame->l3_length);
	assert_int_equal(parse_vnet_host(&copy), 0);
	assert_int_equal(copy.vnet.gso_type, frame->vnet.gso_type);
	assert_int_equal(frame->vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE, frames > 1);
	if (frames == 1) {
		list_out(f, &copy);
		return;
	}
	assert_int_equal(segment_init(&segmenter, frame, PACKET_LENGTH_MAX), 0);
	while (segment_next(&segmenter, &piece, storage, 4) == 1) {
		list_out(f, &piece);
		pieces++;
	}
	assert_int_equal(pieces, frames);
}

static void take(struct fixture *f, bool all)
{
	const struct packet *ready[7];
	uint16_t frames[7], count;
	do {
		count = coalesce_take(f->coalesce, f->now_ns, all, ready, frames, 7);
		for (uint16_t i = 0; i < count; i++)
			kernel_takes(f, ready[i], frames[i]);
	} while (count == 7);
}

static void add(struct fixture *f, const struct wish *w)
{
	uint32_t flow = w->pair * PORTS + w->port - 4000u;
	assert_true(flow < FLOWS && f->in_count[flow] < LISTED_MAX);
	struct bytes *listed = &f->in[flow][f->in_count[flow]++];
	f->listed++;
	uint8_t sent[COALESCE_FRAME_MAX];
	listed->length = build(w, listed->data);
	if (w->wrong)
		listed->data[listed->length - 1] ^= 0x55;
	memcpy(sent, listed->data, listed->length);
	if (w->partial)
		make_partial(w, sent, listed->length);
	struct frame *frame = frame_new(sent, listed->length, 128, 700);
	uint16_t start = w->tagged ? L4 + 4 : L4;
	if (w->partial)
		frame->packet.vnet = (struct virtio_net_hdr_v1){
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.csum_start = start,
			.csum_offset = w->protocol == IPPROTO_UDP ? 6 : 16,
		};
	parse_packet(&frame->packet);
	assert_int_equal(parse_vnet(&frame->packet), 0);
	if (!coalesce_add(f->coalesce, &frame->packet, f->now_ns)) {
		take(f, true);
		assert_true(coalesce_add(f->coalesce, &frame->packet, f->now_ns));
	}
	/* It is a copy. */
	for (uint16_t i = 0; i < frame->blocks_count; i++)
		memset(frame->segments[i].iov_base, 0xee, frame->segments[i].iov_len);
	frame_free(frame);
}

/* All that went in has come out, in so many frames. */
static void finish(struct fixture *f, uint32_t written)
{
	take(f, true);
	for (int i = 0; i < FLOWS; i++)
		assert_int_equal(f->out_count[i], f->in_count[i]);
	assert_int_equal(f->written, written);
	assert_int_equal(f->coalesce->free_count, COALESCE_ENTRIES);
	assert_int_equal(f->coalesce->open_count, 0);
	assert_int_equal(coalesce_due_ns(f->coalesce), UINT64_MAX);
}

static struct wish tcp(uint32_t sequence, uint16_t payload)
{
	return (struct wish){.protocol = IPPROTO_TCP,
		.flags = ACK,
		.port = 4000,
		.payload = payload,
		.sequence = sequence,
		.acknowledgement = 77,
		.window = 500,
		.id = (uint16_t)(sequence / 1448)};
}

static struct wish udp(uint16_t number, uint16_t payload)
{
	return (struct wish){.protocol = IPPROTO_UDP,
		.port = 4000,
		.payload = payload,
		.id = number,
		.sequence = number};
}

static void a_stream_becomes_large_frames(void **state)
{
	struct fixture *f = *state;
	/* 45 of 1,448 bytes fit into 65,535 with headers. */
	for (uint32_t i = 0; i < 100; i++) {
		struct wish w = tcp(0xffff0000u + i * 1448, 1448);
		w.partial = i % 3 == 0;
		w.options = 12;
		w.id = (uint16_t)(65500 + i);
		w.fragmentable = true;
		add(f, &w);
	}
	finish(f, 3);
}

static void datagrams_become_large_frames(void **state)
{
	struct fixture *f = *state;
	for (uint16_t i = 0; i < 100; i++) {
		struct wish w = udp((uint16_t)(65500 + i), 200);
		w.partial = i % 3 == 0;
		add(f, &w);
	}
	struct wish last = udp(64, 10);
	add(f, &last);
	/* 64 of them, and 36 with the short one. */
	finish(f, 2);
}

/* What differs from a frame that could be joined, and so cannot. */
static void every_difference_counts(void **state)
{
	struct fixture *f = *state;
	struct wish base = tcp(1448, 1448), cases[16];
	unsigned int count = 0;
	base.options = 12;
	base.fragmentable = true;
#define DIFFERENT(field, value)                 \
	do {                                    \
		cases[count] = base;            \
		cases[count++].field = (value); \
	} while (0)
	DIFFERENT(flags, ACK | FIN);
	DIFFERENT(flags, ACK | 0x40); /* ECE */
	DIFFERENT(flags, ACK | 0x80); /* CWR */
	DIFFERENT(flags, SYN);
	DIFFERENT(tos, 3);
	DIFFERENT(option_value, 9);
	DIFFERENT(options, 16);
	DIFFERENT(fragmentable, false);
	DIFFERENT(wrong, true);
	DIFFERENT(tagged, true);
	DIFFERENT(port, 4001);
	DIFFERENT(id, 9);
	DIFFERENT(payload, 1449);
	DIFFERENT(sequence, 1447);
	DIFFERENT(acknowledgement, 78);
	DIFFERENT(window, 501);
	for (unsigned int i = 0; i < count; i++) {
		struct wish first = base;
		first.sequence -= 1448;
		first.id--;
		f->written = 0;
		add(f, &first);
		add(f, &cases[i]);
		finish(f, 2);
		/* The undisturbed one can. */
		f->written = 0;
		add(f, &first);
		add(f, &base);
		finish(f, 1);
	}
}

static void datagrams_that_stay_alone(void **state)
{
	struct fixture *f = *state;
	struct wish first = udp(0, 100), longer = udp(1, 101), none = udp(1, 100);
	none.no_checksum = true;
	add(f, &first);
	add(f, &longer);
	finish(f, 2);
	add(f, &none);
	add(f, &none);
	finish(f, 4);
	/* A shorter one is the last. */
	struct wish shorter = udp(1, 99);
	add(f, &first);
	add(f, &shorter);
	add(f, &shorter);
	finish(f, 6);
}

static void what_the_kernel_cannot_is_not_done(void **state)
{
	struct fixture *f = *state;
	coalesce_free(f->coalesce);
	assert_int_equal(coalesce_new(false, false, &f->coalesce), 0);
	for (uint16_t i = 0; i < 4; i++) {
		struct wish t = tcp(i * 1448u, 1448), u = udp(i, 100);
		add(f, &t);
		add(f, &u);
	}
	finish(f, 8);
}

static void how_long_it_waits(void **state)
{
	struct fixture *f = *state;
	struct wish w = tcp(0, 1448), acknowledgement = tcp(0, 0), datagram = udp(0, 100);
	uint64_t start = f->now_ns;

	/* Neither an acknowledgement nor a datagram. */
	acknowledgement.pair = 1;
	datagram.pair = 2;
	add(f, &acknowledgement);
	add(f, &datagram);
	assert_int_equal(coalesce_due_ns(f->coalesce), 0);
	take(f, false);
	assert_int_equal(f->written, 2);

	/* A segment waits for the gap, counted from the last of its flow. */
	add(f, &w);
	assert_int_equal(coalesce_due_ns(f->coalesce), start + COALESCE_GAP_NS);
	f->now_ns += COALESCE_GAP_NS - 1;
	take(f, false);
	assert_int_equal(f->written, 2);
	w = tcp(1448, 1448);
	add(f, &w);
	assert_int_equal(coalesce_due_ns(f->coalesce), f->now_ns + COALESCE_GAP_NS);
	f->now_ns += COALESCE_GAP_NS;
	take(f, false);
	assert_int_equal(f->written, 3);

	/* Not for ever, however steadily they come. */
	uint64_t first = f->now_ns;
	for (uint32_t i = 2; f->now_ns < first + COALESCE_HOLD_NS; i++) {
		w = tcp(i * 1448, 1448);
		add(f, &w);
		take(f, false);
		assert_int_equal(f->written, 3);
		f->now_ns += COALESCE_GAP_NS / 2;
	}
	take(f, false);
	assert_int_equal(f->written, 4);

	/* PSH ends it at once. */
	w = tcp(5000000, 1448);
	add(f, &w);
	w = tcp(5000000 + 1448, 1448);
	w.flags |= PSH;
	add(f, &w);
	assert_int_equal(coalesce_due_ns(f->coalesce), 0);
	take(f, false);
	finish(f, 5);
}

/* What waits is not overtaken by what does not and belongs to the same flow; others may pass. */
static void order_within_a_flow(void **state)
{
	struct fixture *f = *state;
	struct wish w = tcp(0, 1448), elsewhere = tcp(0, 0), last = tcp(1448, 0);
	elsewhere.port = 4001;
	last.flags |= FIN;
	add(f, &w);
	add(f, &elsewhere);
	take(f, false);
	assert_int_equal(f->written, 1);
	assert_int_equal(f->out_count[1], 1);
	add(f, &last);
	take(f, false);
	assert_int_equal(f->written, 3);
	/* The same behind a tag. */
	add(f, &w);
	last.tagged = true;
	add(f, &last);
	take(f, false);
	finish(f, 5);
}

static uint32_t seed;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

/* Anything in any order, with time passing. */
static void whatever_comes(void **state)
{
	struct fixture *f = *state;
	uint32_t sequence[PAIRS][3] = {{0}};
	for (seed = 1; f->listed < 20000;) {
		uint8_t pair = (uint8_t)rnd(3), flow = (uint8_t)rnd(3);
		uint32_t *at = &sequence[pair][flow];
		struct wish w = flow < 2 ? tcp(*at, 1448) : udp((uint16_t)*at, 512);
		w.pair = pair;
		w.port = (uint16_t)(4000 + flow);
		w.partial = rnd(2);
		w.options = rnd(10) ? 12 : 0;
		if (!rnd(10))
			w.payload = (uint16_t)rnd(1449);
		if (!rnd(20))
			w.flags |= (uint8_t)rnd(256);
		if (!rnd(20))
			w.window++;
		w.wrong = w.payload && !w.partial && !rnd(20);
		w.fragmentable = !rnd(30);
		w.tagged = !rnd(40);
		add(f, &w);
		*at += flow < 2 ? w.payload : 1u;
		if (!rnd(20))
			*at += 100;
		f->now_ns += rnd(3000);
		if (!rnd(4))
			take(f, false);
	}
	take(f, true);
	for (int i = 0; i < FLOWS; i++)
		assert_int_equal(f->out_count[i], f->in_count[i]);
	/* It was worth it. */
	assert_in_range(f->written, 1000, 15000);
}

int main(void)
{
#define COALESCE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		COALESCE_TEST(a_stream_becomes_large_frames),
		COALESCE_TEST(datagrams_become_large_frames),
		COALESCE_TEST(every_difference_counts),
		COALESCE_TEST(datagrams_that_stay_alone),
		COALESCE_TEST(what_the_kernel_cannot_is_not_done),
		COALESCE_TEST(how_long_it_waits),
		COALESCE_TEST(order_within_a_flow),
		COALESCE_TEST(whatever_comes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
