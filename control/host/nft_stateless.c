/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * A block of the host's ports belongs to our NAT, which decides alone who is who and who may send
 * to whom. The kernel keeps nothing in mind about these packets: on the way out the outside address
 * becomes the host's, on the way in the host's becomes the outside address, and connection tracking
 * is told to look away (untracked). The rules name the host's address and the way out, and are
 * written anew when either changes.
 *
 *   out  raw       of the outside address, to the world, TCP and UDP from a port of the block, echo
 *                  requests with an identifier of it, and ICMP errors: untracked
 *        swap      what is untracked leaves with the host's address
 *   in   raw       TCP and UDP to a port of the block, unless a socket of the host's has it:
 *                  untracked, to the outside address
 *        answers   echo replies with an identifier of the block, and ICMP errors about a packet of
 *                  the block: the same, but behind connection tracking, which knows by then what
 *                  answers the host's own packets (programs choose their echo identifiers freely).
 *                  Where the ports of a packet are that has IPv4 options a rule cannot say, so all
 *                  errors about such packets that tracking does not know go to the NAT
 *
 * Ports of the host that lead to guests are treated as if they were of the block, as far as they
 * are taken on the host's address on the way out. By another way (loopback, another interface or
 * address, a guest) they are tracked and translated as ever (nft_forward.c), and come from the
 * gateway, since the answers of an outside address to the world are untracked.
 *
 * Everything else of the outside address, as protocols without ports (GRE, ESP, SCTP), is tracked
 * and masqueraded. ICMP errors carry the start of a packet with the host's address in it: the NAT
 * takes it for its own (nat_config.alias_be), both ways.
 *
 * Fragments arrive here whole: connection tracking puts them together in front of raw, in every
 * network namespace that has a rule with a ct expression, and our own table has some.
 */
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/ip_icmp.h>

#include "control/host/nft_part.h"
#include "control/host/nft_rule.h"

static const uint8_t with_ports[] = {IPPROTO_TCP, IPPROTO_UDP};
#define WITH_PORTS (sizeof(with_ports) / sizeof(with_ports[0]))

/* What NATs translate: RFC 5508. */
static const uint8_t icmp_errors[] = {ICMP_DEST_UNREACH, ICMP_TIME_EXCEEDED, ICMP_PARAMETERPROB};

bool nft_is_stateless(const struct nft_config *config)
{
	return config->nat == NFT_NAT_USER && config->outside_high != 0 &&
	       config->egress[0] != '\0' && config->egress_be.s_addr != INADDR_ANY;
}

/* Is the forward taken on the host's address on the way out? */
static bool nft_stateless_has(const struct nft_config *config, const struct host_forward *forward)
{
	return forward->listen_be.s_addr == INADDR_ANY ||
	       forward->listen_be.s_addr == config->egress_be.s_addr;
}

static uint16_t nft_stateless_last(const struct host_forward *forward)
{
	return (uint16_t)(forward->listen_port + forward->count - 1);
}

/* What the outside address sends to the world. */
static void nft_stateless_begin_out(
	const struct nft_scope *scope, struct nft_rule *rule, uint8_t protocol)
{
	const struct nft_config *config = scope->config;

	nft_part_begin(scope, rule);
	nft_rule_iifname(rule, NFT_RULE_EQUAL, config->tap);
	nft_rule_saddr(rule, NFT_RULE_EQUAL, config->outside_be, 32);
	nft_rule_daddr(rule, NFT_RULE_DIFFERENT, config->network_be, config->prefix_length);
	nft_rule_protocol(rule, protocol);
}

static void nft_stateless_end_out(const struct nft_scope *scope, struct nft_rule *rule)
{
	nft_rule_counter(rule);
	nft_rule_notrack(rule);
	nft_rule_accept(rule);
	nft_rule_add(rule, scope->batch);
}

/* What the world sends to the host's address. */
static void nft_stateless_begin_in(
	const struct nft_scope *scope, struct nft_rule *rule, uint8_t protocol)
{
	nft_part_begin(scope, rule);
	nft_rule_iifname(rule, NFT_RULE_EQUAL, scope->config->egress);
	nft_rule_daddr(rule, NFT_RULE_EQUAL, scope->config->egress_be, 32);
	nft_rule_protocol(rule, protocol);
}

static void nft_stateless_end_in(const struct nft_scope *scope, struct nft_rule *rule)
{
	nft_rule_counter(rule);
	nft_rule_notrack(rule);
	nft_rule_set_daddr(rule, scope->config->outside_be);
	nft_rule_accept(rule);
	nft_rule_add(rule, scope->batch);
}

static void nft_stateless_out(const struct nft_scope *scope)
{
	const struct nft_config *config = scope->config;
	struct nft_rule rule;
	size_t i;

	for (i = 0; i < WITH_PORTS; i++) {
		nft_stateless_begin_out(scope, &rule, with_ports[i]);
		nft_rule_sport(&rule, config->outside_low, config->outside_high);
		nft_stateless_end_out(scope, &rule);
	}
	for (i = 0; i < config->forward_count; i++) {
		const struct host_forward *forward = &config->forwards[i];

		if (!nft_stateless_has(config, forward))
			continue;
		nft_stateless_begin_out(scope, &rule, forward->protocol);
		nft_rule_sport(&rule, forward->listen_port, nft_stateless_last(forward));
		nft_stateless_end_out(scope, &rule);
	}
	nft_stateless_begin_out(scope, &rule, IPPROTO_ICMP);
	nft_rule_icmp_type(&rule, ICMP_ECHO);
	nft_rule_icmp_id(&rule, config->outside_low, config->outside_high);
	nft_stateless_end_out(scope, &rule);
	for (i = 0; i < sizeof(icmp_errors); i++) {
		nft_stateless_begin_out(scope, &rule, IPPROTO_ICMP);
		nft_rule_icmp_type(&rule, icmp_errors[i]);
		nft_stateless_end_out(scope, &rule);
	}
}

