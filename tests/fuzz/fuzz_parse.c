/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arbitrary bytes as a frame with a virtio-net header: parse, check the header, judge the source,
 * answer, complete, cut. What is asserted is what later stages rely on without looking again.
 *
 * The first bytes of the input are struct input; the rest is the frame, repeated up to a length, so
 * that short inputs make frames of 64 KiB.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "backend/binding.h"
#include "backend/checksum_complete.h"
#include "backend/l2.h"
#include "backend/parse.h"
#include "backend/parse_vnet.h"
#include "backend/segment.h"
#include "guest/services/arp.h"
#include "guest/services/icmp_echo.h"
#include "nat/checksum.h"
#include "tests/fuzz/check.h"
#include "tests/unit/frame.h"

#define GATEWAY 0xac100001U

struct input {
	struct virtio_net_hdr_v1 vnet;
	uint16_t length;    /* of the frame, when it is longer than what is given */
	uint16_t piece;	    /* length of segments */
	uint16_t frame_max; /* for segment_init() */
	uint8_t head;	    /* bytes that the port copied */
	uint8_t port;	    /* where it came from */
} __attribute__((packed));

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t before[PACKET_LENGTH_MAX];
static uint8_t after[PACKET_LENGTH_MAX];
static struct packet piece;

static struct frame *make_frame(const struct input *input, const uint8_t *bytes, size_t size)
{
	uint32_t length = size < PACKET_LENGTH_MAX ? (uint32_t)size : PACKET_LENGTH_MAX;
	uint32_t shortest;

	memcpy(before, bytes, length);
	if (length < input->length && length > 0) {
		for (uint32_t i = length; i < input->length; i++)
			before[i] = before[i - length];
		length = input->length;
	}
	shortest = length / (PACKET_SEGMENTS_MAX - 1) + 1;
	return frame_new(
		before, length, input->head, input->piece > shortest ? input->piece : shortest);
}

static void check_parsed(const struct packet *p)
{
	uint32_t l4_length = p->l3_offset + p->l3_length - p->l4_offset;

	CHECK(p->head_length <= p->length && p->head_length <= PACKET_HEAD_CAPACITY);
	if ((p->flags & PACKET_MALFORMED) != 0)
		CHECK((p->flags & (PACKET_IPV4 | PACKET_ARP | PACKET_L4)) == 0);
	if ((p->flags & PACKET_ARP) != 0)
		CHECK(p->l3_offset + ARP_LENGTH <= p->head_length);
	if ((p->flags & PACKET_LATER_FRAGMENT) != 0)
		CHECK((p->flags & PACKET_L4) == 0 && (p->flags & PACKET_FRAGMENT) != 0);
	if ((p->flags & PACKET_IPV4) == 0) {
		CHECK((p->flags & PACKET_L4) == 0);
		return;
	}
	CHECK(p->l3_offset + p->l3_length <= p->length);
	CHECK(p->l4_offset >= p->l3_offset + 20 && p->l4_offset <= p->head_length);
	CHECK(p->l4_offset <= p->l3_offset + p->l3_length);
	if ((p->flags & PACKET_L4) == 0)
		return;
	CHECK(p->l4_offset + 8 <= p->head_length && l4_length >= 8);
	if (p->l4_protocol == IPPROTO_TCP) {
		uint32_t header = (uint32_t)(p->head[p->l4_offset + 12] >> 4) * 4;

		CHECK(header >= 20 && header <= l4_length);
		CHECK(p->l4_offset + header <= p->head_length);
	}
}

/* The findings do not depend on how many bytes the port copied. */
static void check_same_for_any_head(const struct packet *p)
{
	struct frame *f = frame_new(before, p->length, PACKET_HEAD_CAPACITY, 65536);

	parse_packet(&f->packet);
	CHECK(f->packet.flags == p->flags && f->packet.ethertype == p->ethertype);
	CHECK(f->packet.l3_offset == p->l3_offset && f->packet.l4_offset == p->l4_offset);
	CHECK(f->packet.l3_length == p->l3_length && f->packet.l4_protocol == p->l4_protocol);
	frame_free(f);
}

