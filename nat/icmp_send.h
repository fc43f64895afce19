/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP errors that the NAT itself sends (RFC 792, RFC 1812 4.3.2). They come out of nat_take().
 * No more than ICMP_SEND_BURST at once and ICMP_SEND_PER_SECOND in the long run, for each budget;
 * errors about errors, later fragments, or to nobody in particular are never sent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "nat/nat.h"

#define ICMP_SEND_PER_SECOND 1000
#define ICMP_SEND_BURST 100
/* Of the datagram that an error quotes: its header and as much as RFC 1812 asks for that is in
 * the head of a frame. */
#define ICMP_SEND_QUOTE_MAX (PACKET_HEAD_CAPACITY - ETHERNET_HEADER_LENGTH - 20 - 8)

/* Apart, so that a guest at its limit cannot use up what path MTU discovery needs. */
enum icmp_budget {
	ICMP_BUDGET_PATH,    /* about one packet and its path */
	ICMP_BUDGET_REFUSED, /* about new sessions that were refused */
};
#define ICMP_BUDGET_COUNT (ICMP_BUDGET_REFUSED + 1)

struct icmp_error {
	uint8_t type;
	uint8_t code;
	uint16_t mtu;	      /* with type 3, code 4: of the next hop, bytes; else 0 */
	uint32_t source_be;   /* who says so */
	const uint8_t *about; /* the datagram, from its IPv4 header on; sent to its source */
	uint16_t length; /* of what there is of it, bytes; at most ICMP_SEND_QUOTE_MAX is used */
	enum nat_verdict verdict; /* where the error goes */
	enum icmp_budget budget;  /* that it is sent from */
};

/* Whether no error is sent about this datagram (RFC 1812, 4.3.2.7); more of it than `length` bytes
 * is not looked at. */
bool icmp_send_is_forbidden(const struct icmp_error *error);

/*
 * Makes `p` the error: a parsed frame without segments whose Ethernet addresses are zero. `id_be`
 * is its IPv4 identification. Verdict and budget are not looked at.
 */
void icmp_send_fill(struct packet *p, const struct icmp_error *error, uint16_t id_be);

/* Makes the frame ready. 0, -EBUSY (too many), -ENOBUFS (no frame), -EINVAL (none may be sent). */
int icmp_send(struct nat *nat, const struct icmp_error *error);