static void nft_stateless_in(const struct nft_scope *scope)
{
	const struct nft_config *config = scope->config;
	struct nft_rule rule;
	size_t i;

	for (i = 0; i < WITH_PORTS; i++) {
		nft_stateless_begin_in(scope, &rule, with_ports[i]);
		nft_rule_dport(&rule, config->outside_low, config->outside_high);
		nft_rule_socket(&rule);
		nft_part_accept(scope, &rule);

		nft_stateless_begin_in(scope, &rule, with_ports[i]);
		nft_rule_dport(&rule, config->outside_low, config->outside_high);
		nft_stateless_end_in(scope, &rule);
	}
	for (i = 0; i < config->forward_count; i++) {
		const struct host_forward *forward = &config->forwards[i];

		if (!nft_stateless_has(config, forward))
			continue;
		nft_stateless_begin_in(scope, &rule, forward->protocol);
		nft_rule_dport(&rule, forward->listen_port, nft_stateless_last(forward));
		nft_stateless_end_in(scope, &rule);
	}
}

void nft_stateless_raw(const struct nft_scope *scope)
{
	if (!nft_is_stateless(scope->config))
		return;
	nft_stateless_out(scope);
	nft_stateless_in(scope);
}

/* An ICMP error about what was sent with `protocol` from these ports or identifiers. */
static void nft_stateless_error(
	const struct nft_scope *scope, uint8_t protocol, uint16_t low, uint16_t high)
{
	struct nft_rule rule;

	nft_stateless_begin_in(scope, &rule, IPPROTO_ICMP);
	nft_rule_ct_state(&rule, NF_CT_STATE_INVALID_BIT);
	nft_rule_icmp_about(&rule, scope->config->egress_be, protocol, low, high);
	nft_stateless_end_in(scope, &rule);
}

void nft_stateless_answers(const struct nft_scope *scope)
{
	const struct nft_config *config = scope->config;
	struct nft_rule rule;
	size_t i;

	if (!nft_is_stateless(config))
		return;
	/* Raw saw to it: most packets, which no rule below is for. */
	nft_part_begin(scope, &rule);
	nft_rule_ct_state(&rule, NF_CT_STATE_UNTRACKED_BIT);
	nft_part_accept(scope, &rule);

	nft_stateless_begin_in(scope, &rule, IPPROTO_ICMP);
	nft_rule_ct_state(&rule, NF_CT_STATE_INVALID_BIT);
	nft_rule_icmp_type(&rule, ICMP_ECHOREPLY);
	nft_rule_icmp_id(&rule, config->outside_low, config->outside_high);
	nft_stateless_end_in(scope, &rule);
	nft_stateless_error(scope, IPPROTO_ICMP, config->outside_low, config->outside_high);
	for (i = 0; i < WITH_PORTS; i++)
		nft_stateless_error(
			scope, with_ports[i], config->outside_low, config->outside_high);
	nft_stateless_begin_in(scope, &rule, IPPROTO_ICMP);
	nft_rule_ct_state(&rule, NF_CT_STATE_INVALID_BIT);
	nft_rule_icmp_about_options(&rule, config->egress_be);
	nft_stateless_end_in(scope, &rule);
	for (i = 0; i < config->forward_count; i++) {
		const struct host_forward *forward = &config->forwards[i];

		if (nft_stateless_has(config, forward))
			nft_stateless_error(scope, forward->protocol, forward->listen_port,
				nft_stateless_last(forward));
	}
}

void nft_stateless_swap(const struct nft_scope *scope)
{
	const struct nft_config *config = scope->config;
	struct nft_rule rule;

	if (!nft_is_stateless(config))
		return;
	nft_part_begin(scope, &rule);
	nft_rule_oifname(&rule, NFT_RULE_EQUAL, config->egress);
	nft_rule_saddr(&rule, NFT_RULE_EQUAL, config->outside_be, 32);
	nft_rule_ct_state(&rule, NF_CT_STATE_UNTRACKED_BIT);
	nft_rule_counter(&rule);
	nft_rule_set_saddr(&rule, config->egress_be);
	nft_rule_add(&rule, scope->batch);
}

void nft_stateless_filter(const struct nft_scope *scope)
{
	const struct nft_config *config = scope->config;
	struct nft_rule rule;

	if (!nft_is_stateless(config))
		return;
	nft_part_begin(scope, &rule);
	nft_rule_iifname(&rule, NFT_RULE_EQUAL, config->egress);
	nft_rule_oifname(&rule, NFT_RULE_EQUAL, config->tap);
	nft_rule_daddr(&rule, NFT_RULE_EQUAL, config->outside_be, 32);
	nft_rule_ct_state(&rule, NF_CT_STATE_UNTRACKED_BIT);
	nft_part_accept(scope, &rule);
}
