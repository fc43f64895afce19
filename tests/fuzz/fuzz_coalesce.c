/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of a few flows, all of whose bytes the input can change, on their way into the TAP, with
 * time passing. What is joined is cut again by segment.c, as the kernel would; then each frame must
 * come out once, as it went in, behind all that its flow sent before. A fragment may be of any flow
 * between its addresses: it neither overtakes one of those nor is overtaken.
 *
 * The input is a row of struct step.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "backend/checksum_complete.h"
#include "backend/coalesce.h"
#include "backend/coalesce_match.h"
#include "backend/parse.h"
#include "backend/parse_vnet.h"
#include "backend/segment.h"
#include "tests/fuzz/check.h"
#include "tests/unit/frame.h"

#define FRAMES 400
#define L3 14
#define L4 34
#define TAKE 5 /* at a time */

enum what {
	STEP_TCP,
	STEP_UDP,
	STEP_WAIT,
	STEP_TAKE,
	STEP_TAKE_ALL,
	STEP_COUNT,
};

struct step {
	uint8_t what;	  /* enum what, modulo STEP_COUNT */
	uint8_t flow;	  /* bits 0-1 are of an address, 2-7 of the port */
	uint8_t flags;	  /* of TCP; 0: ACK */
	uint8_t options;  /* bit 0: the checksum is partial; 1: no DF; 2: TCP has options;
			   * 3: it does not wait, as if it were large */
	uint16_t payload; /* bytes; of a wait: units of 16 ns */
	uint8_t more;	  /* how many flows behind this one send such a frame, too */
	uint8_t poke_at;  /* a byte of the headers that is changed after all sums were made */
	uint8_t poke;	  /* by what; 0: none */
} __attribute__((packed));

