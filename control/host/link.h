/* SPDX-License-Identifier: BSD-3-Clause */
/* Properties of network interfaces, over a socket of netlink_open(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a MAC address. */
#define LINK_MAC_LENGTH 6

struct nl_sock;

/* What the kernel says about an interface. */
struct link_info {
	int index;		      /* number of the interface, above 0 */
	bool up;		      /* it is switched on (IFF_UP) */
	bool tun;		      /* it is a TUN or TAP */
	uint32_t mtu;		      /* bytes behind the Ethernet header */
	uint8_t mac[LINK_MAC_LENGTH]; /* all zero when it has none, as loopback or a tunnel */
};

/* Looks an interface up by name. Returns 0, -ENODEV when there is none, or a negative errno. */
int link_get(struct nl_sock *socket, const char *name, struct link_info *ret_info);

/* Writes the name of interface `index`, terminated, to `name`. 0, -ENODEV, or negative errno. */
int link_name(struct nl_sock *socket, int index, char *name, size_t size);

/*
 * Removes interface `index` when its name is still `name`. Returns 0, also when there is none any
 * more, or a negative errno.
 */
int link_remove(struct nl_sock *socket, int index, const char *name);

/* Each changes one property of interface `index`. Return 0, -EPERM, -ENODEV, -EINVAL, … */
int link_set_up(struct nl_sock *socket, int index, bool up);
int link_set_mtu(struct nl_sock *socket, int index, uint32_t mtu);
int link_set_mac(struct nl_sock *socket, int index, const uint8_t mac[LINK_MAC_LENGTH]);
