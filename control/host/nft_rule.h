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

/* counter, which starts at zero. */
void nft_rule_counter(struct nft_rule *rule);

/* accept and drop. */
void nft_rule_accept(struct nft_rule *rule);
void nft_rule_drop(struct nft_rule *rule);

/* masquerade. */
void nft_rule_masquerade(struct nft_rule *rule);

/* Puts the rule at the end of its chain, as part of the transaction, and frees it. */
void nft_rule_add(struct nft_rule *rule, struct nft_batch *batch);

/* Empties the rule's chain instead: the rule has no expression. Frees it. */
void nft_rule_flush(struct nft_rule *rule, struct nft_batch *batch);
