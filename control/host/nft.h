/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Our own nftables table: what lets guests out of the host, and nothing else.
 *
 * The table is named after the TAP, belongs to the netlink socket that made it (owner flag, Linux
 * 5.12) and vanishes with it, so that a crash leaves no rule behind; nobody else can change it.
 */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/host/host_forward.h"

struct nft;

/* Whose packets leave the host. */
enum nft_nat {
	NFT_NAT_USER,	/* only those of the outside address, that is, of our own NAT */
	NFT_NAT_KERNEL, /* those of the whole LAN: the kernel translates every guest */
};

struct nft_config {
	char tap[IFNAMSIZ];	   /* our TAP; a name that tap_name_check() accepts */
	char egress[IFNAMSIZ];	   /* the only way out; empty = anything but the TAP */
	struct in_addr network_be; /* the guests' LAN; host bits do not matter */
	uint8_t prefix_length;	   /* its length, 1 to 32 bits */
	struct in_addr outside_be; /* outside address of our NAT, for NFT_NAT_USER */
	enum nft_nat nat;	   /* whose packets leave */
	struct in_addr egress_be;  /* the host's address there; 0.0.0.0 = not known */
	bool no_owner;		   /* do without the owner flag, as on a kernel that lacks it */
	uint16_t outside_low;	   /* ports, both ends included, host byte order, that belong to */
	uint16_t outside_high;	   /* our NAT alone, for NFT_NAT_USER; 0, 0 = none */
	size_t forward_count;	   /* ports of the host that lead to guests */
	struct host_forward forwards[HOST_FORWARDS_MAX];
};

/* Bytes of a table's name, its terminator included. */
#define NFT_TABLE_SIZE (sizeof("chnet-") + IFNAMSIZ - 1)

/* Writes the name of the table that goes with `tap`, terminated. */
void nft_table_name(const char *tap, char name[NFT_TABLE_SIZE]);

/*
 * Makes the table in one transaction, in place of one that a crash left behind. `ret_nft` becomes
 * the caller's, to be closed with nft_close(); the rules live as long as it.
 *
 * Returns 0; -EBUSY when another live process owns the table; -EPERM without CAP_NET_ADMIN;
 * -EPROTONOSUPPORT or -EOPNOTSUPP without nf_tables in the kernel; -ENOENT when a part of it (masq,
 * ct) is missing; or a negative errno.
 */
int nft_open(const struct nft_config *config, struct nft **ret_nft);

/*
 * Lets packets leave through `egress` instead (empty: anything but the TAP), where the host has
 * address_be (0.0.0.0: not known), in one transaction: no packet sees half a rule set. Returns 0,
 * -ENAMETOOLONG, or a negative errno; the rules are then unchanged.
 */
int nft_set_egress(struct nft *nft, const char *egress, struct in_addr address_be);

/*
 * Makes these the forwarded ports, in one transaction. Connections that exist go on. Returns 0,
 * -ENOSPC beyond HOST_FORWARDS_MAX, or a negative errno; the rules are then unchanged.
 */
int nft_set_forwards(struct nft *nft, const struct host_forward *forwards, size_t count);

/* Tells whether the rules keep no state for the outside ports; they need the way out and the host's
 * address there, and masquerade without. */
bool nft_is_stateless(const struct nft_config *config);

/* Tells whether any of the forwards listens on a loopback address. */
bool nft_forward_needs_loopback(const struct host_forward *forwards, size_t count);

/* Tells whether the kernel removes the table by itself when this process dies. */
bool nft_is_owned(const struct nft *nft);

/* Tells whether the present rules keep no state for the outside ports. */
bool nft_keeps_no_state(const struct nft *nft);

/* Removes the table. NULL is allowed. */
void nft_close(struct nft *nft);

/*
 * Removes the table of `tap` that was made without an owner and left behind on purpose
 * (nft_config.no_owner). Returns 0, also when there is none; -EPERM when a live process owns it; or
 * a negative errno.
 */
int nft_remove(const char *tap);

/* In a child of fork(): closes the child's copy; the table stays the parent's. NULL is allowed. */
void nft_close_in_child(struct nft *nft);
