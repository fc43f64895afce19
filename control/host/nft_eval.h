/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What would a rule of somebody else do with a packet of ours? Decided from the rule's expressions
 * as the kernel lists them, for a packet of which some properties are known and others are not.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct nftnl_rule;

/* What is known of a packet that is being forwarded. */
struct nft_packet {
	const char *iifname; /* interface it came by; "" = not known */
	const char *oifname; /* interface it leaves by; "" = not known */
	uint32_t iif;	     /* their numbers; 0 = not known */
	uint32_t oif;
	struct in_addr saddr_be; /* addresses; 0.0.0.0 = not known */
	struct in_addr daddr_be;
	uint32_t ct_state;  /* NF_CT_STATE_BIT(…) or the like; 0 = not known */
	uint32_t ct_status; /* IPS_DST_NAT or the like, all that are set; 0 = not known */
};

/* What a rule does with it. */
enum nft_eval_verdict {
	NFT_EVAL_CONTINUE, /* it does not match, or has no verdict */
	NFT_EVAL_ACCEPT,
	NFT_EVAL_DROP, /* or reject */
	NFT_EVAL_JUMP, /* to the chain returned with it */
	NFT_EVAL_GOTO, /* to the chain returned with it, without coming back */
	NFT_EVAL_RETURN,
	NFT_EVAL_UNKNOWN, /* depends on what is not known */
};

/*
 * Decides. With NFT_EVAL_JUMP and NFT_EVAL_GOTO `ret_chain` is the chain's name, which belongs to
 * the rule. A rule that merely counts, logs or marks continues.
 */
enum nft_eval_verdict nft_eval_rule(
	const struct nftnl_rule *rule, const struct nft_packet *packet, const char **ret_chain);
