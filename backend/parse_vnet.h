/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes the virtio-net header of a parsed frame trustworthy, so that neither the kernel (behind the
 * TAP), nor another guest, nor segment.c ever acts on a guest's unchecked number.
 */
#pragma once

#include <stdbool.h>

#include "backend/packet.h"

/* A UDP frame to be cut into datagrams (Linux 6.2; virtio 1.3, 5.1.6: USO). */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/*
 * The smallest gso_size taken: Linux' own lower limit (TCP_MIN_GSO_SIZE). It bounds what one frame
 * of a guest can be cut into: 8,192 pieces.
 */
#define PARSE_GSO_SIZE_MIN 8

/* The part of parse_vnet() for frames that want something, `uso` being whether that may be USO; not
 * to be called by itself. */
int parse_vnet_offloads(struct packet *p, bool uso);

/*
 * Checks the virtio-net header of a parsed frame from a guest and makes it canonical:
 *
 *   flags       VIRTIO_NET_HDR_F_NEEDS_CSUM or nothing (virtio 1.2, 5.1.6.2: DATA_VALID and
 *               RSC_INFO are not for drivers to set)
 *   csum_*      with NEEDS_CSUM: the checksum field of the TCP or UDP header that was parsed, which
 *               lies in `head`; else 0. A partial checksum elsewhere (that of a packet inside of a
 *               tunnel) is completed here, and the packet parsed again.
 *   gso_type    NONE, TCPV4 or TCPV6 (with or without ECN) on a TCP frame of that family with
 *               NEEDS_CSUM; NONE when the payload fits into one frame anyway
 *   gso_size    0 without GSO, else at least PARSE_GSO_SIZE_MIN
 *   hdr_len     our own count of the header bytes with GSO, else 0
 *
 * A frame with NEEDS_CSUM is cut behind its IP datagram, so that "to the end of the frame" and "to
 * the end of the datagram" mean the same. Works for IPv4 and for IPv6 with a few extension headers.
 *
 * Returns 0, or -EINVAL when the header lies; the frame must then be dropped.
 */
static inline int parse_vnet(struct packet *p)
{
	if (__builtin_expect((p->vnet.flags | p->vnet.gso_type) != 0, 0))
		return parse_vnet_offloads(p, false);
	p->vnet = (struct virtio_net_hdr_v1){0};
	return 0;
}

/*
 * The same for a frame from the host's kernel, which may also say VIRTIO_NET_HDR_F_DATA_VALID
 * ("checked already"); the port that sends to a guest masks it when that guest did not negotiate
 * VIRTIO_NET_F_GUEST_CSUM. Its gso_type may also be UDP_L4, on a UDP frame: guests are not offered
 * that, so it is cut for each of them (segment.h).
 */
int parse_vnet_host(struct packet *p);
