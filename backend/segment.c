/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/segment.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "backend/bytes.h"
#include "backend/parse_vnet.h"
#include "nat/checksum.h"

/* Offsets in headers, bytes. */
#define IPV4_TOTAL_LENGTH 2
#define IPV4_IDENTIFICATION 4
#define IPV4_CHECKSUM 10
#define IPV6_PAYLOAD_LENGTH 4
#define IPV6_HEADER_LENGTH 40
#define TCP_SEQUENCE 4
#define TCP_FLAGS 13
#define TCP_CHECKSUM 16
#define UDP_LENGTH 4
#define UDP_CHECKSUM 6

#define TCP_FLAG_FIN 0x01
#define TCP_FLAG_PSH 0x08
#define TCP_FLAG_CWR 0x80

int segment_init(struct segmenter *segmenter, const struct packet *frame, uint32_t frame_max)
{
	uint32_t headers = frame->vnet.hdr_len;
	uint32_t share = frame->vnet.gso_size;

	if (frame->vnet.gso_type == VIRTIO_NET_HDR_GSO_NONE || share == 0)
		return -EINVAL;
	if (frame_max <= headers)
		return -EMSGSIZE;
	if (share > frame_max - headers)
		share = frame_max - headers;
	*segmenter = (struct segmenter){.frame = frame, .headers = headers, .share = share};
	return 0;
}

/* Lets `piece` have the next `length` payload bytes. -ENOSPC without room for its segments. */
static int give_payload(struct segmenter *s, struct packet *piece, uint32_t length,
	struct iovec *storage, uint16_t max)
{
	const struct packet *frame = s->frame;
	uint32_t at = s->headers + s->done;
	uint32_t offset = s->segment_offset;
	uint16_t segment = s->segment;
	uint16_t count = 0;
	uint32_t n;

	piece->head_length = (uint16_t)s->headers;
	if (at < frame->head_length) {
		n = frame->head_length - at;
		n = n < length ? n : length;
		memcpy(piece->head + s->headers, frame->head + at, n);
		piece->head_length = (uint16_t)(s->headers + n);
		length -= n;
	}
	while (length > 0) {
		const struct iovec *from = &frame->segments[segment];

		n = (uint32_t)from->iov_len - offset;
		n = n < length ? n : length;
		if (n > 0) {
			if (count == max)
				return -ENOSPC;
			storage[count++] = (struct iovec){
				.iov_base = (uint8_t *)from->iov_base + offset,
				.iov_len = n,
			};
		}
		length -= n;
		offset += n;
		if (offset == from->iov_len) {
			offset = 0;
			segment++;
		}
	}
	piece->segments = storage;
	piece->segment_count = count;
	s->segment = segment;
	s->segment_offset = offset;
	return 0;
}

/* Everything of the frame that is the same in each piece, to begin with. */
static void give_headers(const struct segmenter *s, struct packet *piece)
{
	const struct packet *frame = s->frame;

	memcpy(piece->head, frame->head, s->headers);
	piece->vnet = (struct virtio_net_hdr_v1){
		.flags = frame->vnet.flags,
		.csum_start = frame->vnet.csum_start,
		.csum_offset = frame->vnet.csum_offset,
	};
	piece->flags = frame->flags;
	piece->l3_offset = frame->l3_offset;
	piece->l4_offset = frame->l4_offset;
	piece->ethertype = frame->ethertype;
	piece->l4_protocol = frame->l4_protocol;
	piece->reason = frame->reason;
	piece->port = frame->port;
	piece->slot = 0; /* it lies in the caller's storage: nobody may hold it */
	piece->l3_length = 0;
}

static void write_ip(const struct segmenter *s, struct packet *piece)
{
	uint8_t *ip = piece->head + piece->l3_offset;
	uint16_t length = (uint16_t)(piece->length - piece->l3_offset);
	uint16_t id;

	if ((piece->flags & PACKET_IPV4) == 0) {
		store16_be(
			ip + IPV6_PAYLOAD_LENGTH, htons((uint16_t)(length - IPV6_HEADER_LENGTH)));
		return;
	}
	piece->l3_length = length;
	id = (uint16_t)(ntohs(load16_be(ip + IPV4_IDENTIFICATION)) + s->pieces);
	store16_be(ip + IPV4_TOTAL_LENGTH, htons(length));
	store16_be(ip + IPV4_IDENTIFICATION, htons(id));
	store16_be(ip + IPV4_CHECKSUM,
		checksum_ipv4_header(ip, (size_t)(piece->l4_offset - piece->l3_offset)));
}

/* The partial checksum with this piece's length in its pseudo-header. */
static void write_checksum(const struct segmenter *s, const struct packet *piece, uint8_t *field)
{
	uint16_t before_be = htons((uint16_t)(s->frame->length - piece->vnet.csum_start));
	uint16_t after_be = htons((uint16_t)(piece->length - piece->vnet.csum_start));

	store16_be(field,
		checksum_update_partial(load16_be(field), checksum_delta16(before_be, after_be)));
}

static void write_udp(const struct segmenter *s, struct packet *piece)
{
	uint8_t *udp = piece->head + piece->vnet.csum_start;

	store16_be(udp + UDP_LENGTH, htons((uint16_t)(piece->length - piece->vnet.csum_start)));
	write_checksum(s, piece, udp + UDP_CHECKSUM);
}

static void write_tcp(const struct segmenter *s, struct packet *piece, bool last)
{
	uint8_t *tcp = piece->head + piece->vnet.csum_start;
	uint32_t sequence_be;

	memcpy(&sequence_be, tcp + TCP_SEQUENCE, sizeof(sequence_be));
	sequence_be = htonl(ntohl(sequence_be) + s->done);
	memcpy(tcp + TCP_SEQUENCE, &sequence_be, sizeof(sequence_be));
	if (!last)
		tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FLAG_FIN | TCP_FLAG_PSH);
	if (s->pieces > 0)
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_FLAG_CWR;
	write_checksum(s, piece, tcp + TCP_CHECKSUM);
}

int segment_next(
	struct segmenter *segmenter, struct packet *piece, struct iovec *storage, uint16_t max)
{
	const struct packet *frame = segmenter->frame;
	uint32_t left = frame->length - segmenter->headers - segmenter->done;
	uint32_t length = left < segmenter->share ? left : segmenter->share;
	int r;

	if (left == 0)
		return 0;

	r = give_payload(segmenter, piece, length, storage, max);
	if (r < 0)
		return r;
	give_headers(segmenter, piece);
	piece->length = segmenter->headers + length;
	write_ip(segmenter, piece);
	if (frame->vnet.gso_type == VIRTIO_NET_HDR_GSO_UDP_L4)
		write_udp(segmenter, piece);
	else
		write_tcp(segmenter, piece, length == left);

	segmenter->done += length;
	segmenter->pieces++;
	return 1;
}
