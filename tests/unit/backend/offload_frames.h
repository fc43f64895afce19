/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames with right checksums, made with scapy 2.5.0, and the same with a partial checksum, as a
 * guest with VIRTIO_NET_F_CSUM sends them.
 */
#pragma once

#include <stdbool.h>

#include "tests/unit/frame.h"

static const char tcp4_frame[] =
	"525400123457525400123456080045000071000100004006a43eac100002c63364029c4000500000"
	"03e8000007d080182000520700000101080a00000001000000020726456483a2c1e0ff1e3d5c7b9a"
	"b9d8f71635547392b1d0ef0e2d4c6b8aa9c8e70625446382a1c0dffe1d3c5b7a99b8d7f615345372"
	"91b0cfee0d2c4b";

static const char udp4_frame[] =
	"525400123457525400123456080045000059000100004011a44bac100002c63364029c4000350045"
	"06c90726456483a2c1e0ff1e3d5c7b9ab9d8f71635547392b1d0ef0e2d4c6b8aa9c8e70625446382"
	"a1c0dffe1d3c5b7a99b8d7f61534537291b0cfee0d2c4b";

static const char tcp6_frame[] =
	"52540012345752540012345686dd6000000000510640fd000000000000000000000000000001fd00"
	"00000000000000000000000000029c400050000003e800000000501020006f3d00000726456483a2"
	"c1e0ff1e3d5c7b9ab9d8f71635547392b1d0ef0e2d4c6b8aa9c8e70625446382a1c0dffe1d3c5b7a"
	"99b8d7f61534537291b0cfee0d2c4b";

static const char udp6_ext_frame[] =
	"52540012345752540012345686dd60000000005d0040fd000000000000000000000000000001fd00"
	"00000000000000000000000000023c000104000000001101010c0000000000000000000000009c40"
	"00350045e30c0726456483a2c1e0ff1e3d5c7b9ab9d8f71635547392b1d0ef0e2d4c6b8aa9c8e706"
	"25446382a1c0dffe1d3c5b7a99b8d7f61534537291b0cfee0d2c4b";

static const char vxlan_frame[] =
	"525400123457525400123456080045000097000100004011a40dac100002c63364029c4012b50083"
	"00000c0000030000070002000000000102000000000208004500006500010000400666900a000001"
	"0a0000029c400050000003e80000000050102000553f00000726456483a2c1e0ff1e3d5c7b9ab9d8"
	"f71635547392b1d0ef0e2d4c6b8aa9c8e70625446382a1c0dffe1d3c5b7a99b8d7f61534537291b0"
	"cfee0d2c4b";

/* A UDP datagram whose sum comes out as zero: its checksum field says ffff. */
static const char udp4_zero_frame[] =
	"52540012345752540012345608004500001e000100004011a486ac100002c63364029c400035000a"
	"ffff8d1c";

struct offload_frame {
	const char *name;
	const char *hex;
	uint16_t csum_start;  /* of TCP or UDP, bytes from the start of the frame */
	uint16_t csum_offset; /* of the checksum in there, bytes */
	uint8_t protocol;     /* IP protocol number */
	bool ipv6;
};

enum {
	OFFLOAD_TCP4,
	OFFLOAD_UDP4,
	OFFLOAD_TCP6,
	OFFLOAD_UDP6,
	OFFLOAD_UDP4_ZERO,
	OFFLOAD_VXLAN,
	OFFLOAD_COUNT,
};

static const struct offload_frame offload_frames[OFFLOAD_COUNT] = {
	[OFFLOAD_TCP4] = {"tcp4", tcp4_frame, 34, 16, 6, false},
	[OFFLOAD_UDP4] = {"udp4", udp4_frame, 34, 6, 17, false},
	[OFFLOAD_TCP6] = {"tcp6", tcp6_frame, 54, 16, 6, true},
	[OFFLOAD_UDP6] = {"udp6 behind options", udp6_ext_frame, 78, 6, 17, true},
	[OFFLOAD_UDP4_ZERO] = {"udp4 zero", udp4_zero_frame, 34, 6, 17, false},
	[OFFLOAD_VXLAN] = {"tcp4 in vxlan", vxlan_frame, 84, 16, 6, false},
};

/* Loads the frame as it should be in the end, and with the pseudo-header's sum only. */
static inline uint32_t offload_frame_load(
	const struct offload_frame *o, uint8_t *whole, uint8_t *partial, uint32_t capacity)
{
	uint32_t length = frame_hex(o->hex, whole, capacity);
	uint32_t l4_length = length - o->csum_start;
	uint32_t sum = o->protocol + l4_length;

	if (o->ipv6)
		sum = frame_sum(sum, whole + 14 + 8, 32);
	else
		sum = frame_sum(sum, whole + o->csum_start - 8, 8);
	memcpy(partial, whole, length);
	partial[o->csum_start + o->csum_offset] = (uint8_t)(sum >> 8);
	partial[o->csum_start + o->csum_offset + 1] = (uint8_t)sum;
	return length;
}

/* The virtio header that goes with it. */
static inline struct virtio_net_hdr_v1 offload_frame_vnet(const struct offload_frame *o)
{
	return (struct virtio_net_hdr_v1){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = o->csum_start,
		.csum_offset = o->csum_offset,
	};
}
