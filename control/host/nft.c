/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * One table of family ip with two base chains:
 *
 *   postrouting  (nat, srcnat)   masquerades what may leave
 *   forward      (filter)        lets out what may leave, lets in its answers, and drops everything
 *                                else from and to the TAP
 *
 * The forward chain drops what connection tracking calls invalid: such packets are not translated
 * and would leave with an address of the LAN. An accept here ends only our own chain: another
 * table's base chain may still drop (nft_foreign.h finds that).
 *
 * Every change is one transaction. A change of the way out empties the chains and fills them again
 * within it. Connections that exist keep their translation, which lies in connection tracking and
 * not in the rules.
 *
 * A new transaction starts with "add table, delete table": this removes a table without owner that
 * a crash left behind, whether or not there is one. It fails (EPERM) if a live process owns it.
 */
#include "control/host/nft.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control/host/nft_batch.h"
#include "control/host/nft_rule.h"

struct nft {
	struct mnl_socket *socket;  /* that owns the table */
	struct nft_config config;   /* what the rules say */
	char table[NFT_TABLE_SIZE]; /* its name */
	bool owned;		    /* the kernel took the owner flag */
};

static const char postrouting[] = "postrouting";
static const char forward[] = "forward";

/* A base chain. */
struct nft_base_chain {
	const char *name;
	const char *type; /* "filter" or "nat" */
	uint32_t hook;	  /* NF_INET_* */
	int32_t priority; /* NF_IP_PRI_* */
};

static const struct nft_base_chain chains[] = {
	{postrouting, "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC},
	{forward, "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER},
};

#define CHAIN_COUNT (sizeof(chains) / sizeof(chains[0]))

void nft_table_name(const char *tap, char name[NFT_TABLE_SIZE])
{
	snprintf(name, NFT_TABLE_SIZE, "chnet-%s", tap);
}

/* NFT_MSG_NEWTABLE or NFT_MSG_DELTABLE for our table; `flags` are NFT_TABLE_F_*. */
static void nft_add_table(struct nft_batch *batch, const char *name, uint16_t type, uint32_t flags)
{
	struct nftnl_table *table = nftnl_table_alloc();

	if (!table || nftnl_table_set_str(table, NFTNL_TABLE_NAME, name) < 0) {
		nft_batch_fail(batch, -ENOMEM);
	} else {
		nftnl_table_set_u32(table, NFTNL_TABLE_FAMILY, NFPROTO_IPV4);
		if (flags)
			nftnl_table_set_u32(table, NFTNL_TABLE_FLAGS, flags);
		nftnl_table_nlmsg_build_payload(
			nft_batch_message(batch, type, NFPROTO_IPV4,
				type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0),
			table);
	}
	if (table)
		nftnl_table_free(table);
}

static void nft_add_chain(
	struct nft_batch *batch, const char *table, const struct nft_base_chain *base)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();

	if (!chain || nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, table) < 0 ||
		nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, base->name) < 0 ||
		nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, base->type) < 0) {
		nft_batch_fail(batch, -ENOMEM);
	} else {
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, base->hook);
		nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, base->priority);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
		nftnl_chain_nlmsg_build_payload(
			nft_batch_message(batch, NFT_MSG_NEWCHAIN, NFPROTO_IPV4, NLM_F_CREATE),
			chain);
	}
	if (chain)
		nftnl_chain_free(chain);
}

/* Removes every rule of a chain. */
static void nft_flush_chain(struct nft_batch *batch, const char *table, const char *chain)
{
	struct nft_rule rule;

	nft_rule_begin(&rule, NFPROTO_IPV4, table, chain);
	nft_rule_flush(&rule, batch);
}

/* oifname of the way out. */
static void nft_match_out(struct nft_rule *rule, const struct nft_config *config)
{
	if (config->egress[0] != '\0')
		nft_rule_oifname(rule, NFT_RULE_EQUAL, config->egress);
	else
		nft_rule_oifname(rule, NFT_RULE_DIFFERENT, config->tap);
}

/* iifname of the way out, for the answers. */
static void nft_match_in(struct nft_rule *rule, const struct nft_config *config)
{
	if (config->egress[0] != '\0')
		nft_rule_iifname(rule, NFT_RULE_EQUAL, config->egress);
	else
		nft_rule_iifname(rule, NFT_RULE_DIFFERENT, config->tap);
}

/* ip saddr of those who may leave. */
static void nft_match_inside(struct nft_rule *rule, const struct nft_config *config)
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

static void nft_add_masquerade(struct nft_batch *batch, const struct nft *nft)
{
	struct nft_rule rule;

	nft_rule_begin(&rule, NFPROTO_IPV4, nft->table, postrouting);
	nft_match_out(&rule, &nft->config);
	nft_match_inside(&rule, &nft->config);
	nft_rule_daddr(
		&rule, NFT_RULE_DIFFERENT, nft->config.network_be, nft->config.prefix_length);
	nft_rule_counter(&rule);
	nft_rule_masquerade(&rule);
	nft_rule_add(&rule, batch);
}

