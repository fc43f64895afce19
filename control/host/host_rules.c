/* SPDX-License-Identifier: BSD-3-Clause */
/* Steps of host_build(): our rules, and what other people's rules do to guests. */
#include <errno.h>
#include <string.h>

#include "control/host/address.h"
#include "control/host/host_build.h"
#include "control/host/nft_foreign.h"

/* The last port that Linux chooses by itself (net.ipv4.ip_local_port_range). */
#define EPHEMERAL_LAST 60999

struct in_addr host_network_be(const struct host_config *config)
{
	return (struct in_addr){
		config->address_be.s_addr & address_netmask_be(config->prefix_length).s_addr};
}

/* Behind the rules that keep guests from the host's loopback. */
static int open_loopback(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	int r;

	if (nft_forward_needs_loopback(config->forwards, config->forward_count)) {
		r = host_forward_loopback(host, true);
		if (r < 0)
			host_warn(host,
				"cannot set net.ipv4.conf.%s.route_localnet (%s): forwarded ports "
				"are "
				"not reached at 127.0.0.1",
				host->tap.name, strerror(-r));
	}
	return 0;
}

/* Lacks the kernel a part of what the rules need? */
static bool lacks_a_part(int r)
{
	return r == -EPROTONOSUPPORT || r == -EOPNOTSUPP || r == -ENOENT;
}

int host_rules_make(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	struct nft_config rules = {
		.network_be = host_network_be(config),
		.prefix_length = config->prefix_length,
		.outside_be = config->outside_be,
		.nat = config->nat,
		.no_owner = config->keep,
		.egress_be = host->egress.source_be,
		.outside_low = host->outside_low,
		.outside_high = host->outside_high,
		.forward_count = host->forward_count,
	};
	int r;

	memcpy(rules.forwards, host->forwards, sizeof(rules.forwards));
	memcpy(rules.tap, host->tap.name, sizeof(rules.tap));
	memcpy(rules.egress, host->egress.interface, sizeof(rules.egress));
	r = nft_open(&rules, &host->nft);
	if (lacks_a_part(r) && host->outside_high != 0) {
		host_outside_give_up(host, "nftables", r);
		rules.outside_low = rules.outside_high = 0;
		r = nft_open(&rules, &host->nft);
	}
	host->stateless = nft_is_stateless(&rules);
	switch (r) {
	case 0:
		return open_loopback(host, config, error);
	case -EPERM:
		return host_fail(error, r,
			"cannot make the nftables table for TAP %s: not "
			"permitted: %s",
			host->tap.name, HOST_NEED_RIGHTS);
	case -EBUSY:
		return host_fail(error, r,
			"the nftables table ip chnet-%s belongs to another live process: stop it "
			"or choose another name with " HOST_TAP_OPTION,
			host->tap.name);
	case -EPROTONOSUPPORT:
	case -EOPNOTSUPP:
	case -ENOENT:
		return host_fail(error, r,
			"the kernel lacks a part of nftables (%s): run 'modprobe -a nf_tables "
			"nft_ct nft_masq nft_chain_nat%s'",
			strerror(-r), config->forward_count > 0 ? " nft_nat nft_fib_ipv4" : "");
	default:
		return host_fail(error, r, "cannot make the nftables table for TAP %s: %s",
			host->tap.name, strerror(-r));
	}
}

/*
 * Somebody else's NAT gives its connections ports without a look at ours or at the reserved ones:
 * mostly those that its clients chose, which are those of a Linux host by default (32768 to 60999).
 */
static void warn_of_other_nat(struct host *host, const char *own_table)
{
	char table[NFT_FOREIGN_NAME_SIZE];

	if (host->outside_low <= EPHEMERAL_LAST && nft_foreign_find_nat(own_table, table) == 1)
		host_warn(host,
			"nftables table %s translates too, and may give connections of others the "
			"outside ports %u-%u, whose answers then go to guests: choose "
			"--outside-ports %u-65535, which are rarely chosen",
			table, host->outside_low, host->outside_high, EPHEMERAL_LAST + 1);
}

int host_rules_warn(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	struct nft_foreign_finding findings[WARNINGS_MAX];
	struct nft_foreign_query query = {
		.tap_index = (uint32_t)host->link.index,
		.egress_index = (uint32_t)host->egress.index,
		.stateless = host->stateless,
		.forwards = host->forward_count > 0,
	};
	char own_table[NFT_TABLE_SIZE];
	char text[WARNING_SIZE];
	size_t count, i;
	int r;

	nft_table_name(host->tap.name, own_table);
	query.own_table = own_table;
	if (config->nat == NFT_NAT_USER)
		query.outside_be = config->outside_be;
	memcpy(query.tap, host->tap.name, sizeof(query.tap));
	memcpy(query.egress, host->egress.interface, sizeof(query.egress));
	r = nft_foreign_find(&query, findings, WARNINGS_MAX, &count);
	if (r < 0)
		host_warn(host,
			"cannot read the host's other nftables rules (%s): if guests "
			"reach nobody, look there for a drop",
			strerror(-r));
	for (i = 0; r == 0 && i < count; i++) {
		nft_foreign_text(&findings[i], text, sizeof(text));
		host_warn(host, "%s", text);
	}
	if (host->outside_high != 0)
		warn_of_other_nat(host, own_table);
	if (nft_foreign_has_legacy())
		host_warn(host,
			"the host has rules of the old iptables, which cannot be read "
			"here: if guests reach nobody, look at 'iptables-legacy -S FORWARD'");
	if (!nft_is_owned(host->nft) && !config->keep)
		host_warn(host,
			"this kernel keeps nftables table %s after a crash (it is older "
			"than 5.12); the next start removes it",
			own_table);
	return 0;
}
