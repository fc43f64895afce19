/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames are cut, each piece's checksums are completed and verified from the first principles of
 * RFC 1071 (frame.h), and the payload is put together again.
 */
#include "backend/segment.h"

#include <errno.h>
#include <stdbool.h>

#include "backend/checksum_complete.h"
#include "backend/parse.h"
#include "backend/parse_vnet.h"
#include "tests/unit/frame.h"

#define FIN 0x01
#define PSH 0x08
#define ACK 0x10
#define CWR 0x80
#define SEQUENCE 0xfffffe00U /* wraps around within the frame */
#define ID 0xfffd	     /* so does this */
#define STORAGE 64

struct tso_case {
	const char *name;
	bool tag;
	bool ipv6;
	uint8_t ip_options;  /* bytes of IPv4 options or of IPv6 destination options */
	uint8_t tcp_options; /* bytes */
	uint8_t flags;	     /* of TCP; with UDP, 0 */
	uint32_t payload;
	uint16_t gso_size;
	uint32_t frame_max;
	uint32_t share; /* payload expected in each piece but the last */
	bool udp;
};

static const struct tso_case cases[] = {
	{"64 KiB", false, false, 0, 12, ACK | PSH, 65535 - 52, 1448, 1514, 1448, false},
	{"tag", true, false, 0, 12, ACK, 30000, 1448, 1518, 1448, false},
	{"all options", true, false, 40, 40, ACK | FIN, 30000, 1000, 65535, 1000, false},
	{"TSO6", false, true, 0, 12, ACK | PSH | FIN, 65535 - 72, 1428, 1514, 1428, false},
	{"TSO6 with options", true, true, 24, 0, ACK | PSH, 10000, 1400, 1518, 1400, false},
	{"small receiver", false, false, 0, 0, ACK | PSH, 20000, 1460, 1500, 1446, false},
	{"smaller receiver", false, false, 0, 0, ACK | PSH, 5000, 1460, 600, 546, false},
	{"CWR", false, false, 0, 0, ACK | CWR | PSH, 5000, 1460, 1514, 1460, false},
	{"tiny", false, false, 0, 0, ACK | PSH | FIN, 1001, 8, 1514, 8, false},
	{"one byte over", false, false, 0, 0, ACK | PSH | FIN | CWR, 1461, 1460, 1514, 1460, false},
	{"even", false, false, 0, 0, ACK | PSH | FIN | CWR, 2920, 1460, 1514, 1460, false},
	{"odd", false, false, 0, 0, ACK | PSH, 9999, 1447, 1514, 1447, false},
	{"USO", false, false, 0, 0, 0, 65535 - 28, 1472, 1514, 1472, true},
	{"USO, odd", true, false, 8, 0, 0, 10000, 1199, 1518, 1199, true},
	{"USO over IPv6", false, true, 0, 0, 0, 30001, 1200, 1514, 1200, true},
	{"USO, small receiver", false, false, 0, 0, 0, 5000, 1472, 600, 558, true},
};

static uint8_t whole[PACKET_LENGTH_MAX];

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static uint32_t l3_offset(const struct tso_case *c)
{
	return c->tag ? 18 : 14;
}

static uint32_t l4_offset(const struct tso_case *c)
{
	return l3_offset(c) + (c->ipv6 ? 40 : 20) + c->ip_options;
}

static uint32_t headers(const struct tso_case *c)
{
	return l4_offset(c) + (c->udp ? 8 : 20 + c->tcp_options);
}

static uint8_t protocol(const struct tso_case *c)
{
	return c->udp ? 17 : 6;
}

static uint32_t pseudo_sum(const struct tso_case *c, const uint8_t *bytes, uint32_t length)
{
	const uint8_t *ip = bytes + l3_offset(c);

	return c->ipv6 ? frame_sum(protocol(c) + length, ip + 8, 32)
		       : frame_sum(protocol(c) + length, ip + 12, 8);
}

static void build_ip(const struct tso_case *c, uint32_t length)
{
	uint8_t *ip = whole + l3_offset(c);

	put16(ip - 2, c->ipv6 ? 0x86dd : 0x0800);
	if (c->ipv6) {
		ip[0] = 0x60;
		put16(ip + 4, length - l3_offset(c) - 40);
		ip[6] = c->ip_options > 0 ? 60 : protocol(c);
		ip[7] = 64;
		memset(ip + 8, 0x33, 32);
		ip[40] = protocol(c);
		ip[41] = (uint8_t)(c->ip_options / 8 - 1);
		return;
	}
	ip[0] = (uint8_t)(0x45 + c->ip_options / 4);
	put16(ip + 2, length - l3_offset(c));
	put16(ip + 4, ID);
	ip[8] = 64;
	ip[9] = protocol(c);
	memset(ip + 12, 0x44, 8);
	memset(ip + 20, 1, c->ip_options);
	put16(ip + 10, ~frame_sum(0, ip, 20 + c->ip_options));
}

