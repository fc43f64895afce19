/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtio-net header of a frame that asks for an offload: parse_vnet(), slow half.
 *
 * A guest's header is a list of claims about bytes that the guest wrote too. Whoever acts on them
 * later (the kernel behind the TAP, the driver of another guest, our segmentation) must be able to
 * do so without looking again, so each claim is either replaced by what we found ourselves
 * (hdr_len), compared with it (csum_start, csum_offset, gso_type), or bounded (gso_size).
 *
 * Linux guests set csum_start to something else than the outer TCP or UDP header in one case: a
 * packet inside of a tunnel (VXLAN, IPIP, GRE, PPPoE). No rule about inner headers is needed for
 * it: we do the sum ourselves, once its bounds are checked, and the frame goes on complete. The sum
 * is written at or behind the first byte that was not parsed as IP, never over an address that the
 * switch decides by, and the frame is parsed again, since the field may have hit a TCP header.
 */
#include "backend/parse_vnet.h"

#include <errno.h>
#include <netinet/in.h>

#include "backend/bytes.h"
#include "backend/checksum_complete.h"
#include "backend/parse.h"

#define IPV6_HEADER_LENGTH 40
/* How many extension headers are followed; Linux sends at most three by itself. */
#define IPV6_EXTENSIONS_MAX 8
#define TCP_HEADER_MIN 20
#define TCP_CHECKSUM_OFFSET 16
#define UDP_HEADER_LENGTH 8
#define UDP_CHECKSUM_OFFSET 6

/* The L4 header of a datagram that is no fragment. */
struct l4_view {
	uint32_t offset;  /* where it starts in the frame, bytes */
	uint32_t end;	  /* where the datagram ends in the frame, bytes */
	uint8_t protocol; /* IP protocol number */
};

static int find_l4_ipv4(const struct packet *p, struct l4_view *ret_l4)
{
	if ((p->flags & PACKET_FRAGMENT) != 0)
		return -EINVAL;
	*ret_l4 = (struct l4_view){
		.offset = p->l4_offset,
		.end = p->l3_offset + p->l3_length,
		.protocol = p->l4_protocol,
	};
	return 0;
}

/*
 * Steps over one extension header (RFC 8200, 4; RFC 4302, 2.2). Returns 1 when there was one, 0
 * when `l4` stands on something else, -EINVAL when it lies or is a fragment header.
 */
static int skip_ipv6_extension(struct packet *p, struct l4_view *l4)
{
	const uint8_t *header;
	uint32_t unit;

	switch (l4->protocol) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		unit = 8;
		break;
	case IPPROTO_AH:
		unit = 4;
		break;
	case IPPROTO_FRAGMENT:
		return -EINVAL;
	default:
		return 0;
	}
	if (l4->end - l4->offset < 8 || packet_pull(p, l4->offset + 8) != 0)
		return -EINVAL;
	header = p->head + l4->offset;
	l4->protocol = header[0];
	l4->offset += unit == 8 ? (header[1] + 1U) * 8 : (header[1] + 2U) * 4;
	return l4->offset <= l4->end ? 1 : -EINVAL;
}

static int find_l4_ipv6(struct packet *p, struct l4_view *ret_l4)
{
	const uint8_t *ip = p->head + p->l3_offset;
	struct l4_view l4 = {.offset = p->l3_offset + IPV6_HEADER_LENGTH};
	int r = 1;

	if (packet_pull(p, l4.offset) != 0 || ip[0] >> 4 != 6)
		return -EINVAL;
	l4.end = l4.offset + load16(ip + 4);
	l4.protocol = ip[6];
	if (l4.end > p->length)
		return -EINVAL;

	for (int i = 0; i <= IPV6_EXTENSIONS_MAX && r > 0; i++)
		r = skip_ipv6_extension(p, &l4);
	if (r != 0)
		return -EINVAL;
	*ret_l4 = l4;
	return 0;
}

/*
 * The length of the TCP or UDP header whose checksum field the virtio header points at, pulled into
 * the head; 0 when it points elsewhere or there is no whole header.
 */
