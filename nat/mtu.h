/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Links that are smaller than the packets (RFC 5508, REQ-9; RFC 1191; RFC 791; RFC 4459).
 *
 * With an MTU configured for a direction:
 *  - TCP connections learn of it in time: the MSS option of SYNs in both directions is lowered to
 *    what the smaller MTU carries;
 *  - a packet that is too long and must not be fragmented (DF) is refused, and its sender gets a
 *    fragmentation needed with that MTU;
 *  - one that may be is translated and cut; its fragments come out of nat_take().
 * A GSO frame counts as what will become of it: its segments.
 */
#pragma once

#include "nat/nat_private.h"

/* The length of the longest IPv4 packet that the frame will be on the link. */
static inline uint32_t mtu_needed(const struct packet *p)
{
	if (p->vnet.gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return p->l3_length;
	/* hdr_len is a hint only; a TCP header is at most 60 bytes. */
	return (uint32_t)(p->l4_offset - p->l3_offset) +
	       (p->l4_protocol == IPPROTO_TCP ? (uint32_t)(p->head[p->l4_offset + 12] >> 4) * 4
					      : 8u) +
	       p->vnet.gso_size;
}

static inline bool mtu_is_exceeded(
	const struct nat *nat, const struct packet *p, enum flow_direction direction)
{
	return __builtin_expect(p->l3_length > nat->mtu[direction], 0) &&
	       mtu_needed(p) > nat->mtu[direction];
}

/* Whether the too long packet, untranslated yet, must not be fragmented; its sender is told. */
bool mtu_refuses(struct nat *nat, const struct packet *p, enum flow_direction direction);

/* Cuts a too long packet, translated, into fragments for nat_take(). Returns what became of it:
 * NAT_VERDICT_KEPT or NAT_VERDICT_DROP. */
enum nat_verdict mtu_fragment(
	struct nat *nat, struct packet *p, enum flow_direction direction, enum nat_verdict verdict);

/* Lowers the MSS option of a SYN, and its checksum unless that is partial. */
void mtu_clamp_mss(const struct nat *nat, struct packet *p);
