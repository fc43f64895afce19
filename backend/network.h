/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who is who on the guests' LAN. Fixed for the life of a data plane.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Of the LAN: bytes of an IP datagram. The TAP has the kernel's default. */
#define NETWORK_MTU 1500

struct network {
	uint32_t lan_be;      /* network address */
	uint32_t mask_be;     /* netmask */
	uint8_t prefix;	      /* its length in bits */
	uint32_t gateway_be;  /* the host's address on the TAP; with no uplink, ours */
	uint32_t outside_be;  /* the NAT's outside address; 0 without a NAT of ours */
	uint64_t gateway_mac; /* the TAP's own; with no uplink, ours (ethernet.h) */
	uint64_t nat_mac;     /* behind which the host finds outside_be */
	bool has_uplink;      /* a TAP with the host behind it */
};

/* Is this address on the LAN? Network byte order. */
static inline bool network_is_inside(const struct network *network, uint32_t address_be)
{
	return (address_be & network->mask_be) == network->lan_be;
}
