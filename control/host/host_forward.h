/* SPDX-License-Identifier: BSD-3-Clause */
/* A port forward as the host's rules see it. */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

/* Most forwards of a network: as many as the NAT takes. */
#define HOST_FORWARDS_MAX 128

/* Most ports of all ranges together that NFT_NAT_KERNEL leads to other ports than they have: each
 * costs two rules. Our own NAT has no such limit. */
#define HOST_FORWARD_SHIFTED_MAX 512

/*
 * The host takes `count` ports from listen_port on and passes each to the port of the guest that is
 * as far from to_port. Ports are in host byte order.
 */
struct host_forward {
	struct in_addr listen_be; /* the host's address where it is taken; 0.0.0.0: any of its
				   * addresses, loopback included */
	struct in_addr to_be;	  /* the guest */
	uint16_t listen_port;	  /* first port that the host takes */
	uint16_t to_port;	  /* first port of the guest */
	uint16_t count;		  /* ports, at least 1 */
	uint8_t protocol;	  /* IPPROTO_TCP or IPPROTO_UDP */
};

/* A number that two lists share when they are the same forwards in the same order (FNV-1a of
 * words). */
uint64_t host_forward_digest(const struct host_forward *forwards, size_t count);
