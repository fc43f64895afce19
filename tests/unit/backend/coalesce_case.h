/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one property that matters: what is joined and then cut again, by segment.c as the kernel
 * would, is what was put in, byte for byte and in order within a flow. Joined frames are compared
 * with the plain lists of what went in.
 */
#pragma once

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
#define PAIRS 64
#define PORTS 16 /* of each pair, from 4000 */
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
	bool fragment; /* the first one, as long as if it were the whole */
	uint16_t port;
	uint16_t id;
	uint16_t payload;
	uint32_t sequence;
	uint32_t acknowledgement;
	uint16_t window;
};

struct bytes {
	uint32_t length;
	uint32_t before; /* frames between its addresses that were put in earlier */
	uint8_t data[COALESCE_FRAME_MAX];
};

/* What went in, and how much of it has come out. */
struct flow {
	struct bytes *in;
	uint32_t in_count;
	uint32_t out_count;
};

struct fixture {
	struct coalesce *coalesce;
	struct flow flows[FLOWS];
	uint32_t pair_in[PAIRS]; /* frames put in between these addresses */
	uint32_t pair_out[PAIRS];
	uint32_t listed;  /* of all flows */
	uint32_t written; /* frames handed to the kernel */
	uint64_t now_ns;
};

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	assert_int_equal(coalesce_new(true, true, &f->coalesce), 0);
	f->now_ns = 1000;
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	coalesce_free(f->coalesce);
	coalesce_free(NULL);
	for (int i = 0; i < FLOWS; i++)
		free(f->flows[i].in);
	free(f);
	return 0;
}

static inline void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static inline void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value);
}

/* Writes the frame with complete checksums; returns its length. */
static inline uint32_t build(const struct wish *w, uint8_t *b)
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
	ip[6] = (uint8_t)((w->fragmentable ? 0 : 0x40) | (w->fragment ? 0x20 : 0));
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
static inline void make_partial(const struct wish *w, uint8_t *b, uint32_t length)
{
	uint8_t *ip = b +
		      (length - w->payload - (w->protocol == IPPROTO_UDP ? 8 : 20u + w->options)) -
		      20;
	uint32_t l4_length = length - (uint32_t)(ip + 20 - b);
	put16(ip + 20 + (w->protocol == IPPROTO_UDP ? 6 : 16),
		frame_sum(w->protocol + l4_length, ip + 12, 8));
}

/* With DF the identification means nothing (RFC 6864): cutting counts it up from the first's. */
static inline void forget_id(uint8_t *bytes)
{
	uint8_t *ip = bytes + (bytes[12] == 0x81 ? L3 + 4 : L3);
	if (!(ip[6] & 0x40))
		return;
	assert_int_equal(frame_sum(0, ip, 20), 0xffff);
	put16(ip + 4, 0);
	put16(ip + 10, 0);
}

static inline uint32_t flow_of(uint32_t pair, uint32_t port)
{
	assert_true(pair < PAIRS && port >= 4000 && port < 4000 + PORTS);
	return pair * PORTS + port - 4000;
}

/* Compares one frame, complete, with the next that went in of its flow. A fragment leaves neither
 * before what came earlier between its addresses nor behind what came later. */
static inline void list_out(struct fixture *f, struct packet *p)
{
	static uint8_t bytes[PACKET_LENGTH_MAX];
	assert_int_equal(checksum_complete(p), 0);
	uint32_t length = frame_bytes(p, bytes, sizeof(bytes));
	uint32_t port = (uint32_t)bytes[p->l4_offset] << 8 | bytes[p->l4_offset + 1];
	uint32_t pair = bytes[p->l3_offset + 15] - 2u;
	struct flow *flow = &f->flows[flow_of(pair, port)];
	assert_true(flow->out_count < flow->in_count);
	struct bytes *expected = &flow->in[flow->out_count++];
	if (p->flags & PACKET_FRAGMENT)
		assert_int_equal(f->pair_out[pair], expected->before);
	f->pair_out[pair]++;
	assert_int_equal(length, expected->length);
	forget_id(bytes);
	forget_id(expected->data);
	assert_memory_equal(bytes, expected->data, length);
}

static inline void kernel_takes(struct fixture *f, const struct packet *frame, uint16_t frames)
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

static inline void take(struct fixture *f, bool all)
{
	const struct packet *ready[7];
	uint16_t frames[7], count;
	do {
		count = coalesce_take(f->coalesce, f->now_ns, all, ready, frames, 7);
		for (uint16_t i = 0; i < count; i++)
			kernel_takes(f, ready[i], frames[i]);
	} while (count == 7);
}

/* What is due, by a look at every entry. */
static inline uint64_t due_of_all(const struct coalesce *coalesce)
{
	uint16_t waiting = 0;
	uint64_t due = UINT64_MAX;
	for (unsigned int i = 0; i < COALESCE_ENTRIES; i++) {
		const struct coalesce_entry *entry = &coalesce->entries[i];
		if (!entry->open || entry->packet.l4_protocol != IPPROTO_TCP)
			continue;
		uint64_t gap = entry->last_ns + COALESCE_GAP_NS;
		uint64_t hold = entry->first_ns + COALESCE_HOLD_NS;
		due = gap < due ? gap : due;
		due = hold < due ? hold : due;
		waiting++;
	}
	return waiting + coalesce->free_count < COALESCE_ENTRIES ? 0 : due;
}

/* The next place in the list of what went in. */
static inline struct bytes *listed_next(struct fixture *f, const struct wish *w)
{
	struct flow *flow = &f->flows[flow_of(w->pair, w->port)];
	if (!(flow->in_count & (flow->in_count - 1))) { /* the list is full: a power of two */
		size_t room = flow->in_count ? 2 * flow->in_count : 1;
		flow->in = realloc(flow->in, room * sizeof(*flow->in));
		assert_non_null(flow->in);
	}
	struct bytes *listed = &flow->in[flow->in_count++];
	listed->before = f->pair_in[w->pair]++;
	f->listed++;
	return listed;
}

static inline void add(struct fixture *f, const struct wish *w)
{
	struct bytes *listed = listed_next(f, w);
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
static inline void finish(struct fixture *f, uint32_t written)
{
	take(f, true);
	for (int i = 0; i < FLOWS; i++)
		assert_int_equal(f->flows[i].out_count, f->flows[i].in_count);
	assert_int_equal(f->written, written);
	assert_int_equal(f->coalesce->free_count, COALESCE_ENTRIES);
	assert_int_equal(f->coalesce->open_count, 0);
	for (unsigned int i = 0; i < COALESCE_HEADS; i++)
		assert_null(f->coalesce->heads[i]);
	assert_int_equal(coalesce_due_ns(f->coalesce), UINT64_MAX);
}

static inline struct wish tcp(uint32_t sequence, uint16_t payload)
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

static inline struct wish udp(uint16_t number, uint16_t payload)
{
	return (struct wish){.protocol = IPPROTO_UDP,
		.port = 4000,
		.payload = payload,
		.id = number,
		.sequence = number};
}
