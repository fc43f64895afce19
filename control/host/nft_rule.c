/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/nft_rule.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdio.h> /* libnftnl needs FILE */
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <net/if.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stddef.h>
#include <string.h>

#include <netinet/ip.h>

#include "control/host/address.h"
#include "control/host/nft_batch.h"
#include "control/host/nft_rule_part.h"

void nft_rule_begin(struct nft_rule *rule, uint16_t family, const char *table, const char *chain)
{
	*rule = (struct nft_rule){.rule = nftnl_rule_alloc(), .family = family};
	if (!rule->rule || nftnl_rule_set_str(rule->rule, NFTNL_RULE_TABLE, table) < 0 ||
		nftnl_rule_set_str(rule->rule, NFTNL_RULE_CHAIN, chain) < 0) {
		rule->error = -ENOMEM;
		return;
	}
	nftnl_rule_set_u32(rule->rule, NFTNL_RULE_FAMILY, family);
}

struct nftnl_expr *nft_rule_expression(struct nft_rule *rule, const char *name)
{
	struct nftnl_expr *expression;

	if (rule->error < 0)
		return NULL;
	expression = nftnl_expr_alloc(name);
	if (!expression) {
		rule->error = -ENOMEM;
		return NULL;
	}
	nftnl_rule_add_expr(rule->rule, expression);
	return expression;
}

void nft_rule_data(struct nft_rule *rule, struct nftnl_expr *expression, uint16_t attribute,
	const void *data, uint32_t length)
{
	if (nftnl_expr_set(expression, attribute, data, length) < 0)
		rule->error = -ENOMEM;
}

void nft_rule_cmp(struct nft_rule *rule, uint32_t operation, const void *data, uint32_t length)
{
	struct nftnl_expr *expression = nft_rule_expression(rule, "cmp");

	if (!expression)
		return;
	nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_SREG, NFT_RULE_REGISTER);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_OP, operation);
	nft_rule_data(rule, expression, NFTNL_EXPR_CMP_DATA, data, length);
}

void nft_rule_mask(struct nft_rule *rule, uint32_t mask)
{
	static const uint32_t zero = 0;
	struct nftnl_expr *expression = nft_rule_expression(rule, "bitwise");

	if (!expression)
		return;
	nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_SREG, NFT_RULE_REGISTER);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_DREG, NFT_RULE_REGISTER);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_LEN, sizeof(mask));
	nft_rule_data(rule, expression, NFTNL_EXPR_BITWISE_MASK, &mask, sizeof(mask));
	nft_rule_data(rule, expression, NFTNL_EXPR_BITWISE_XOR, &zero, sizeof(zero));
}

static uint32_t nft_rule_operation(enum nft_rule_compare compare)
{
	return compare == NFT_RULE_EQUAL ? NFT_CMP_EQ : NFT_CMP_NEQ;
}

/* Compares an interface's name, which the kernel pads with zeros. */
static void nft_rule_interface(
	struct nft_rule *rule, uint32_t key, enum nft_rule_compare compare, const char *name)
{
	struct nftnl_expr *expression = nft_rule_expression(rule, "meta");
	char padded[IFNAMSIZ] = {0};

	if (!expression)
		return;
	if (snprintf(padded, sizeof(padded), "%s", name) >= (int)sizeof(padded)) {
		rule->error = -ENAMETOOLONG;
		return;
	}
	nftnl_expr_set_u32(expression, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_META_DREG, NFT_RULE_REGISTER);
	nft_rule_cmp(rule, nft_rule_operation(compare), padded, sizeof(padded));
}

void nft_rule_iifname(struct nft_rule *rule, enum nft_rule_compare compare, const char *name)
{
	nft_rule_interface(rule, NFT_META_IIFNAME, compare, name);
}

void nft_rule_oifname(struct nft_rule *rule, enum nft_rule_compare compare, const char *name)
{
	nft_rule_interface(rule, NFT_META_OIFNAME, compare, name);
}

