/* SPDX-License-Identifier: BSD-3-Clause */
/* Matches of nft_rule.h on what lies behind the IPv4 header, and on whose an address is. */
#include <arpa/inet.h>
#include <stdio.h> /* libnftnl needs FILE */
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <stddef.h>

#include "control/host/nft_rule.h"
#include "control/host/nft_rule_part.h"

/* Where the packet lies that an ICMP error is about, and what is behind its header. */
#define ABOUT_IP sizeof(struct icmphdr)
#define ABOUT_L4 (ABOUT_IP + sizeof(struct iphdr))

/* Version 4, a header of five words: no options. */
#define PLAIN_IPV4 0x45

static void nft_rule_local(struct nft_rule *rule, uint32_t which)
{
	static const uint32_t local = RTN_LOCAL;
	struct nftnl_expr *expression = nft_rule_expression(rule, "fib");

	if (!expression)
		return;
	nftnl_expr_set_u32(expression, NFTNL_EXPR_FIB_DREG, NFT_RULE_REGISTER);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_FIB_FLAGS, which);
	nft_rule_cmp(rule, NFT_CMP_EQ, &local, sizeof(local));
}

void nft_rule_saddr_local(struct nft_rule *rule)
{
	nft_rule_local(rule, NFTA_FIB_F_SADDR);
}

void nft_rule_daddr_local(struct nft_rule *rule)
{
	nft_rule_local(rule, NFTA_FIB_F_DADDR);
}

void nft_rule_protocol(struct nft_rule *rule, uint8_t protocol)
{
	struct nftnl_expr *expression = nft_rule_expression(rule, "meta");

	if (!expression)
		return;
	nftnl_expr_set_u32(expression, NFTNL_EXPR_META_KEY, NFT_META_L4PROTO);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_META_DREG, NFT_RULE_REGISTER);
	nft_rule_cmp(rule, NFT_CMP_EQ, &protocol, sizeof(protocol));
}

void nft_rule_socket(struct nft_rule *rule)
{
	static const uint8_t any = 0;
	struct nftnl_expr *expression = nft_rule_expression(rule, "socket");

	if (!expression)
		return;
	/* It ends the rule when there is no socket; the comparison is there to be listed. */
	nftnl_expr_set_u32(expression, NFTNL_EXPR_SOCKET_KEY, NFT_SOCKET_TRANSPARENT);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_SOCKET_DREG, NFT_RULE_REGISTER);
	nft_rule_cmp(rule, NFT_CMP_GTE, &any, sizeof(any));
}

/* A byte behind the start of the transport header, NFT_CMP_*. */
static void nft_rule_byte(
	struct nft_rule *rule, uint32_t offset, uint32_t operation, uint8_t wanted)
{
	nft_rule_load(rule, NFT_PAYLOAD_TRANSPORT_HEADER, offset, sizeof(wanted));
	nft_rule_cmp(rule, operation, &wanted, sizeof(wanted));
}

/* A word of 16 bits behind the start of the transport header. */
static void nft_rule_word(struct nft_rule *rule, uint32_t offset, uint16_t low, uint16_t high)
{
	uint16_t low_be = htons(low), high_be = htons(high);

	nft_rule_load(rule, NFT_PAYLOAD_TRANSPORT_HEADER, offset, sizeof(low_be));
	if (low == high) {
		nft_rule_cmp(rule, NFT_CMP_EQ, &low_be, sizeof(low_be));
		return;
	}
	nft_rule_cmp(rule, NFT_CMP_GTE, &low_be, sizeof(low_be));
	nft_rule_cmp(rule, NFT_CMP_LTE, &high_be, sizeof(high_be));
}

void nft_rule_sport(struct nft_rule *rule, uint16_t low, uint16_t high)
{
	nft_rule_word(rule, offsetof(struct udphdr, source), low, high);
}

void nft_rule_dport(struct nft_rule *rule, uint16_t low, uint16_t high)
{
	nft_rule_word(rule, offsetof(struct udphdr, dest), low, high);
}

void nft_rule_icmp_type(struct nft_rule *rule, uint8_t type)
{
	nft_rule_byte(rule, offsetof(struct icmphdr, type), NFT_CMP_EQ, type);
}

void nft_rule_icmp_id(struct nft_rule *rule, uint16_t low, uint16_t high)
{
	nft_rule_word(rule, offsetof(struct icmphdr, un.echo.id), low, high);
}

/* Who sent the packet that the error is about. */
static void nft_rule_about_source(struct nft_rule *rule, struct in_addr address_be)
{
	nft_rule_load(rule, NFT_PAYLOAD_TRANSPORT_HEADER, ABOUT_IP + offsetof(struct iphdr, saddr),
		sizeof(address_be));
	nft_rule_cmp(rule, NFT_CMP_EQ, &address_be, sizeof(address_be));
}

void nft_rule_icmp_about(struct nft_rule *rule, struct in_addr address_be, uint8_t protocol,
	uint16_t low, uint16_t high)
{
	nft_rule_byte(rule, ABOUT_IP, NFT_CMP_EQ, PLAIN_IPV4);
	nft_rule_byte(rule, ABOUT_IP + offsetof(struct iphdr, protocol), NFT_CMP_EQ, protocol);
	nft_rule_about_source(rule, address_be);
	nft_rule_word(rule,
		ABOUT_L4 + (protocol == IPPROTO_ICMP ? offsetof(struct icmphdr, un.echo.id)
						     : offsetof(struct udphdr, source)),
		low, high);
}

void nft_rule_icmp_about_options(struct nft_rule *rule, struct in_addr address_be)
{
	nft_rule_byte(rule, ABOUT_IP, NFT_CMP_NEQ, PLAIN_IPV4);
	nft_rule_about_source(rule, address_be);
}
