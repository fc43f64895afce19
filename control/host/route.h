/* SPDX-License-Identifier: BSD-3-Clause */
/* The way out of the host. */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>

struct nl_sock;

/* Where packets for the world leave. */
struct route_egress {
	char interface[IFNAMSIZ]; /* its name */
	int index;		  /* its number */
	struct in_addr source_be; /* the host's address there, as the kernel chooses it for packets
				   * of its own; 0.0.0.0 when it has none */
	uint32_t mtu;		  /* the longest IPv4 packet there, bytes: the route's, or else
				   * the interface's */
};

/*
 * Asks the kernel by which interface the host reaches the world: by the default route with the
 * lowest metric, or by what takes its place in the host's routing policy, as a VPN's table or a
 * pair of half defaults (0.0.0.0/1, 128.0.0.0/1). Nothing is sent.
 *
 * Returns 0; -ENOENT when there is no way out, or only by interface `except` (0: none) or back to
 * the host: guests then do not reach the world, which is no fault; or a negative errno.
 */
int route_find_egress(struct nl_sock *socket, int except, struct route_egress *ret_egress);