static void check_vnet(const struct packet *p)
{
	const struct virtio_net_hdr_v1 *vnet = &p->vnet;

	CHECK((vnet->flags & ~VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0 && vnet->num_buffers == 0);
	if (vnet->flags == 0) {
		CHECK(vnet->gso_type == 0 && vnet->csum_start == 0 && vnet->csum_offset == 0);
	} else {
		CHECK(vnet->csum_start + vnet->csum_offset + 2 <= p->head_length);
		CHECK(vnet->csum_offset == 16 || vnet->csum_offset == 6);
		CHECK((p->flags & PACKET_FRAGMENT) == 0);
		if ((p->flags & PACKET_IPV4) != 0)
			CHECK(vnet->csum_start == p->l4_offset);
		else
			CHECK((p->flags & PACKET_IPV6) != 0 &&
				vnet->csum_start >= p->l3_offset + 40);
	}
	if (vnet->gso_type == 0) {
		CHECK(vnet->gso_size == 0 && vnet->hdr_len == 0);
		return;
	}
	CHECK((vnet->gso_type & 0x7f) == ((p->flags & PACKET_IPV4) != 0
							 ? VIRTIO_NET_HDR_GSO_TCPV4
							 : VIRTIO_NET_HDR_GSO_TCPV6));
	CHECK(vnet->csum_offset == 16 && vnet->gso_size >= PARSE_GSO_SIZE_MIN);
	CHECK(vnet->hdr_len >= vnet->csum_start + 20 && vnet->hdr_len <= p->head_length);
	CHECK(p->length - vnet->hdr_len > vnet->gso_size);
}

/* What the switch and the binding decide by is as it was. */
static void check_addresses(const struct packet *p)
{
	uint16_t valid = p->l3_offset < p->head_length ? p->l3_offset : p->head_length;

	CHECK(memcmp(p->head, before, valid) == 0);
	if ((p->flags & PACKET_IPV4) != 0)
		CHECK(memcmp(p->head + p->l3_offset, before + p->l3_offset,
			      p->l4_offset - p->l3_offset) == 0);
}

/* TCP's or UDP's checksum of a piece must be what the frame's own partial sum leads to. */
static void check_piece(const struct packet *frame, uint32_t done, uint32_t n)
{
	uint32_t headers = frame->vnet.hdr_len;
	uint32_t start = frame->vnet.csum_start;
	uint32_t payload = piece.length - headers;
	uint32_t sequence_be, first_be;
	uint64_t sum = 0;
	uint16_t partial;

	memcpy(&partial, frame->head + start + 16, 2);
	CHECK(checksum_complete(&piece) == 0);
	frame_bytes(&piece, after, sizeof(after));
	CHECK(memcmp(after + headers, before + headers + done, payload) == 0);
	memcpy(&first_be, before + start + 4, 4);
	memcpy(&sequence_be, after + start + 4, 4);
	CHECK(ntohl(sequence_be) == ntohl(first_be) + done);

	/* All bytes and the pseudo-header, less the frame's length, plus the piece's. */
	sum = checksum_add(partial, after + start, piece.length - start);
	sum = checksum_join(sum, checksum_delta16(htons((uint16_t)(frame->length - start)),
					 htons((uint16_t)(piece.length - start))));
	CHECK(checksum_fold(sum) == UINT16_MAX || checksum_fold(sum) == 0);
	if ((frame->flags & PACKET_IPV4) != 0) {
		uint16_t id = (uint16_t)(before[frame->l3_offset + 4] << 8 |
					 before[frame->l3_offset + 5]);

		CHECK(parse_ipv4_checksum_ok(&piece));
		CHECK((uint16_t)(after[frame->l3_offset + 4] << 8 | after[frame->l3_offset + 5]) ==
			(uint16_t)(id + n));
	}
	parse_packet(&piece);
	check_parsed(&piece);
	CHECK(piece.flags == frame->flags);
}

static void check_segments(const struct packet *frame, uint32_t frame_max)
{
	struct iovec storage[PACKET_SEGMENTS_MAX];
	struct segmenter segmenter;
	uint32_t done = 0, n = 0;
	int r = segment_init(&segmenter, frame, frame_max);

	if (r < 0) {
		CHECK(frame->vnet.gso_type == 0 || frame_max <= frame->vnet.hdr_len);
		return;
	}
	while ((r = segment_next(&segmenter, &piece, storage, frame->segment_count)) == 1) {
		uint32_t length = piece.length;

		CHECK(length <= frame_max && length > frame->vnet.hdr_len);
		/* A few of very many are enough. */
		if (n < 8 || done + length - frame->vnet.hdr_len >
				     frame->length - frame->vnet.hdr_len - 100)
			check_piece(frame, done, n);
		done += length - frame->vnet.hdr_len;
		n++;
	}
	CHECK(r == 0 && done == frame->length - frame->vnet.hdr_len);
}

static void check_answers(struct packet *p)
{
	static const struct arp_host host = {.mac = {2, 0, 0, 0, 0, 1}};
	struct arp_host gateway = host;
	uint32_t length = frame_bytes(p, before, sizeof(before));

	gateway.ip_be = htonl(GATEWAY);
	if ((p->flags & PACKET_ARP) != 0 && arp_answer(p, &gateway, 1)) {
		CHECK(p->length == p->l3_offset + ARP_LENGTH);
		CHECK(arp_sender_ip(p) == gateway.ip_be);
		CHECK(memcmp(p->head, before + 6, 6) == 0);
		parse_packet(p);
		check_parsed(p);
		CHECK(p->flags == PACKET_ARP);
		return;
	}
	if (icmp_echo_answer(p, gateway.ip_be)) {
		CHECK(frame_bytes(p, after, sizeof(after)) == length);
		CHECK(memcmp(after, before + 6, 6) == 0 && memcmp(after + 6, before, 6) == 0);
		CHECK(parse_ipv4_checksum_ok(p));
		CHECK(memcmp(after + p->l4_offset + 4, before + p->l4_offset + 4,
			      length - p->l4_offset - 4) == 0);
		return;
	}
	CHECK(frame_bytes(p, after, sizeof(after)) == length);
	CHECK(memcmp(before, after, length) == 0);
}

static void check_source(const struct packet *p, uint16_t port)
{
	static struct l2_table *table;
	static struct binding binding;

	if (table == NULL) {
		CHECK(l2_new(1, &table) == 0);
		binding_init(&binding);
		CHECK(binding_reserve_ip(&binding, htonl(GATEWAY)) == 0);
	}
	if (binding_check(&binding, port, p) != BINDING_OK)
		return;
	CHECK((p->flags & PACKET_MALFORMED) == 0);
	if ((p->flags & PACKET_ARP) != 0)
		CHECK(arp_sender_ip(p) != htonl(GATEWAY));
	if (l2_learn(table, ethernet_source(p), port, 0) <= L2_LEARNED_MOVED)
		CHECK(l2_lookup(table, ethernet_source(p)) == port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input;
	struct frame *f;
	struct packet *p;

	if (size < sizeof(input))
		return 0;
	memcpy(&input, data, sizeof(input));
	f = make_frame(&input, data + sizeof(input), size - sizeof(input));
	p = &f->packet;
	p->vnet = input.vnet;

	parse_packet(p);
	check_parsed(p);
	check_same_for_any_head(p);
	if (parse_vnet(p) == 0) {
		check_parsed(p);
		check_vnet(p);
		check_addresses(p);
		check_source(p, input.port % PORT_MAX);
		check_segments(p, input.frame_max);
		check_answers(p);
	}
	frame_free(f);
	return 0;
}
