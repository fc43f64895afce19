/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet is a view, not a buffer.
 *
 * The first bytes of the frame (enough for every header that chnet reads or rewrites) are a private
 * copy in `head`; the rest still lies in the sender's memory (a guest's buffers, or the TAP port's)
 * and is described by `segments`. The sender's memory is borrowed from port.rx_burst() until
 * port.rx_done(): a stage that keeps a packet longer copies it (packet_store).
 *
 * Rules that keep hostile guests out:
 *  - nothing is read twice from guest memory: what was checked in `head` is what is sent;
 *  - `head` may be rewritten in place; bytes behind it are never interpreted, except through
 *    packet_pull(), which moves them into `head` first (once), or packet_read(), whose result must
 *    not be sent back as checked;
 *  - all lengths here are our own, bounded by PACKET_LENGTH_MAX.
 *
 * This header needs neither DPDK nor librte_vhost, so that nat/ and guest/services/ can use it.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "virtio 1.2 fields are little endian");

/* Room for private bytes: Ethernet, a VLAN tag, IPv4 with options, ICMP, and inside of that a
 * second IPv4 header with options and the first bytes of TCP; or TCP with all its options. */
#define PACKET_HEAD_CAPACITY 256
/* How many bytes a port copies at first. */
#define PACKET_HEAD_INITIAL 128
/* The longest frame: an IPv4 datagram of 65,535 bytes behind an Ethernet header and a VLAN tag. */
#define PACKET_LENGTH_MAX (65535 + 18)
/* The most segments behind the head; a frame in more pieces is refused by the port. */
#define PACKET_SEGMENTS_MAX 256

#define ETHERNET_HEADER_LENGTH 14
#define ETHERNET_ADDRESS_LENGTH 6

/* What parse() found; kept as bits since an ICMP error can be a fragment, and so on. */
enum packet_flag {
	PACKET_IPV4 = 1 << 0,	  /* a whole, well-formed IPv4 header lies at l3_offset */
	PACKET_IPV6 = 1 << 1,	  /* EtherType says IPv6; nothing else was checked */
	PACKET_ARP = 1 << 2,	  /* a whole ARP packet for IPv4 over Ethernet lies at l3_offset */
	PACKET_L4 = 1 << 3,	  /* a whole TCP, UDP or ICMP header lies at l4_offset */
	PACKET_FRAGMENT = 1 << 4, /* IPv4 fragment, the first one included */
	PACKET_LATER_FRAGMENT =
		1 << 5,		   /* IPv4 fragment with an offset: no L4 header (no PACKET_L4) */
	PACKET_BROADCAST = 1 << 6, /* Ethernet destination is a group address */
	/* no whole Ethernet header, or IPv4 or ARP whose lengths or version lie */
	PACKET_MALFORMED = 1 << 7,
};

struct packet {
	/* Private copy of the frame's first head_length bytes (Ethernet header first). */
	uint8_t head[PACKET_HEAD_CAPACITY] __attribute__((aligned(64)));
	/* The virtio-net header that goes with the frame (virtio 1.2, 5.1.6), little endian.
	 * num_buffers is not used: the port that sends fills it in. */
	struct virtio_net_hdr_v1 vnet;
	uint32_t length;      /* the whole frame, head included, without the virtio header; bytes */
	uint16_t head_length; /* valid bytes in head; at most length */
	uint16_t segment_count; /* entries in segments; their lengths add up to length - head_length
				 */
	struct iovec
		*segments; /* borrowed: the bytes behind head, in order; may lie in guest memory */

	/* Filled in by parse(). Offsets count from the start of head. */
	uint16_t flags;	    /* enum packet_flag */
	uint16_t l3_offset; /* of the header behind Ethernet and at most one VLAN tag */
	uint16_t
		l4_offset; /* of TCP, UDP, ICMP; also set for other protocols (then no PACKET_L4) */
	uint16_t ethertype;  /* host byte order, behind a VLAN tag */
	uint8_t l4_protocol; /* IPv4 protocol number when PACKET_IPV4 */

	uint8_t reason; /* why a stage refused the packet: that stage's own enumeration */
	uint16_t port;	/* index of the port that it came from */
	uint16_t slot; /* 1 + index of the uplink's slot that the frame lies in (tap_port.h): it may
			* be held; 0: it lives until the end of the breath */
	uint32_t l3_length; /* IPv4 total length (bytes) when PACKET_IPV4, checked against length;
			     * Ethernet padding may follow it in the frame */
};

/*
 * Makes sure that `head` holds at least `length` bytes by moving bytes out of the segments.
 * Returns 0; -EMSGSIZE when the frame is shorter or `length` exceeds PACKET_HEAD_CAPACITY (the
 * packet is then unchanged). Modifies `segments` (not the memory behind it).
 */
int packet_pull(struct packet *p, uint32_t length);

/* Copies `length` bytes at `offset` of the frame to `buffer`. 0, or -EMSGSIZE beyond its end. */
int packet_read(const struct packet *p, uint32_t offset, void *buffer, uint32_t length);

/*
 * Cuts the frame to `length` bytes (no effect when it is shorter already).
 */
void packet_trim(struct packet *p, uint32_t length);

/*
 * Copies packet `p` so that it outlives rx_done(): the bytes behind the head go to `buffer` of
 * `capacity` bytes, which the caller owns, and `ret_segment` describes them. Returns 0, or -ENOSPC
 * when they do not fit (`copy` is then untouched).
 */
int packet_store(const struct packet *p, void *buffer, uint32_t capacity, struct packet *copy,
	struct iovec *ret_segment);
