/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames as bytes: where their fields lie (IEEE 802.3, RFC 826, 791, 792, 768, 9293), and what this
 * station has to know to write them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FRAME_MAC_LENGTH 6
#define FRAME_MAX 1514 /* bytes, with the Ethernet header */

/* Ethernet header */
#define FRAME_DESTINATION 0
#define FRAME_SOURCE 6
#define FRAME_KIND 12
#define FRAME_HEADER 14
#define FRAME_KIND_IPV4 0x0800
#define FRAME_KIND_ARP 0x0806

/* Protocols above IPv4. */
#define FRAME_ICMP 1
#define FRAME_TCP 6
#define FRAME_UDP 17

#define FRAME_IP_HEADER 20 /* as we write it: without options */
#define FRAME_UDP_HEADER 8
#define FRAME_ICMP_HEADER 8 /* of an echo */
/* The most above the IP header. */
#define FRAME_IP_PAYLOAD (FRAME_MAX - FRAME_HEADER - FRAME_IP_HEADER)

/* Where what is above the IP header lies in a frame of ours. */
#define FRAME_PAYLOAD (FRAME_HEADER + FRAME_IP_HEADER)

/* Who we are, and who leads further. */
struct frame_station {
	uint8_t mac[FRAME_MAC_LENGTH];
	uint8_t gateway_mac[FRAME_MAC_LENGTH]; /* broadcast until it is known */
	uint32_t ip_be;			       /* 0: none yet */
};
