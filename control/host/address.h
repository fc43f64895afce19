/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv4 addresses of interfaces, and what would collide with a network of ours. */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct nl_sock;

/* Something of the host that lies in our way. */
struct address_collision {
	char interface[IFNAMSIZ];  /* whose address or route it is; "?" when it is gone by now */
	struct in_addr address_be; /* the address, or the route's destination */
	uint8_t prefix_length;	   /* of the network it belongs to, bits */
	bool route;		   /* it is a route, not an address */
};

/* The netmask of `prefix_length` bits (0 to 32), network byte order. */
struct in_addr address_netmask_be(uint8_t prefix_length);

/* Adds address_be/prefix_length to interface `index`. 0, -EEXIST, -EPERM, or negative errno. */
int address_add(
	struct nl_sock *socket, int index, struct in_addr address_be, uint8_t prefix_length);

/*
 * Whether interface `index` has the address address_be/prefix_length. Returns 1, 0, or a negative
 * errno.
 */
int address_has(
	struct nl_sock *socket, int index, struct in_addr address_be, uint8_t prefix_length);

/*
 * Looks for an address of another interface than `index` (0: of any) whose network overlaps
 * network_be/prefix_length, and then for a route to a part or the whole of it. A route to a wider
 * network is no collision: ours is more specific and wins. Returns 1 and fills `ret_collision` when
 * there is one, 0 when there is none, or a negative errno.
 */
int address_find_collision(struct nl_sock *socket, int index, struct in_addr network_be,
	uint8_t prefix_length, struct address_collision *ret_collision);
