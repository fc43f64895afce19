/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Other people's rules that stop our guests.
 *
 * An accept in our table ends only our own chain: a drop in another base chain of the forward hook
 * (docker, ufw, firewalld, an administrator's) still wins, and only a rule in that place can mend
 * it. This finds such chains and names the rule.
 */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a name of nftables, its terminator included (NFT_NAME_MAXLEN). */
#define NFT_FOREIGN_NAME_SIZE 256

/* Our traffic: from `tap` out by `egress`, the answers, and connections to forwarded ports. */
struct nft_foreign_query {
	char tap[IFNAMSIZ];	   /* our TAP */
	uint32_t tap_index;	   /* its number; 0 = not known */
	char egress[IFNAMSIZ];	   /* the way out; empty = not known */
	uint32_t egress_index;	   /* its number; 0 = not known */
	struct in_addr outside_be; /* source of what leaves; 0.0.0.0 = several */
	bool stateless;		   /* it is not tracked */
	bool forwards;		   /* there are forwarded ports */
	const char *own_table;	   /* ip table to leave out, ours; NULL = none */
};

/* A base chain that stops our traffic, or may do so. */
struct nft_foreign_finding {
	const char *family;		      /* "ip" or "inet"; static */
	char table[NFT_FOREIGN_NAME_SIZE];    /* its table */
	char chain[NFT_FOREIGN_NAME_SIZE];    /* its name */
	bool out;			      /* packets to the world are dropped */
	bool in;			      /* answers from the world are dropped */
	bool arrivals;			      /* connections to forwarded ports are dropped */
	bool certain;			      /* false: it depends on what we cannot see */
	bool policy;			      /* by the chain's policy, not by a rule */
	char mend[5 * NFT_FOREIGN_NAME_SIZE]; /* command that mends it, for a person to read */
};

/*
 * Reads the rules of the caller's network namespace and looks at each base chain of the forward
 * hook in the families ip and inet. Fills up to `capacity` findings and sets `ret_count` to how
 * many. Returns 0; -EPERM without CAP_NET_ADMIN; -EINTR when the rules kept changing while they
 * were read; or a negative errno.
 */
int nft_foreign_find(const struct nft_foreign_query *query, struct nft_foreign_finding *findings,
	size_t capacity, size_t *ret_count);

/*
 * Looks for somebody else's NAT: a base chain for it, behind routing, with a rule. Its connections
 * may get any port of the host. Writes the name of its table, terminated. Returns 1 when there is
 * one, 0 when there is none, or a negative errno as nft_foreign_find().
 */
int nft_foreign_find_nat(const char *own_table, char table[NFT_FOREIGN_NAME_SIZE]);

/*
 * Tells whether rules of the old iptables (xtables without nftables) exist for forwarding, which
 * cannot be read here.
 */
bool nft_foreign_has_legacy(void);

/* Writes a finding as a line of text for a person, terminated. */
void nft_foreign_text(const struct nft_foreign_finding *finding, char *text, size_t size);
