/* SPDX-License-Identifier: BSD-3-Clause */
/* Steps of host_build(): our rules, and what other people's rules do to guests. */
#include <errno.h>
#include <string.h>

#include "control/host/address.h"
#include "control/host/host_build.h"
#include "control/host/nft_foreign.h"

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
	host->forward_count = config->forward_count;
	return 0;
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
		.forward_count = config->forward_count,
	};
	int r;

	memcpy(rules.forwards, host->forwards, sizeof(rules.forwards));
	memcpy(rules.tap, host->tap.name, sizeof(rules.tap));
	memcpy(rules.egress, host->egress.interface, sizeof(rules.egress));
	r = nft_open(&rules, &host->nft);
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
			"or choose another name with --tap",
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

int host_rules_warn(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	struct nft_foreign_finding findings[WARNINGS_MAX];
	struct nft_foreign_query query = {
		.tap_index = (uint32_t)host->link.index,
		.egress_index = (uint32_t)host->egress.index,
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