void nft_rule_load(struct nft_rule *rule, uint32_t base, uint32_t offset, uint32_t length)
{
	struct nftnl_expr *expression = nft_rule_expression(rule, "payload");

	if (!expression)
		return;
	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_DREG, NFT_RULE_REGISTER);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_LEN, length);
}

/* Compares the address at `offset` of the IPv4 header. */
static void nft_rule_address(struct nft_rule *rule, uint32_t offset, enum nft_rule_compare compare,
	struct in_addr network_be, uint8_t prefix_length)
{
	uint32_t mask_be = address_netmask_be(prefix_length).s_addr;
	uint32_t wanted_be = network_be.s_addr & mask_be;

	nft_rule_load(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, sizeof(wanted_be));
	if (prefix_length < 32)
		nft_rule_mask(rule, mask_be);
	nft_rule_cmp(rule, nft_rule_operation(compare), &wanted_be, sizeof(wanted_be));
}

void nft_rule_saddr(struct nft_rule *rule, enum nft_rule_compare compare, struct in_addr network_be,
	uint8_t prefix_length)
{
	nft_rule_address(rule, offsetof(struct iphdr, saddr), compare, network_be, prefix_length);
}

void nft_rule_daddr(struct nft_rule *rule, enum nft_rule_compare compare, struct in_addr network_be,
	uint8_t prefix_length)
{
	nft_rule_address(rule, offsetof(struct iphdr, daddr), compare, network_be, prefix_length);
}

/* Any of the bits of a word of connection tracking. */
static void nft_rule_ct_bits(struct nft_rule *rule, uint32_t key, uint32_t bits)
{
	static const uint32_t none = 0;
	struct nftnl_expr *expression = nft_rule_expression(rule, "ct");

	if (!expression)
		return;
	nftnl_expr_set_u32(expression, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_CT_DREG, NFT_RULE_REGISTER);
	nft_rule_mask(rule, bits);
	nft_rule_cmp(rule, NFT_CMP_NEQ, &none, sizeof(none));
}

void nft_rule_ct_state(struct nft_rule *rule, uint32_t states)
{
	nft_rule_ct_bits(rule, NFT_CT_STATE, states);
}

void nft_rule_ct_status(struct nft_rule *rule, uint32_t status)
{
	nft_rule_ct_bits(rule, NFT_CT_STATUS, status);
}

void nft_rule_counter(struct nft_rule *rule)
{
	nft_rule_expression(rule, "counter");
}

static void nft_rule_verdict(struct nft_rule *rule, uint32_t verdict)
{
	struct nftnl_expr *expression = nft_rule_expression(rule, "immediate");

	if (!expression)
		return;
	nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_VERDICT, verdict);
}

void nft_rule_accept(struct nft_rule *rule)
{
	nft_rule_verdict(rule, NF_ACCEPT);
}

void nft_rule_drop(struct nft_rule *rule)
{
	nft_rule_verdict(rule, NF_DROP);
}

void nft_rule_masquerade(struct nft_rule *rule)
{
	nft_rule_expression(rule, "masq");
}

/* Adds the rule to the transaction as NFT_MSG_`type` and frees it. */
static void nft_rule_send(
	struct nft_rule *rule, struct nft_batch *batch, uint16_t type, uint16_t flags)
{
	if (rule->error < 0)
		nft_batch_fail(batch, rule->error);
	else
		nftnl_rule_nlmsg_build_payload(
			nft_batch_message(batch, type, rule->family, flags), rule->rule);
	if (rule->rule)
		nftnl_rule_free(rule->rule);
	rule->rule = NULL;
}

void nft_rule_add(struct nft_rule *rule, struct nft_batch *batch)
{
	nft_rule_send(rule, batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
}

void nft_rule_flush(struct nft_rule *rule, struct nft_batch *batch)
{
	nft_rule_send(rule, batch, NFT_MSG_DELRULE, 0);
}