static void nft_add_forward(struct nft_batch *batch, const struct nft *nft)
{
	const char *tap = nft->config.tap;
	struct nft_rule rule;

	nft_rule_begin(&rule, NFPROTO_IPV4, nft->table, forward);
	nft_rule_iifname(&rule, NFT_RULE_EQUAL, tap);
	nft_rule_ct_state(&rule, NF_CT_STATE_INVALID_BIT);
	nft_rule_counter(&rule);
	nft_rule_drop(&rule);
	nft_rule_add(&rule, batch);

	nft_rule_begin(&rule, NFPROTO_IPV4, nft->table, forward);
	nft_rule_iifname(&rule, NFT_RULE_EQUAL, tap);
	nft_match_out(&rule, &nft->config);
	nft_match_inside(&rule, &nft->config);
	nft_rule_counter(&rule);
	nft_rule_accept(&rule);
	nft_rule_add(&rule, batch);

	nft_rule_begin(&rule, NFPROTO_IPV4, nft->table, forward);
	nft_match_in(&rule, &nft->config);
	nft_rule_oifname(&rule, NFT_RULE_EQUAL, tap);
	nft_rule_ct_state(
		&rule, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
	nft_rule_counter(&rule);
	nft_rule_accept(&rule);
	nft_rule_add(&rule, batch);

	nft_rule_begin(&rule, NFPROTO_IPV4, nft->table, forward);
	nft_rule_iifname(&rule, NFT_RULE_EQUAL, tap);
	nft_rule_counter(&rule);
	nft_rule_drop(&rule);
	nft_rule_add(&rule, batch);

	nft_rule_begin(&rule, NFPROTO_IPV4, nft->table, forward);
	nft_rule_oifname(&rule, NFT_RULE_EQUAL, tap);
	nft_rule_counter(&rule);
	nft_rule_drop(&rule);
	nft_rule_add(&rule, batch);
}

/* Every rule of ours, in order. */
static void nft_add_rules(struct nft_batch *batch, const struct nft *nft)
{
	nft_add_masquerade(batch, nft);
	nft_add_forward(batch, nft);
}

/* Makes the table, with (or without) the owner flag. */
static int nft_create(const struct nft *nft, bool owned)
{
	struct nft_batch batch;
	size_t i;
	int r;

	nft_batch_begin(&batch);
	nft_add_table(&batch, nft->table, NFT_MSG_NEWTABLE, 0);
	nft_add_table(&batch, nft->table, NFT_MSG_DELTABLE, 0);
	nft_add_table(&batch, nft->table, NFT_MSG_NEWTABLE, owned ? NFT_TABLE_F_OWNER : 0);
	for (i = 0; i < CHAIN_COUNT; i++)
		nft_add_chain(&batch, nft->table, &chains[i]);
	nft_add_rules(&batch, nft);
	r = nft_batch_commit(&batch, nft->socket);
	nft_batch_fini(&batch);
	return r;
}

/* Opens a netfilter socket (close-on-exec). */
static int nft_socket_open(struct mnl_socket **ret_socket)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int error = errno;

		mnl_socket_close(socket);
		return -error;
	}
	*ret_socket = socket;
	return 0;
}

int nft_open(const struct nft_config *config, struct nft **ret_nft)
{
	struct nft *nft = calloc(1, sizeof(*nft));
	int r;

	if (!nft)
		return -ENOMEM;
	nft->config = *config;
	nft_table_name(config->tap, nft->table);
	r = nft_socket_open(&nft->socket);
	if (r < 0)
		goto fail;
	nft->owned = !config->no_owner;
	r = nft_create(nft, nft->owned);
	if (nft->owned && (r == -EINVAL || r == -EOPNOTSUPP)) {
		nft->owned = false;
		r = nft_create(nft, false);
	}
	if (r < 0)
		goto fail;
	*ret_nft = nft;
	return 0;
fail:
	nft_close_in_child(nft);
	return r;
}

int nft_set_egress(struct nft *nft, const char *egress)
{
	struct nft_config before = nft->config;
	struct nft_batch batch;
	size_t i;
	int r;

	if (strlen(egress) >= sizeof(nft->config.egress))
		return -ENAMETOOLONG;
	memset(nft->config.egress, 0, sizeof(nft->config.egress));
	memcpy(nft->config.egress, egress, strlen(egress));
	nft_batch_begin(&batch);
	for (i = 0; i < CHAIN_COUNT; i++)
		nft_flush_chain(&batch, nft->table, chains[i].name);
	nft_add_rules(&batch, nft);
	r = nft_batch_commit(&batch, nft->socket);
	nft_batch_fini(&batch);
	if (r < 0)
		nft->config = before;
	return r;
}

bool nft_is_owned(const struct nft *nft)
{
	return nft->owned;
}

void nft_close(struct nft *nft)
{
	struct nft_batch batch;

	if (!nft)
		return;
	/* Also when it is owned: a child may still hold a copy of the socket. */
	nft_batch_begin(&batch);
	nft_add_table(&batch, nft->table, NFT_MSG_DELTABLE, 0);
	nft_batch_commit(&batch, nft->socket);
	nft_batch_fini(&batch);
	nft_close_in_child(nft);
}

int nft_remove(const char *tap)
{
	char table[NFT_TABLE_SIZE];
	struct mnl_socket *socket;
	struct nft_batch batch;
	int r = nft_socket_open(&socket);

	if (r < 0)
		return r;
	nft_table_name(tap, table);
	nft_batch_begin(&batch);
	nft_add_table(&batch, table, NFT_MSG_DELTABLE, 0);
	r = nft_batch_commit(&batch, socket);
	nft_batch_fini(&batch);
	mnl_socket_close(socket);
	return r == -ENOENT ? 0 : r;
}

void nft_close_in_child(struct nft *nft)
{
	if (!nft)
		return;
	if (nft->socket)
		mnl_socket_close(nft->socket);
	free(nft);
}
