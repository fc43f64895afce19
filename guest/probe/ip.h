/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv4 without options and fragments of our own (RFC 791). Every checksum of what comes in is
 * verified here, that of the header and that of ICMP, UDP or TCP, and counted.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "guest/probe/frame.h"

/* A datagram that came in; all lengths are checked. */
struct ip_datagram {
	uint32_t source_be;
	uint32_t destination_be;
	uint8_t protocol;	/* FRAME_ICMP, FRAME_UDP or FRAME_TCP */
	const uint8_t *payload; /* the header of that protocol, which is all there */
	size_t length;		/* of the payload, bytes */
};

/* What was seen. */
struct ip_tally {
	uint32_t checksums;    /* that were verified */
	uint32_t bad_headers;  /* wrong checksums of IPv4 headers */
	uint32_t bad_payloads; /* of ICMP, UDP and TCP */
	uint32_t malformed;    /* lengths that lie */
	uint32_t fragments;    /* which nobody sends to us */
	uint32_t other;	       /* protocols that are none of ours */
};

/*
 * Reads the IPv4 frame of `length` bytes. Returns 0, or a negative errno after counting why not.
 */
int ip_read(const uint8_t *frame, size_t length, struct ip_tally *tally,
	struct ip_datagram *ret_datagram);

/*
 * Completes a frame whose payload of `length` bytes (at most FRAME_IP_PAYLOAD) lies at
 * FRAME_PAYLOAD with its checksum field zero: that checksum, the IPv4 and the Ethernet header, to
 * the gateway's MAC. Returns the length of the frame, bytes.
 */
size_t ip_write(const struct frame_station *station, uint32_t destination_be, uint8_t protocol,
	size_t length, uint8_t frame[FRAME_MAX]);