/* A TSO frame as a guest sends it, in pieces of `piece` bytes behind `head`. */
static struct frame *build(const struct tso_case *c, uint32_t head, uint32_t piece)
{
	uint32_t length = headers(c) + c->payload;
	uint8_t *tcp = whole + l4_offset(c);
	struct frame *f;

	assert_true(length <= sizeof(whole));
	memset(whole, 0, headers(c));
	memset(whole, 0x52, 12);
	if (c->tag)
		put16(whole + 12, 0x8100);
	build_ip(c, length);
	if (c->udp) {
		put16(tcp + 4, length - l4_offset(c));
		put16(tcp + 6, pseudo_sum(c, whole, length - l4_offset(c)));
	} else {
		put16(tcp + 4, SEQUENCE >> 16);
		put16(tcp + 6, SEQUENCE & 0xffff);
		tcp[12] = (uint8_t)(0x50 + c->tcp_options / 4 * 16);
		tcp[13] = c->flags;
		memset(tcp + 20, 1, c->tcp_options);
		put16(tcp + 16, pseudo_sum(c, whole, length - l4_offset(c)));
	}
	for (uint32_t i = 0; i < c->payload; i++)
		whole[headers(c) + i] = (uint8_t)(i * 7 + i / 255);

	f = frame_new(whole, length, head, piece);
	f->packet.vnet = (struct virtio_net_hdr_v1){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = c->udp    ? VIRTIO_NET_HDR_GSO_UDP_L4
			    : c->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6
				      : VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = c->gso_size,
		.csum_start = (uint16_t)l4_offset(c),
		.csum_offset = c->udp ? 6 : 16,
	};
	f->packet.port = 11;
	f->packet.slot = 12;
	parse_packet(&f->packet);
	assert_int_equal(parse_vnet_host(&f->packet), 0);
	return f;
}

/* Payload behind the headers and the frame's own head is the sender's memory, not a copy. */
static void assert_borrowed(const struct frame *f, const struct packet *piece)
{
	for (uint16_t i = 0; i < piece->segment_count; i++) {
		const uint8_t *from = piece->segments[i].iov_base;
		bool inside = false;

		assert_true(piece->segments[i].iov_len > 0);
		for (uint16_t k = 0; k < f->packet.segment_count; k++) {
			const uint8_t *start = f->packet.segments[k].iov_base;

			inside = inside ||
				 (from >= start && from + piece->segments[i].iov_len <=
							   start + f->packet.segments[k].iov_len);
		}
		assert_true(inside);
	}
}

static void assert_tcp(
	const struct tso_case *c, const uint8_t *tcp, uint32_t done, uint32_t n, bool last)
{
	uint8_t flags = c->flags;

	if (!last)
		flags &= (uint8_t) ~(FIN | PSH);
	if (n > 0)
		flags &= (uint8_t)~CWR;
	assert_int_equal(tcp[13], flags);
	assert_int_equal(get32(tcp + 4), SEQUENCE + done);
	/* All else is as it was. */
	assert_memory_equal(tcp + 8, whole + l4_offset(c) + 8, 5);
	assert_memory_equal(tcp + 18, whole + l4_offset(c) + 18, 2 + c->tcp_options);
}

static void assert_headers(
	const struct tso_case *c, const uint8_t *bytes, uint32_t length, uint32_t done, uint32_t n)
{
	const uint8_t *ip = bytes + l3_offset(c);
	const uint8_t *l4 = bytes + l4_offset(c);
	bool last = done + length - headers(c) == c->payload;
	uint32_t sum;

	if (c->udp)
		assert_int_equal(get16(l4 + 4), length - l4_offset(c));
	else
		assert_tcp(c, l4, done, n, last);
	if (c->ipv6) {
		assert_int_equal(get16(ip + 4), length - l3_offset(c) - 40);
	} else {
		assert_int_equal(get16(ip + 2), length - l3_offset(c));
		assert_int_equal(get16(ip + 4), (ID + n) & 0xffff);
		assert_int_equal(frame_sum(0, ip, 20 + c->ip_options), 0xffff);
	}
	sum = pseudo_sum(c, bytes, length - l4_offset(c));
	assert_int_equal(frame_sum(sum, l4, length - l4_offset(c)), 0xffff);
	/* All else is as it was. */
	assert_memory_equal(bytes, whole, l3_offset(c));
	assert_memory_equal(ip + 12, whole + l3_offset(c) + 12, l4_offset(c) - l3_offset(c) - 12);
	assert_memory_equal(l4, whole + l4_offset(c), 4);
}

/* What parse_packet() finds in the finished piece is what the segmenter said. */
static void assert_parsed(const struct packet *piece)
{
	struct packet again = *piece;

	parse_packet(&again);
	assert_int_equal(again.flags, piece->flags);
	assert_int_equal(again.l3_offset, piece->l3_offset);
	assert_int_equal(again.l4_offset, piece->l4_offset);
	assert_int_equal(again.l4_protocol, piece->l4_protocol);
	assert_int_equal(again.ethertype, piece->ethertype);
	assert_int_equal(again.l3_length, piece->l3_length);
}

