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
	struct in_addr source_be; /* the host's address there, as the kernel would choose it;
				   * 0.0.0.0 when the interface has none */
	uint32_t metric;	  /* of the default route; lower is better */
};

/*
 * Finds the interface of the IPv4 default route with the lowest metric in the main table, leaving
 * out interface `except` (0: none) and next hops that the kernel calls dead. Returns 0; -ENOENT
 * when there is no such route: guests then have no way into the world, which is no fault; or a
 * negative errno.
 */
int route_find_egress(struct nl_sock *socket, int except, struct route_egress *ret_egress);
