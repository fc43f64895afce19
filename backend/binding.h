/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Anti-spoofing: which source addresses a guest's port may use.
 *
 *   mac= of a port       that port sends from it and from nothing else; no other port does
 *   ip= of a port        the same for IPv4 sources and ARP senders
 *   reserved addresses   the gateway's and the NAT's: no guest's port ever sends from them
 *
 * Ports that are not bound may use whatever is not bound or reserved. The IPv4 source 0.0.0.0 is
 * everybody's: DHCP (RFC 2131, 4.1) and ARP probes (RFC 5227, 2.1.1) need it. The sender hardware
 * address of an ARP packet is held to the same rules as the frame's source.
 *
 * Two kinds of frames cannot be judged, and are refused on every port, since a guest's kernel might
 * read more in them than we do: malformed IPv4 and ARP (Linux takes ARP of hardware type IEEE 802),
 * and more than one VLAN tag (Linux strips several priority tags).
 *
 * IPv6 sources are not bound: chnet is no IPv6 router. The port of the uplink is not checked at
 * all: behind it are all addresses of the world.
 *
 * `struct binding` is plain data: the control side fills one in and publishes it as a snapshot that
 * is not changed any more.
 */
#pragma once

#include <stdint.h>

#include "backend/ethernet.h"
#include "backend/port.h"

/* Reserved MACs, and reserved IPv4 addresses: gateway, NAT, and two to spare. */
#define BINDING_RESERVED_MAX 4
/* Slots of the hash sets below; at most (PORT_MAX + BINDING_RESERVED_MAX) are in use. */
#define BINDING_SLOTS 256

enum binding_result {
	BINDING_OK,
	BINDING_SPOOFED_MAC, /* Ethernet source or ARP sender hardware address */
	BINDING_SPOOFED_IP,  /* IPv4 source or ARP sender protocol address */
	BINDING_UNREADABLE,  /* cannot be judged */
};

struct binding {
	uint64_t mac[PORT_MAX];		/* mac= of each port (ethernet.h); 0: not bound */
	uint32_t ip_be[PORT_MAX];	/* ip= of each port, network byte order; 0: not bound */
	uint64_t macs[BINDING_SLOTS];	/* all bound and reserved MACs, linear probing; 0: free */
	uint32_t ips_be[BINDING_SLOTS]; /* the same for IPv4, network byte order */
	uint64_t reserved_mac[BINDING_RESERVED_MAX];   /* 0: none */
	uint32_t reserved_ip_be[BINDING_RESERVED_MAX]; /* network byte order; 0: none */
};

/* Nothing bound, nothing reserved. */
void binding_init(struct binding *binding);

/*
 * Reserve an address that no guest may use. Return 0; -EEXIST when a port is bound to it; -EINVAL
 * for an address that no station can have (for IPv4: 0.0.0.0); -ENOSPC after BINDING_RESERVED_MAX.
 */
int binding_reserve_mac(struct binding *binding, uint64_t mac);
int binding_reserve_ip(struct binding *binding, uint32_t ip_be);

/*
 * Binds `port` (below PORT_MAX) to `mac` and `ip_be`, 0 for what is to stay free, in place of what
 * it was bound to. Returns 0; -EEXIST when one of them is reserved or bound to another port;
 * -EINVAL for an address that no station can have. Nothing is changed on failure.
 */
int binding_set(struct binding *binding, uint16_t port, uint64_t mac, uint32_t ip_be);

/* May a guest's `port` (below PORT_MAX) send the parsed packet `p`? */
enum binding_result binding_check(
	const struct binding *binding, uint16_t port, const struct packet *p);