static void cut(const struct tso_case *c, uint32_t head, uint32_t piece_length)
{
	struct frame *f = build(c, head, piece_length);
	struct iovec storage[PACKET_SEGMENTS_MAX];
	static uint8_t bytes[PACKET_LENGTH_MAX];
	struct segmenter segmenter;
	struct packet piece;
	uint32_t done = 0, n = 0;

	assert_int_equal(segment_init(&segmenter, &f->packet, c->frame_max), 0);
	memset(&piece, 0xdd, sizeof(piece));
	while (segment_next(&segmenter, &piece, storage, PACKET_SEGMENTS_MAX) == 1) {
		uint32_t length = piece.length;

		assert_true(length <= c->frame_max);
		assert_int_equal(length - headers(c),
			c->payload - done < c->share ? c->payload - done : c->share);
		assert_int_equal(piece.port, 11);
		assert_int_equal(piece.slot, 0);
		assert_int_equal(piece.vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(piece.vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
		assert_borrowed(f, &piece);
		assert_int_equal(checksum_complete(&piece), 0);
		assert_int_equal(frame_bytes(&piece, bytes, sizeof(bytes)), length);
		assert_headers(c, bytes, length, done, n);
		assert_parsed(&piece);
		assert_memory_equal(
			bytes + headers(c), whole + headers(c) + done, length - headers(c));
		done += length - headers(c);
		n++;
	}
	assert_int_equal(done, c->payload);
	assert_int_equal(n, (c->payload + c->share - 1) / c->share);
	assert_int_equal(frame_bytes(&f->packet, bytes, sizeof(bytes)), headers(c) + c->payload);
	assert_memory_equal(bytes, whole, headers(c) + c->payload);
	frame_free(f);
}

static void test_cut(void **state)
{
	static const uint32_t heads[] = {0, 60, 128, PACKET_HEAD_CAPACITY};
	static const uint32_t pieces[] = {257, 1000, 4096, 65536};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t h = 0; h < 4; h++) {
			for (size_t p = 0; p < 4; p++)
				cut(&cases[i], heads[h], pieces[p]);
		}
	}
}

/* Too little storage for one piece loses nothing. */
static void test_storage(void **state)
{
	const struct tso_case *c = &cases[7];
	struct frame *f = build(c, 128, 300);
	struct iovec storage[STORAGE];
	static uint8_t bytes[PACKET_LENGTH_MAX];
	struct segmenter segmenter;
	struct packet piece;
	uint32_t done = 0;

	assert_int_equal(segment_init(&segmenter, &f->packet, c->frame_max), 0);
	while (done < c->payload) {
		assert_int_equal(segment_next(&segmenter, &piece, storage, 1), -ENOSPC);
		assert_int_equal(segment_next(&segmenter, &piece, storage, STORAGE), 1);
		frame_bytes(&piece, bytes, sizeof(bytes));
		assert_memory_equal(
			bytes + headers(c), whole + headers(c) + done, piece.length - headers(c));
		done += piece.length - headers(c);
	}
	assert_int_equal(segment_next(&segmenter, &piece, storage, STORAGE), 0);
	frame_free(f);
}

/* Pieces of no bytes, which a guest may well make, are stepped over. */
static void test_empty_segments(void **state)
{
	const struct tso_case *c = &cases[7];
	struct frame *f = build(c, 128, 65536);
	struct iovec whole_segment = f->segments[0];
	struct iovec storage[2];
	struct segmenter segmenter;
	struct packet piece;
	uint32_t done = 0;

	f->segments[0].iov_len = 0;
	f->segments[1] = whole_segment;
	f->segments[1].iov_len = 1000;
	f->segments[2] = (struct iovec){.iov_base = whole_segment.iov_base};
	f->segments[3].iov_base = (uint8_t *)whole_segment.iov_base + 1000;
	f->segments[3].iov_len = whole_segment.iov_len - 1000;
	f->packet.segments = f->segments;
	f->packet.segment_count = 4;
	assert_int_equal(segment_init(&segmenter, &f->packet, c->frame_max), 0);
	while (segment_next(&segmenter, &piece, storage, 2) == 1) {
		assert_borrowed(f, &piece);
		done += piece.length - headers(c);
	}
	assert_int_equal(done, c->payload);
	frame_free(f);
}

static void test_refused(void **state)
{
	const struct tso_case *c = &cases[0];
	struct frame *f = build(c, 128, 4096);
	struct segmenter segmenter;

	assert_int_equal(segment_init(&segmenter, &f->packet, headers(c)), -EMSGSIZE);
	assert_int_equal(segment_init(&segmenter, &f->packet, headers(c) + 1), 0);
	f->packet.vnet.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	assert_int_equal(segment_init(&segmenter, &f->packet, 1514), -EINVAL);
	f->packet.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	f->packet.vnet.gso_size = 0;
	assert_int_equal(segment_init(&segmenter, &f->packet, 1514), -EINVAL);
	frame_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_storage),
		cmocka_unit_test(test_empty_segments),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
