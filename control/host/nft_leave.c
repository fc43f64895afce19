/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * What may leave is masqueraded, and let through together with its answers; everything else from
 * and to the TAP is dropped. The filter drops what connection tracking calls invalid: such packets
 * are not translated and would leave with an address of the LAN.
 */
#include <linux/netfilter/nf_conntrack_common.h>

#include "control/host/nft_part.h"
#include "control/host/nft_rule.h"

/* oifname of the way out. */
static void nft_leave_match_out(struct nft_rule *rule, const struct nft_config *config)
{
	if (config->egress[0] != '\0')
		nft_rule_oifname(rule, NFT_RULE_EQUAL, config->egress);
	else
		nft_rule_oifname(rule, NFT_RULE_DIFFERENT, config->tap);
}

/* iifname of the way out, for the answers. */
static void nft_leave_match_in(struct nft_rule *rule, const struct nft_config *config)
{
	if (config->egress[0] != '\0')
		nft_rule_iifname(rule, NFT_RULE_EQUAL, config->egress);
	else
		nft_rule_iifname(rule, NFT_RULE_DIFFERENT, config->tap);
}

/* ip saddr of those who may leave. */
static void nft_leave_match_inside(struct nft_rule *rule, const struct nft_config *config)
{
	switch (config->nat) {
	case NFT_NAT_USER:
		nft_rule_saddr(rule, NFT_RULE_EQUAL, config->outside_be, 32);
		break;
	case NFT_NAT_KERNEL:
		nft_rule_saddr(rule, NFT_RULE_EQUAL, config->network_be, config->prefix_length);
		break;
	}
}

void nft_leave_masquerade(const struct nft_scope *scope)
{
	const struct nft_config *config = scope->config;
	struct nft_rule rule;

	nft_part_begin(scope, &rule);
	nft_leave_match_out(&rule, config);
	nft_leave_match_inside(&rule, config);
	nft_rule_daddr(&rule, NFT_RULE_DIFFERENT, config->network_be, config->prefix_length);
	nft_rule_counter(&rule);
	nft_rule_masquerade(&rule);
	nft_rule_add(&rule, scope->batch);
}

void nft_leave_filter(const struct nft_scope *scope)
{
	const char *tap = scope->config->tap;
	struct nft_rule rule;

	nft_part_begin(scope, &rule);
	nft_rule_iifname(&rule, NFT_RULE_EQUAL, tap);
	nft_rule_ct_state(&rule, NF_CT_STATE_INVALID_BIT);
	nft_part_drop(scope, &rule);

	nft_part_begin(scope, &rule);
	nft_rule_iifname(&rule, NFT_RULE_EQUAL, tap);
	nft_leave_match_out(&rule, scope->config);
	nft_leave_match_inside(&rule, scope->config);
	nft_part_accept(scope, &rule);

	nft_part_begin(scope, &rule);
	nft_leave_match_in(&rule, scope->config);
	nft_rule_oifname(&rule, NFT_RULE_EQUAL, tap);
	nft_rule_ct_state(
		&rule, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
	nft_part_accept(scope, &rule);

	nft_stateless_filter(scope);
	nft_forward_filter(scope);

	nft_part_begin(scope, &rule);
	nft_rule_iifname(&rule, NFT_RULE_EQUAL, tap);
	nft_part_drop(scope, &rule);

	nft_part_begin(scope, &rule);
	nft_rule_oifname(&rule, NFT_RULE_EQUAL, tap);
	nft_part_drop(scope, &rule);
}
