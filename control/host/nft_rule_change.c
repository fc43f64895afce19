/* SPDX-License-Identifier: BSD-3-Clause */
/* Statements of nft_rule.h that change the packet, or what is remembered of it. */
#include <arpa/inet.h>
#include <stdio.h> /* libnftnl needs FILE */
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/ip.h>
#include <stddef.h>

#include "control/host/nft_rule.h"
#include "control/host/nft_rule_part.h"

/* Puts bytes into a register. */
static void nft_rule_immediate(
	struct nft_rule *rule, uint32_t reg, const void *data, uint32_t length)
{
	struct nftnl_expr *expression = nft_rule_expression(rule, "immediate");

	if (!expression)
		return;
	nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_DREG, reg);
	nft_rule_data(rule, expression, NFTNL_EXPR_IMM_DATA, data, length);
}

void nft_rule_dnat(struct nft_rule *rule, struct in_addr address_be, uint16_t port)
{
	uint16_t port_be = htons(port);
	struct nftnl_expr *expression;

	nft_rule_immediate(rule, NFT_REG_1, &address_be, sizeof(address_be));
	if (port != 0)
		nft_rule_immediate(rule, NFT_REG_2, &port_be, sizeof(port_be));
	expression = nft_rule_expression(rule, "nat");
	if (!expression)
		return;
	nftnl_expr_set_u32(expression, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
	if (port != 0)
		nftnl_expr_set_u32(expression, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFT_REG_2);
}

void nft_rule_notrack(struct nft_rule *rule)
{
	nft_rule_expression(rule, "notrack");
}

/* Writes the address at `offset` of the IPv4 header. */
static void nft_rule_set_address(struct nft_rule *rule, uint32_t offset, struct in_addr address_be)
{
	struct nftnl_expr *expression;

	nft_rule_immediate(rule, NFT_RULE_REGISTER, &address_be, sizeof(address_be));
	expression = nft_rule_expression(rule, "payload");
	if (!expression)
		return;
	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_SREG, NFT_RULE_REGISTER);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_LEN, sizeof(address_be));
	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
	nftnl_expr_set_u32(
		expression, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, offsetof(struct iphdr, check));
	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_FLAGS, NFT_PAYLOAD_L4CSUM_PSEUDOHDR);
}

void nft_rule_set_saddr(struct nft_rule *rule, struct in_addr address_be)
{
	nft_rule_set_address(rule, offsetof(struct iphdr, saddr), address_be);
}

void nft_rule_set_daddr(struct nft_rule *rule, struct in_addr address_be)
{
	nft_rule_set_address(rule, offsetof(struct iphdr, daddr), address_be);
}
