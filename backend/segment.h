/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cuts a TSO frame (virtio 1.2, 5.1.6.2.2) into frames that its receiver can take: for ports whose
 * guest did not negotiate TSO, or takes no frame beyond some size at all. The host's kernel also
 * delivers UDP frames that are to be cut into datagrams (USO).
 *
 * The frame has been through parse_vnet(), so hdr_len, gso_size and csum_start are true. Each piece
 * is a packet of its own: headers in its head, and its share of the payload as slices of the
 * sender's segments; payload that lies in the sender's head is copied. Nothing is allocated, and
 * the payload's bytes are not touched. Pieces borrow what the frame borrows.
 *
 * What differs between the pieces (RFC 9293; RFC 3168, 6.1.2; Linux' tcp_gso_segment() and
 * inet_gso_segment() do the same):
 *
 *   IPv4      total length; identification, one more each; header checksum, summed anew
 *   IPv6      payload length
 *   TCP       sequence number; FIN and PSH only in the last; CWR only in the first
 *   UDP       length
 *   checksum  stays partial: the pseudo-header's sum with this piece's length. For a receiver
 *             without VIRTIO_NET_F_GUEST_CSUM call checksum_complete() on each piece.
 *
 * The partial checksum of a TSO frame holds the whole length in its pseudo-header (it does not for
 * some hardware); what is written here is computed from it, so that the frame's own sum is kept,
 * right or wrong.
 */
#pragma once

#include "backend/packet.h"

struct segmenter {
	const struct packet *frame; /* borrowed: neither it nor its segments may change meanwhile */
	uint32_t headers;	    /* bytes before the payload, copied to each piece */
	uint32_t share;		    /* payload of each piece but the last, bytes */
	uint32_t done;		    /* payload bytes given out */
	uint32_t segment_offset;    /* bytes of the current segment given out */
	uint16_t segment;	    /* index of the current segment */
	uint16_t pieces;	    /* given out so far */
};

/*
 * Begins with `frame`, whose pieces may have at most `frame_max` bytes, Ethernet header included.
 * Pieces carry gso_size bytes, or fewer when frame_max says so. Returns 0; -EINVAL when `frame` has
 * no GSO; -EMSGSIZE when no payload fits into frame_max.
 */
int segment_init(struct segmenter *segmenter, const struct packet *frame, uint32_t frame_max);

/*
 * Makes `piece` the next one. `storage` of `max` entries is for its segments and belongs to the
 * caller, as long as the piece is in use; frame->segment_count entries are always enough. Returns
 * 1; 0 after the last piece; -ENOSPC when `max` is too small (nothing is lost: call again with
 * more).
 */
int segment_next(
	struct segmenter *segmenter, struct packet *piece, struct iovec *storage, uint16_t max);
