/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the stations of one run send, and how their drivers lay it out in descriptors.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/frontend/frames.h"
#include "tests/frontend/frontend.h"

enum workload_kind {
	WORKLOAD_UDP,  /* complete checksums, no offload: any frame size */
	WORKLOAD_TCP,  /* complete checksums, no offload, as a guest without TSO sends */
	WORKLOAD_TSO,  /* partial checksum and TCPv4 segmentation */
	WORKLOAD_ICMP, /* echo requests with complete checksums, of one flow */
};

enum workload_layout {
	WORKLOAD_LINEAR,   /* header and frame in one descriptor: Linux, small frames */
	WORKLOAD_APART,	   /* the header in a descriptor of its own: Linux before 1.0, RedoxOS */
	WORKLOAD_INDIRECT, /* an indirect table of headers, then 32 KiB pieces: Linux, TSO */
};

/* Bytes of payload in one TSO segment: an MTU of 1500 less IPv4, TCP and its time-stamp option. */
#define WORKLOAD_SEGMENT 1448

struct workload {
	enum workload_kind kind;
	enum workload_layout layout;
	uint32_t frame_length; /* bytes, without virtio-net header and FCS */
	uint32_t first_flow;   /* of them */
	uint32_t flows;	       /* tuples in turn; more than a ring holds only with UDP or TSO */
	uint32_t rx_buffer;    /* bytes of a receive buffer, header included */
	uint16_t queue_size;   /* entries of each ring */
	uint16_t batch;	       /* frames shown to the device at a time, at least */
	uint16_t window; /* frames in flight of each sender, at most; 0: what the ring holds */
	bool untouched;	 /* frames are sent again as they are, not stamped anew */
	bool stream;	 /* TCP: sequence numbers count the payload of each flow */
	bool mergeable;	 /* MRG_RXBUF */
	bool event_idx;	 /* EVENT_IDX */
};

/* A frame's mark: what a receiver samples. The two words add up to a constant in the Internet
 * checksum's arithmetic, so that writing another number leaves a complete checksum complete. */
struct workload_stamp {
	uint32_t sequence;
	uint32_t complement; /* ~sequence */
} __attribute__((packed));

/* Ethernet, IPv4 and UDP, TCP or ICMP headers, bytes. */
static inline uint32_t workload_headers(const struct workload *workload)
{
	static const uint8_t l4[] = {
		[WORKLOAD_UDP] = FRAMES_UDP,
		[WORKLOAD_TCP] = FRAMES_TCP,
		[WORKLOAD_TSO] = FRAMES_TCP,
		[WORKLOAD_ICMP] = FRAMES_ICMP,
	};
	return FRAMES_ETHERNET + FRAMES_IPV4 + l4[workload->kind];
}

/* Where the stamp lies in a frame, bytes: behind the longest headers; as the sender places frames
 * (sender.c), all of it in one cache line. */
#define WORKLOAD_STAMP_OFFSET (FRAMES_ETHERNET + FRAMES_IPV4 + FRAMES_TCP)

/* The shortest frame of this kind: headers and stamp. */
#define WORKLOAD_FRAME_MIN (WORKLOAD_STAMP_OFFSET + (uint32_t)sizeof(struct workload_stamp))

/* Guest `index` of a run: 52:54:00:12:34:56 and 172.16.0.2, and those that follow. */
struct frames_end workload_end(unsigned int index);

/* The gateway of all of them, 172.16.0.1; its MAC address is not known here. */
struct frames_end workload_gateway(void);

/* Does what goes to that address (host byte order) leave the guests' LAN? */
bool workload_leaves(uint32_t ip);

/* Source port of a flow in its two low bytes and destination port in the two high ones, both in
 * network byte order: what is written over the start of the L4 header. */
uint32_t workload_ports(uint32_t flow);

/* A flow whose destination port nothing else uses, for what is answered: 5101. */
#define WORKLOAD_ANSWERED_FLOW 5000000u
#define WORKLOAD_ANSWERED_PORT 5101u

/* Gives a TCP header another sequence number (host byte order), and with `complete` what that
 * changes of its checksum. */
void workload_set_sequence(uint8_t *tcp, uint32_t sequence, bool complete);

/*
 * Builds the frame of `flow` from one guest to another, stamped with `sequence`. `frame` has room
 * for frame_length bytes.
 */
void workload_build(const struct workload *workload, const struct frames_end *from,
	const struct frames_end *to, uint32_t flow, uint32_t sequence, uint8_t *frame,
	struct virtio_net_hdr_v1 *vnet);
