/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/mtu.h"

#include <arpa/inet.h>

#include "nat/hit.h"
#include "nat/icmp_send.h"

#define IPV4_TOTAL_LENGTH 2
#define IPV4_FRAGMENT 6
#define DONT_FRAGMENT 0x4000
#define MORE_FRAGMENTS 0x2000
#define OFFSET_MASK 0x1fff
#define TCP_DATA_OFFSET 12
#define TCP_HEADER_MIN 20
#define TCP_OPTION_END 0
#define TCP_OPTION_NOP 1
#define TCP_OPTION_MSS 2

bool mtu_refuses(struct nat *nat, const struct packet *p, enum flow_direction direction)
{
	const uint8_t *ip = p->head + p->l3_offset;
	uint16_t available = (uint16_t)(p->head_length - p->l3_offset);
	struct icmp_error error = {
		.type = ICMP_DEST_UNREACH,
		.code = ICMP_FRAG_NEEDED,
		.mtu = (uint16_t)nat->mtu[direction],
		.source_be =
			load32_be(ip + IPV4_DESTINATION), /* the world knows no other of ours */
		.about = ip,
		.length = available < p->l3_length ? available : (uint16_t)p->l3_length,
		.verdict = NAT_VERDICT_WORLD,
	};

	/* A segmented datagram cannot be cut again: as if it must not. */
	if (!(ntohs(load16_be(ip + IPV4_FRAGMENT)) & DONT_FRAGMENT) &&
		p->vnet.gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return false;
	if (direction == FLOW_OUT) {
		error.source_be = nat->config.gateway_be != 0 ? nat->config.gateway_be
							      : nat->config.outside_be;
		error.verdict = NAT_VERDICT_INSIDE;
	}
	/* No frame or too many: the sender will try again. */
	(void)icmp_send(nat, &error);
	return true;
}

/* One fragment: bytes offset .. offset + length of the data behind the IPv4 header of `p`. */
static uint16_t make_fragment(
	struct nat *nat, const struct packet *p, uint32_t offset, uint32_t length, bool last)
{
	uint16_t header = p->l4_offset; /* of Ethernet and IPv4 */
	uint16_t frame = outbox_new(&nat->outbox);
	uint16_t word = ntohs(load16_be(p->head + p->l3_offset + IPV4_FRAGMENT));
	struct outbox_frame *f;
	uint8_t *ip;

	if (frame == OUTBOX_NONE)
		return OUTBOX_NONE;
	f = &nat->outbox.frames[frame];
	f->packet = *p;
	f->packet.vnet = (struct virtio_net_hdr_v1){0};
	f->packet.length = header + length;
	f->packet.head_length = header;
	f->packet.segments = &f->segment;
	f->packet.segment_count = 1;
	f->segment = (struct iovec){.iov_base = f->data, .iov_len = length};
	(void)packet_read(p, header + offset, f->data, length);

	f->packet.l3_length = (uint32_t)(header - p->l3_offset) + length;
	f->packet.flags = PACKET_IPV4 | PACKET_FRAGMENT;
	if (offset > 0 || (word & OFFSET_MASK) != 0)
		f->packet.flags |= PACKET_LATER_FRAGMENT;
	ip = f->packet.head + p->l3_offset;
	store16_be(ip + IPV4_TOTAL_LENGTH, htons((uint16_t)f->packet.l3_length));
	/* A fragment may be cut again: its own offset counts, and its last piece need not be the
	 * last one. */
	if (!last)
		word |= MORE_FRAGMENTS;
	store16_be(ip + IPV4_FRAGMENT, htons((uint16_t)(word + offset / 8)));
	store16_be(ip + IPV4_CHECKSUM, checksum_ipv4_header(ip, (size_t)(header - p->l3_offset)));
	return frame;
}

/* Completes a partial checksum over the fragments, of which the first holds the L4 header. What is
 * summed is the private copy that is sent. */
static void complete_checksum(struct nat *nat, const struct packet *p, uint16_t first)
{
	const struct outbox_frame *f = &nat->outbox.frames[first];
	uint16_t field = p->vnet.csum_offset;
	uint64_t sum = 0;

	if ((p->flags & PACKET_FRAGMENT) || !(p->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
		p->vnet.csum_start != p->l4_offset || field + 2u > f->segment.iov_len)
		return;
	for (uint16_t i = first; i != OUTBOX_NONE; i = nat->outbox.frames[i].next)
		sum = checksum_add(
			sum, nat->outbox.frames[i].data, nat->outbox.frames[i].segment.iov_len);
	store16_be(nat->outbox.frames[first].data + field,
		p->l4_protocol == IPPROTO_UDP ? checksum_finish_udp(sum) : checksum_finish(sum));
}

enum nat_verdict mtu_fragment(
	struct nat *nat, struct packet *p, enum flow_direction direction, enum nat_verdict verdict)
{
	uint32_t header = (uint32_t)(p->l4_offset - p->l3_offset);
	uint32_t data = p->l3_length - header;
	uint32_t room = (nat->mtu[direction] - header) & ~UINT32_C(7);
	uint16_t first = OUTBOX_NONE, previous = OUTBOX_NONE;
	bool complete = room <= OUTBOX_DATA;

	/* Guests choose identifications without knowing of each other; see fragment.h. Those of a
	 * fragment were replaced already. */
	if (direction == FLOW_OUT && !(p->flags & PACKET_FRAGMENT))
		hit_replace_id(p, htons(nat->fragments.next_id++));
	for (uint32_t offset = 0; complete && offset < data; offset += room) {
		uint32_t length = data - offset < room ? data - offset : room;
		uint16_t frame = make_fragment(nat, p, offset, length, offset + length == data);

		if (frame == OUTBOX_NONE) {
			complete = false;
			break;
		}
		nat->outbox.frames[frame].next = OUTBOX_NONE;
		if (previous != OUTBOX_NONE)
			nat->outbox.frames[previous].next = frame;
		else
			first = frame;
		previous = frame;
	}
	if (complete)
		complete_checksum(nat, p, first);
	while (first != OUTBOX_NONE) {
		uint16_t next = nat->outbox.frames[first].next;

		if (complete)
			outbox_send(&nat->outbox, first, verdict);
		else
			outbox_free(&nat->outbox, first);
		first = next;
	}
	return complete ? NAT_VERDICT_KEPT : nat_refuse(nat, p, NAT_DROP_TOO_BIG);
}

/* The MSS option's value in the TCP header, or NULL. */
static uint8_t *find_mss(uint8_t *tcp)
{
	uint8_t *end = tcp + (tcp[TCP_DATA_OFFSET] >> 4) * 4;
	uint8_t *option = tcp + TCP_HEADER_MIN;

	while (option < end && *option != TCP_OPTION_END) {
		if (*option == TCP_OPTION_NOP) {
			option++;
			continue;
		}
		if (end - option < 2 || option[1] < 2 || option[1] > end - option)
			return NULL;
		if (option[0] == TCP_OPTION_MSS)
			return option[1] == 4 ? option + 2 : NULL;
		option += option[1];
	}
	return NULL;
}

void mtu_clamp_mss(const struct nat *nat, struct packet *p)
{
	uint8_t *tcp = p->head + p->l4_offset;
	size_t length = (size_t)(tcp[TCP_DATA_OFFSET] >> 4) * 4;
	uint8_t *mss = find_mss(tcp);
	uint16_t before, after;

	if (mss == NULL || ntohs(load16_be(mss)) <= nat->mss_max)
		return;
	/* The option may lie at an odd offset: sums of the whole header do not mind. */
	before = checksum_fold(checksum_add(0, tcp, length));
	store16_be(mss, htons(nat->mss_max));
	after = checksum_fold(checksum_add(0, tcp, length));
	if ((p->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && p->vnet.csum_start == p->l4_offset)
		return;
	store16_be(tcp + TCP_CHECKSUM,
		checksum_update(load16_be(tcp + TCP_CHECKSUM), checksum_delta16(before, after)));
}
