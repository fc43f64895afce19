/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "backend/packet.h"

/*
 * Completes the partial checksum of a frame with VIRTIO_NET_HDR_F_NEEDS_CSUM (virtio 1.2, 5.1.6.2):
 * sums from csum_start to the end of the frame, the pseudo-header's sum in the field included, and
 * writes the result into `head`; pulls the field in if need be. The flag and csum_* are then clear.
 * A result of zero goes as 0xffff: UDP needs it, and to others it is the same number.
 *
 * The payload is read in the sender's memory, and read again when the frame is copied to where it
 * goes. A guest that changes its bytes in between makes its own frame's checksum wrong and harms
 * nobody else: the receiver drops the frame.
 *
 * Returns 0 (also when there was nothing to do); -EINVAL, the packet's bytes unchanged, when the
 * field lies outside of the frame or of PACKET_HEAD_CAPACITY, or for a GSO frame: those are
 * completed by segment.c, frame by frame.
 */
int checksum_complete(struct packet *p);
