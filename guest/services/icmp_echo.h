/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/packet.h"

/*
 * When the parsed packet `p` is an ICMP echo request (RFC 792; RFC 1122, 3.2.2.6) to `address_be`
 * (network byte order), turns it into the reply in place, to be sent where it came from, and
 * returns true; else leaves it alone and returns false.
 *
 * For networks in which chnet itself is the gateway. The payload stays where it is, in segments:
 * the ICMP checksum is updated, not summed, so that a wrong one stays wrong and the guest drops the
 * reply. Not answered: fragments, Ethernet broadcasts, sources that are no host, and datagrams with
 * a wrong header checksum.
 */
bool icmp_echo_answer(struct packet *p, uint32_t address_be);
