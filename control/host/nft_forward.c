/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * A forwarded port is translated where a connection to it begins: in prerouting for the world and
 * for guests, in output for the host itself. With our own NAT it goes to the outside address with
 * the port as it is, and the NAT knows whose it is; with the kernel's NAT it goes to the guest.
 *
 * Who answers must see a source whose answers come back this way. The world's addresses do. For the
 * host's own (127.0.0.1 among them) and for guests the source becomes the gateway's address; with
 * outside ports for all that is translated here (nft_stateless.c).
 *
 * A packet from 127.0.0.1 may leave by the TAP, and its answer may come in again, only with
 * route_localnet on the TAP (host_forward.c). That alone would open the host's loopback to guests:
 * the guard drops, before any translation, what comes from the TAP with a loopback address.
 * A forward that listens on a loopback address only has no rule in prerouting: a neighbour of the
 * host could send to that address, and we would translate before the kernel refuses it.
 *
 * When a packet of a guest returns by the TAP that it came from, the kernel would advise the guest
 * to send directly (an ICMP redirect), past the translation. Its NAT drops that advice by itself.
 */
#include <linux/netfilter/nf_conntrack_common.h>

#include "control/host/nft_part.h"
#include "control/host/nft_rule.h"

/* 127.0.0.0/8 */
#define LOOPBACK_PREFIX 8

static bool nft_forward_is_loopback(const struct host_forward *forward)
{
	return ntohl(forward->listen_be.s_addr) >> (32 - LOOPBACK_PREFIX) == IN_LOOPBACKNET;
}

bool nft_forward_needs_loopback(const struct host_forward *forwards, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (forwards[i].listen_be.s_addr == INADDR_ANY ||
			nft_forward_is_loopback(&forwards[i]))
			return true;
	return false;
}

void nft_forward_guard(const struct nft_scope *scope)
{
	struct in_addr loopback_be = {htonl(INADDR_LOOPBACK)};
	const struct nft_config *config = scope->config;
	struct nft_rule rule;

	if (!nft_forward_needs_loopback(config->forwards, config->forward_count))
		return;
	nft_part_begin(scope, &rule);
	nft_rule_iifname(&rule, NFT_RULE_EQUAL, config->tap);
	nft_rule_daddr(&rule, NFT_RULE_EQUAL, loopback_be, LOOPBACK_PREFIX);
	nft_part_drop(scope, &rule);

	nft_part_begin(scope, &rule);
	nft_rule_iifname(&rule, NFT_RULE_EQUAL, config->tap);
	nft_rule_saddr(&rule, NFT_RULE_EQUAL, loopback_be, LOOPBACK_PREFIX);
	nft_part_drop(scope, &rule);
}

/* What is sent to the ports from `first` on, counted from 0, of the forward; leads to `to_port`, or
 * keeps the port when that is 0. */
static void nft_forward_translate(const struct nft_scope *scope, const struct host_forward *forward,
	uint16_t first, uint16_t count, uint16_t to_port)
{
	const struct nft_config *config = scope->config;
	struct nft_rule rule;

	nft_part_begin(scope, &rule);
	if (forward->listen_be.s_addr == INADDR_ANY)
		nft_rule_daddr_local(&rule);
	else
		nft_rule_daddr(&rule, NFT_RULE_EQUAL, forward->listen_be, 32);
	nft_rule_protocol(&rule, forward->protocol);
	nft_rule_dport(&rule, (uint16_t)(forward->listen_port + first),
		(uint16_t)(forward->listen_port + first + count - 1));
	nft_rule_counter(&rule);
	nft_rule_dnat(
		&rule, config->nat == NFT_NAT_USER ? config->outside_be : forward->to_be, to_port);
	nft_rule_add(&rule, scope->batch);
}

/* One rule; but the kernel's NAT cannot shift a range, so that each port has one of its own. */
static void nft_forward_add(const struct nft_scope *scope, const struct host_forward *forward)
{
	uint16_t i;

	if (scope->config->nat == NFT_NAT_USER || forward->listen_port == forward->to_port) {
		nft_forward_translate(scope, forward, 0, forward->count, 0);
		return;
	}
	for (i = 0; i < forward->count; i++)
		nft_forward_translate(scope, forward, i, 1, (uint16_t)(forward->to_port + i));
}

void nft_forward_arrivals(const struct nft_scope *scope)
{
	const struct nft_config *config = scope->config;
	size_t i;

	for (i = 0; i < config->forward_count; i++)
		if (!nft_forward_is_loopback(&config->forwards[i]))
			nft_forward_add(scope, &config->forwards[i]);
}

void nft_forward_own(const struct nft_scope *scope)
{
	const struct nft_config *config = scope->config;
	size_t i;

	for (i = 0; i < config->forward_count; i++)
		nft_forward_add(scope, &config->forwards[i]);
}

/* Begins a rule for what was translated and goes to a guest. */
static void nft_forward_begin_to_guest(const struct nft_scope *scope, struct nft_rule *rule)
{
	nft_part_begin(scope, rule);
	nft_rule_oifname(rule, NFT_RULE_EQUAL, scope->config->tap);
	nft_rule_ct_status(rule, IPS_DST_NAT);
}

void nft_forward_masquerade(const struct nft_scope *scope)
{
	const struct nft_config *config = scope->config;
	struct nft_rule rule;

	if (config->forward_count == 0)
		return;
	if (nft_is_stateless(config)) {
		nft_forward_begin_to_guest(scope, &rule);
		nft_rule_counter(&rule);
		nft_rule_masquerade(&rule);
		nft_rule_add(&rule, scope->batch);
		return;
	}
	nft_forward_begin_to_guest(scope, &rule);
	nft_rule_saddr(&rule, NFT_RULE_EQUAL, config->network_be, config->prefix_length);
	nft_rule_counter(&rule);
	nft_rule_masquerade(&rule);
	nft_rule_add(&rule, scope->batch);

	nft_forward_begin_to_guest(scope, &rule);
	nft_rule_saddr_local(&rule);
	nft_rule_counter(&rule);
	nft_rule_masquerade(&rule);
	nft_rule_add(&rule, scope->batch);
}

void nft_forward_filter(const struct nft_scope *scope)
{
	struct nft_rule rule;

	if (scope->config->forward_count == 0)
		return;
	nft_forward_begin_to_guest(scope, &rule);
	nft_part_accept(scope, &rule);

	nft_part_begin(scope, &rule);
	nft_rule_iifname(&rule, NFT_RULE_EQUAL, scope->config->tap);
	nft_rule_ct_status(&rule, IPS_DST_NAT);
	nft_rule_ct_state(
		&rule, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
	nft_part_accept(scope, &rule);
}