static uint32_t checksummed_header(struct packet *p, const struct l4_view *l4)
{
	uint32_t room = l4->end - l4->offset;
	uint32_t length;

	if (p->vnet.csum_start != l4->offset)
		return 0;
	if (l4->protocol == IPPROTO_UDP && p->vnet.csum_offset == UDP_CHECKSUM_OFFSET &&
		room >= UDP_HEADER_LENGTH && packet_pull(p, l4->offset + UDP_HEADER_LENGTH) == 0)
		return UDP_HEADER_LENGTH;
	if (l4->protocol != IPPROTO_TCP || p->vnet.csum_offset != TCP_CHECKSUM_OFFSET ||
		room < TCP_HEADER_MIN || packet_pull(p, l4->offset + TCP_HEADER_MIN) != 0)
		return 0;
	length = (uint32_t)(p->head[l4->offset + 12] >> 4) * 4;
	if (length < TCP_HEADER_MIN || length > room || packet_pull(p, l4->offset + length) != 0)
		return 0;
	return length;
}

/* Completes a partial checksum that lies at or behind byte `lowest` of the frame. */
static int complete_elsewhere(struct packet *p, uint32_t lowest)
{
	if (p->vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE || p->vnet.csum_start < lowest)
		return -EINVAL;
	if (checksum_complete(p) != 0)
		return -EINVAL;
	p->vnet = (struct virtio_net_hdr_v1){0};
	parse_packet(p);
	return 0;
}

/* Does the frame's kind of GSO go with its protocols? `uso`: UDP may have it too. */
static bool gso_type_fits(const struct packet *p, const struct l4_view *l4, bool uso)
{
	uint8_t type = p->vnet.gso_type;
	uint8_t tcp =
		(p->flags & PACKET_IPV4) != 0 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;

	if (l4->protocol == IPPROTO_UDP)
		return uso && type == VIRTIO_NET_HDR_GSO_UDP_L4;
	return (type & ~VIRTIO_NET_HDR_GSO_ECN) == tcp;
}

/* `headers`: all bytes before the payload. The partial checksum was found to be right in place. */
static int check_gso(struct packet *p, const struct l4_view *l4, uint32_t headers, bool uso)
{
	struct virtio_net_hdr_v1 *vnet = &p->vnet;

	if (vnet->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		vnet->gso_size = 0;
		vnet->hdr_len = 0;
		return 0;
	}
	if (!gso_type_fits(p, l4, uso) || vnet->gso_size < PARSE_GSO_SIZE_MIN)
		return -EINVAL;
	if (l4->end - headers <= vnet->gso_size) {
		vnet->gso_type = VIRTIO_NET_HDR_GSO_NONE;
		vnet->gso_size = 0;
		vnet->hdr_len = 0;
		return 0;
	}
	vnet->hdr_len = (uint16_t)headers;
	return 0;
}

int parse_vnet_offloads(struct packet *p, bool uso)
{
	struct virtio_net_hdr_v1 *vnet = &p->vnet;
	struct l4_view l4;
	uint32_t header;
	int r;

	if ((vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0) {
		if (vnet->gso_type != VIRTIO_NET_HDR_GSO_NONE)
			return -EINVAL;
		*vnet = (struct virtio_net_hdr_v1){0};
		return 0;
	}
	vnet->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vnet->num_buffers = 0;
	if ((p->flags & (PACKET_MALFORMED | PACKET_ARP)) != 0)
		return -EINVAL;
	if ((p->flags & (PACKET_IPV4 | PACKET_IPV6)) == 0)
		return complete_elsewhere(p, p->l3_offset);

	r = (p->flags & PACKET_IPV4) != 0 ? find_l4_ipv4(p, &l4) : find_l4_ipv6(p, &l4);
	if (r < 0)
		return r;
	packet_trim(p, l4.end);
	header = checksummed_header(p, &l4);
	if (header == 0)
		return complete_elsewhere(p, l4.offset);
	return check_gso(p, &l4, l4.offset + header, uso);
}

int parse_vnet_host(struct packet *p)
{
	bool valid = (p->vnet.flags & VIRTIO_NET_HDR_F_DATA_VALID) != 0;

	if ((p->vnet.flags | p->vnet.gso_type) == 0)
		p->vnet = (struct virtio_net_hdr_v1){0};
	else if (parse_vnet_offloads(p, true) != 0)
		return -EINVAL;
	if (valid && p->vnet.flags == 0)
		p->vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	return 0;
}
