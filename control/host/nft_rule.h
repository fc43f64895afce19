/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules of nftables, one small function for each expression. They append to the rule in the order
 * of the calls, as the words of an nft command would; an error is remembered and reported when the
 * rule is added to the transaction.
 *
 *	nft_rule_begin(&rule, NFPROTO_IPV4, "chnet-tap0", "postrouting");
 *	nft_rule_oifname(&rule, NFT_RULE_EQUAL, "eth0");	// oifname "eth0"
 *	nft_rule_counter(&rule);				// counter
 *	nft_rule_masquerade(&rule);				// masquerade
 *	nft_rule_add(&rule, &batch);
 */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

struct nft_batch;
struct nftnl_rule;

struct nft_rule {
	struct nftnl_rule *rule; /* owned; NULL when there was no memory */
	uint16_t family;	 /* NFPROTO_* of its table */
	int error;		 /* first error, negative errno; 0 = none */
};

/* How a match compares. */
enum nft_rule_compare {
	NFT_RULE_EQUAL,
	NFT_RULE_DIFFERENT,
};

void nft_rule_begin(struct nft_rule *rule, uint16_t family, const char *table, const char *chain);

/* iifname NAME and oifname NAME, or != NAME. */
void nft_rule_iifname(struct nft_rule *rule, enum nft_rule_compare compare, const char *name);
void nft_rule_oifname(struct nft_rule *rule, enum nft_rule_compare compare, const char *name);

/* ip saddr and ip daddr NETWORK/PREFIX_LENGTH (1 to 32), or != it. */
void nft_rule_saddr(struct nft_rule *rule, enum nft_rule_compare compare, struct in_addr network_be,
	uint8_t prefix_length);
void nft_rule_daddr(struct nft_rule *rule, enum nft_rule_compare compare, struct in_addr network_be,
	uint8_t prefix_length);

/* ct state, one or several of NF_CT_STATE_INVALID_BIT, NF_CT_STATE_BIT(IP_CT_ESTABLISHED), … */
void nft_rule_ct_state(struct nft_rule *rule, uint32_t states);

/* ct status, one or several of IPS_DST_NAT, … */
void nft_rule_ct_status(struct nft_rule *rule, uint32_t status);

/* fib saddr type local and fib daddr type local: an address of the host itself. */
void nft_rule_saddr_local(struct nft_rule *rule);
void nft_rule_daddr_local(struct nft_rule *rule);

/* meta l4proto, an IPPROTO_*; before any of those below. */
void nft_rule_protocol(struct nft_rule *rule, uint8_t protocol);

/* Ports of TCP or UDP in host byte order, both ends included: tcp sport, tcp dport, … */
void nft_rule_sport(struct nft_rule *rule, uint16_t low, uint16_t high);
void nft_rule_dport(struct nft_rule *rule, uint16_t low, uint16_t high);

/* A socket of the host is there for the packet: connected, listening or bound. */
void nft_rule_socket(struct nft_rule *rule);

/* icmp type, an ICMP_*; icmp id, host byte order, both ends included. */
void nft_rule_icmp_type(struct nft_rule *rule, uint8_t type);
void nft_rule_icmp_id(struct nft_rule *rule, uint16_t low, uint16_t high);

/*
 * The packet that an ICMP error is about: it was sent by address_be, without IPv4 options, with
 * `protocol`, and from a port (TCP, UDP) or with an identifier (ICMP) from `low` to `high`.
 */
void nft_rule_icmp_about(struct nft_rule *rule, struct in_addr address_be, uint8_t protocol,
	uint16_t low, uint16_t high);

/* The packet that an ICMP error is about: it was sent by address_be, and has IPv4 options. */
void nft_rule_icmp_about_options(struct nft_rule *rule, struct in_addr address_be);

/* counter, which starts at zero. */
void nft_rule_counter(struct nft_rule *rule);

/* accept and drop. */
void nft_rule_accept(struct nft_rule *rule);
void nft_rule_drop(struct nft_rule *rule);

/* masquerade. */
void nft_rule_masquerade(struct nft_rule *rule);

/* dnat to ADDRESS, which keeps the port, or to ADDRESS:PORT (host byte order, not 0). */
void nft_rule_dnat(struct nft_rule *rule, struct in_addr address_be, uint16_t port);

/* notrack. */
void nft_rule_notrack(struct nft_rule *rule);

/* ip saddr set ADDRESS and ip daddr set ADDRESS; checksums are kept right. */
void nft_rule_set_saddr(struct nft_rule *rule, struct in_addr address_be);
void nft_rule_set_daddr(struct nft_rule *rule, struct in_addr address_be);

/* Puts the rule at the end of its chain, as part of the transaction, and frees it. */
void nft_rule_add(struct nft_rule *rule, struct nft_batch *batch);

/* Empties the rule's chain instead: the rule has no expression. Frees it. */
void nft_rule_flush(struct nft_rule *rule, struct nft_batch *batch);
