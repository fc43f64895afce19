/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames as a guest builds and reads them, with checksums of their own: a reference that shares
 * nothing with the code under test.
 *
 * Addresses and ports are in host byte order here; the wire's order is this file's business.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

#define FRAMES_ETHERNET 14
#define FRAMES_IPV4 20
#define FRAMES_UDP 8
#define FRAMES_TCP 20
#define FRAMES_ICMP 8
#define FRAMES_ARP 28

#define FRAMES_TYPE_IPV4 0x0800
#define FRAMES_TYPE_ARP 0x0806
/* IEEE's EtherType for local experiments: nothing above Ethernet looks at such a frame. */
#define FRAMES_TYPE_EXPERIMENT 0x88b5

#define FRAMES_PROTOCOL_ICMP 1
#define FRAMES_PROTOCOL_TCP 6
#define FRAMES_PROTOCOL_UDP 17

#define FRAMES_ARP_REQUEST 1
#define FRAMES_ARP_REPLY 2
#define FRAMES_ICMP_ECHO_REPLY 0
#define FRAMES_ICMP_ECHO 8

#define FRAMES_TCP_ACK 0x10

extern const uint8_t frames_broadcast[6];
extern const uint8_t frames_zero[6];

/* One end of a conversation. */
struct frames_end {
	uint8_t mac[6];
	uint32_t ip;   /* host byte order */
	uint16_t port; /* host byte order; of ICMP: the identifier (source), sequence (target) */
};

/*
 * Each writes a whole frame with complete checksums and returns its length in bytes; `frame` must
 * have room for the headers and `size` bytes of payload. The IPv4 identification is 0 with DF set,
 * the TTL 64.
 */
uint32_t frames_ethernet(uint8_t *frame, const uint8_t target[6], const uint8_t source[6],
	uint16_t type, const void *payload, uint32_t size);
uint32_t frames_udp(uint8_t *frame, const struct frames_end *from, const struct frames_end *to,
	const void *payload, uint32_t size);
uint32_t frames_tcp(uint8_t *frame, const struct frames_end *from, const struct frames_end *to,
	uint32_t sequence, uint8_t flags, const void *payload, uint32_t size);
uint32_t frames_icmp_echo(uint8_t *frame, const struct frames_end *from,
	const struct frames_end *to, uint8_t type, const void *payload, uint32_t size);

/* An ARP packet about `from`, to `to`; a request goes to the broadcast address. */
uint32_t frames_arp(uint8_t *frame, uint16_t operation, const struct frames_end *from,
	const struct frames_end *to);

/*
 * Turns the complete checksum of a TCP or UDP frame into a partial one, and describes that in the
 * header: what a driver does that has acked CSUM.
 */
void frames_make_partial(uint8_t *frame, uint32_t length, struct virtio_net_hdr_v1 *vnet);

/* The same for TSO over IPv4, with segments of `mss` bytes of payload. */
void frames_make_tso4(
	uint8_t *frame, uint32_t length, uint16_t mss, struct virtio_net_hdr_v1 *vnet);

/* What a frame says. Fields of layers that it does not have are zero. */
struct frames_view {
	uint8_t target[6];
	uint8_t source[6];
	uint16_t type;	       /* EtherType */
	uint16_t operation;    /* of ARP */
	uint8_t arp_source[6]; /* hardware addresses inside of ARP */
	uint8_t arp_target[6];
	uint32_t ip_source; /* of ARP or IPv4 */
	uint32_t ip_target;
	uint8_t ttl;
	uint8_t protocol;
	uint16_t port_source; /* of ICMP: the identifier */
	uint16_t port_target; /* of ICMP: the sequence number */
	uint32_t sequence;    /* of TCP */
	uint8_t tcp_flags;
	uint8_t icmp_type;
	uint8_t icmp_code;
	const uint8_t *payload; /* behind the last header that is understood; in the frame */
	uint32_t payload_length;
	bool checksum_ip; /* IPv4's is right */
	bool checksum_l4; /* TCP's, UDP's or ICMP's is there and right; of UDP, also 0 (none) */
};

/* 0, or -EBADMSG for a frame whose lengths lie. `view` points into `frame`. */
int frames_parse(const uint8_t *frame, uint32_t length, struct frames_view *view);

/* Is the L4 checksum of this frame the partial one that NEEDS_CSUM promises? */
bool frames_is_partial(const uint8_t *frame, uint32_t length, const struct virtio_net_hdr_v1 *vnet);