struct sent {
	struct packet packet; /* its flags, offsets and head only */
	uint32_t length;
	bool came;
	uint8_t bytes[COALESCE_FRAME_MAX];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sent sent[FRAMES];
static unsigned int sent_count;
static uint32_t sequences[256];
static uint64_t now_ns;

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/* Writes a frame; returns its length. */
static uint32_t build(const struct step *step, uint8_t *b)
{
	bool tcp = step->what % STEP_COUNT == STEP_TCP;
	uint32_t header = tcp ? (step->options & 4 ? 32 : 20) : 8;
	uint32_t payload = step->payload % 1449, l4_length = header + payload;
	uint32_t *sequence = &sequences[step->flow];
	uint8_t *ip = b + L3, *l4 = b + L4;

	memset(b, 0, L4 + header);
	memset(l4 + header, (int)(*sequence >> 3), payload);
	put16(b + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, 20 + l4_length);
	put16(ip + 4, *sequence / 1448);
	ip[6] = step->options & 2 ? 0 : 0x40;
	ip[8] = 64;
	ip[9] = tcp ? IPPROTO_TCP : IPPROTO_UDP;
	put16(ip + 14, step->flow & 3);
	put16(ip + 10, ~frame_sum(0, ip, 20));
	l4[1] = step->flow >> 2;
	if (tcp) {
		put16(l4 + 4, *sequence >> 16);
		put16(l4 + 6, *sequence);
		l4[12] = (uint8_t)(header << 2);
		l4[13] = step->flags ? step->flags : 0x10;
	} else {
		put16(l4 + 4, l4_length);
	}
	*sequence += tcp ? payload : 1448;
	uint32_t sum = frame_sum(ip[9] + l4_length, ip + 12, 8);
	if (!(step->options & 1))
		sum = (uint16_t)~frame_sum(sum, l4, l4_length);
	put16(l4 + (tcp ? 16 : 6), sum);
	b[step->poke_at % (L4 + header)] ^= step->poke;
	return L4 + l4_length;
}

static bool has_flow(const struct packet *p)
{
	return (p->flags & (PACKET_IPV4 | PACKET_L4 | PACKET_FRAGMENT)) ==
	       (PACKET_IPV4 | PACKET_L4);
}

static bool may_meet(const struct packet *a, const struct packet *b)
{
	if (!((a->flags | b->flags) & PACKET_IPV4))
		return true; /* they are in order, which nobody needs */
	if (!(a->flags & b->flags & PACKET_IPV4) ||
		memcmp(a->head + a->l3_offset + 12, b->head + b->l3_offset + 12, 8))
		return false;
	return !has_flow(a) || !has_flow(b) ||
	       (a->l4_protocol == b->l4_protocol &&
		       !memcmp(a->head + a->l4_offset, b->head + b->l4_offset, 4));
}

/* What cutting may change: an identification that means nothing, and sums that stay right. */
static void forget(const struct packet *p, uint8_t *bytes)
{
	uint8_t *ip = bytes + p->l3_offset;

	if (!has_flow(p) || p->l4_offset != L4)
		return;
	put16(ip + 10, frame_sum(0, ip, 20) == UINT16_MAX ? 0 : 1);
	if (ip[6] & 0x40)
		put16(ip + 4, 0);
	if (p->l4_protocol == IPPROTO_TCP && p->l3_length > 20) {
		uint32_t length = p->l3_length - 20;
		uint32_t sum = frame_sum(p->l4_protocol + length, ip + 12, 8);

		put16(bytes + L4 + 16, frame_sum(sum, bytes + L4, length) == UINT16_MAX ? 0 : 1);
	}
}

static void came(const struct packet *p)
{
	static uint8_t bytes[PACKET_LENGTH_MAX];
	unsigned int i = 0;

	frame_bytes(p, bytes, sizeof(bytes));
	forget(p, bytes);
	while (i < sent_count && (sent[i].came || !may_meet(&sent[i].packet, p)))
		i++;
	CHECK(i < sent_count);
	/* A partial sum that was wrong may have become right. */
	if (sent[i].packet.vnet.flags && p->l4_offset == L4) {
		unsigned int at = L4 + (p->l4_protocol == IPPROTO_TCP ? 16 : 6);
		memcpy(bytes + at, sent[i].bytes + at, 2);
	}
	CHECK(sent[i].length == p->length && !memcmp(sent[i].bytes, bytes, p->length));
	sent[i].came = true;
}

static void kernel_takes(const struct packet *p, uint16_t frames)
{
	struct packet copy = *p, piece;
	struct segmenter segmenter;
	struct iovec storage[2];
	uint16_t pieces = 0;

	CHECK(p->length <= PACKET_LENGTH_MAX);
	if (frames == 1) {
		CHECK(!copy.vnet.gso_type && !checksum_complete(&copy));
		came(&copy);
		return;
	}
	parse_packet(&copy);
	CHECK(copy.flags == p->flags && copy.l3_length == p->l3_length);
	CHECK(p->vnet.gso_size < PARSE_GSO_SIZE_MIN ||
		(!parse_vnet_host(&copy) && copy.vnet.gso_type == p->vnet.gso_type));
	CHECK(!segment_init(&segmenter, p, PACKET_LENGTH_MAX));
	for (; segment_next(&segmenter, &piece, storage, 2) == 1; pieces++) {
		CHECK(!checksum_complete(&piece));
		came(&piece);
	}
	CHECK(pieces == frames);
}

static void take(struct coalesce *coalesce, bool all)
{
	const struct packet *ready[TAKE];
	uint16_t frames[TAKE], count;

	do {
		count = coalesce_take(coalesce, now_ns, all, ready, frames, TAKE);
		for (uint16_t i = 0; i < count; i++) {
			CHECK(ready[i]->segment_count <= 1);
			kernel_takes(ready[i], frames[i]);
		}
	} while (count == TAKE);
	CHECK(coalesce_due_ns(coalesce) > now_ns);
}

static void add(struct coalesce *coalesce, const struct step *step)
{
	uint8_t bytes[COALESCE_FRAME_MAX];
	uint32_t length = build(step, bytes);
	struct frame *f = frame_new(bytes, length, 128, 700), *whole;
	struct packet *p = &f->packet;

	if (step->options & 1)
		p->vnet = (struct virtio_net_hdr_v1){
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.csum_start = L4,
			.csum_offset = step->what % STEP_COUNT == STEP_TCP ? 16 : 6,
		};
	parse_packet(p);
	if (sent_count < FRAMES && !parse_vnet(p)) {
		struct sent *s = &sent[sent_count];

		length = frame_bytes(p, bytes, sizeof(bytes)); /* padding was cut off */
		whole = frame_new(bytes, length, 128, 2048);
		whole->packet.vnet = p->vnet;
		CHECK(!checksum_complete(&whole->packet));
		frame_bytes(&whole->packet, s->bytes, sizeof(s->bytes));
		frame_free(whole);
		s->packet = *p;
		s->length = length;
		s->came = false;
		forget(p, s->bytes);
		sent_count++;
		if (step->options & 8) {
			coalesce_close(coalesce, p);
			take(coalesce, false);
			kernel_takes(p, 1);
		} else if (!coalesce_add(coalesce, p, now_ns)) {
			take(coalesce, false);
			take(coalesce, !coalesce->free_count);
			CHECK(coalesce_add(coalesce, p, now_ns));
		}
	}
	frame_free(f);
}

static void check_lists(const struct coalesce *coalesce)
{
	const struct coalesce_entry *entry;
	unsigned int open = 0, ready = 0, first = 0, last = 0, udp = 0;
	uint64_t before = 0;

	for (unsigned int i = 0; i < COALESCE_HEADS; i++)
		for (entry = coalesce->heads[i]; entry; entry = entry->next) {
			CHECK(entry->open && coalesce_hash(&entry->packet) == i);
			udp += entry->packet.l4_protocol == IPPROTO_UDP;
			open++;
		}
	TAILQ_FOREACH (entry, &coalesce->ready, order)
		ready++;
	TAILQ_FOREACH (entry, &coalesce->by_first, order) {
		CHECK(entry->open && entry->first_ns >= before);
		before = entry->first_ns;
		first++;
	}
	before = 0;
	TAILQ_FOREACH (entry, &coalesce->by_last, silence) {
		CHECK(entry->open && entry->last_ns >= before);
		before = entry->last_ns;
		last++;
	}
	CHECK(open == coalesce->open_count && first == last && open == first + udp);
	CHECK(ready + first + coalesce->free_count == COALESCE_ENTRIES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct coalesce *coalesce;
	struct step step;

	CHECK(!coalesce_new(true, true, &coalesce));
	memset(sequences, 0, sizeof(sequences));
	sent_count = 0;
	now_ns = 1;
	for (; size >= sizeof(step); data += sizeof(step), size -= sizeof(step)) {
		memcpy(&step, data, sizeof(step));
		switch (step.what % STEP_COUNT) {
		case STEP_TCP:
		case STEP_UDP:
			for (unsigned int more = step.more; more; more--, step.flow++)
				add(coalesce, &step);
			add(coalesce, &step);
			break;
		case STEP_WAIT:
			now_ns += (uint64_t)step.payload * 16;
			break;
		default:
			take(coalesce, step.what % STEP_COUNT == STEP_TAKE_ALL);
		}
		check_lists(coalesce);
	}
	take(coalesce, true);
	CHECK(coalesce_is_empty(coalesce) && coalesce_due_ns(coalesce) == UINT64_MAX);
	for (unsigned int i = 0; i < sent_count; i++)
		CHECK(sent[i].came);
	coalesce_free(coalesce);
	return 0;
}
