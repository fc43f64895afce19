/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * One table of family ip. Its base chains, in the order in which a packet meets them:
 *
 *   raw          (prerouting, raw)     keeps guests from the host's loopback    nft_forward.c
 *                                      outside ports, without state             nft_stateless.c
 *   answers      (prerouting, mangle)  their ICMP                               nft_stateless.c
 *   arrivals     (prerouting, dstnat)  the world's and guests' way to forwards  nft_forward.c
 *   own          (output, dstnat)      the host's own way there                 nft_forward.c
 *   forward      (forward, filter)     who may pass                             nft_leave.c
 *   postrouting  (postrouting, srcnat) masquerades                              nft_leave.c
 *   swap         (postrouting, srcnat) the host's address for outside ports     nft_stateless.c
 *
 * forward and postrouting are always there, the others from the first time on that they are needed.
 * An accept here ends only our own chain: another table's base chain may still drop (nft_foreign.h
 * finds that).
 *
 * Every change is one transaction, which empties the chains and fills them again; chains stay, so
 * that no packet finds the old one empty and the new one not yet there. Connections that exist keep
 * their translation, which lies in connection tracking and not in the rules.
 *
 * A new table starts with "add table, delete table": this removes a table without owner that a
 * crash left behind, whether or not there is one. It fails (EPERM) if a live process owns it.
 */
#include "control/host/nft.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control/host/nft_batch.h"
#include "control/host/nft_part.h"
#include "control/host/nft_rule.h"

/* A base chain, and what fills it. */
struct nft_base_chain {
	const char *name;
	const char *type; /* "filter" or "nat" */
	uint32_t hook;	  /* NF_INET_* */
	int32_t priority; /* NF_IP_PRI_* */
	bool (*is_needed)(const struct nft_config *config);
	void (*fill)(const struct nft_scope *scope);
};

static bool nft_always(const struct nft_config *config)
{
	return true;
}

static bool nft_has_forwards(const struct nft_config *config)
{
	return config->forward_count > 0;
}

static bool nft_needs_raw(const struct nft_config *config)
{
	return nft_is_stateless(config) ||
	       nft_forward_needs_loopback(config->forwards, config->forward_count);
}

static void nft_fill_raw(const struct nft_scope *scope)
{
	nft_forward_guard(scope);
	nft_stateless_raw(scope);
}

static void nft_fill_postrouting(const struct nft_scope *scope)
{
	nft_forward_masquerade(scope);
	nft_leave_masquerade(scope);
}

static const struct nft_base_chain chains[] = {
	{"postrouting", "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC, nft_always,
		nft_fill_postrouting},
	{"forward", "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER, nft_always, nft_leave_filter},
	{"raw", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW, nft_needs_raw, nft_fill_raw},
	{"answers", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_MANGLE, nft_is_stateless,
		nft_stateless_answers},
	{"swap", "filter", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC, nft_is_stateless,
		nft_stateless_swap},
	{"arrivals", "nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST, nft_has_forwards,
		nft_forward_arrivals},
	{"own", "nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST, nft_has_forwards, nft_forward_own},
};

#define CHAIN_COUNT (sizeof(chains) / sizeof(chains[0]))

struct nft {
	struct mnl_socket *socket;  /* that owns the table */
	struct nft_config config;   /* what the rules say */
	char table[NFT_TABLE_SIZE]; /* its name */
	bool made[CHAIN_COUNT];	    /* the chains that exist */
	bool owned;		    /* the kernel took the owner flag */
};

void nft_table_name(const char *tap, char name[NFT_TABLE_SIZE])
{
	snprintf(name, NFT_TABLE_SIZE, "chnet-%s", tap);
}

void nft_part_begin(const struct nft_scope *scope, struct nft_rule *rule)
{
	nft_rule_begin(rule, NFPROTO_IPV4, scope->table, scope->chain);
}

void nft_part_accept(const struct nft_scope *scope, struct nft_rule *rule)
{
	nft_rule_counter(rule);
	nft_rule_accept(rule);
	nft_rule_add(rule, scope->batch);
}

void nft_part_drop(const struct nft_scope *scope, struct nft_rule *rule)
{
	nft_rule_counter(rule);
	nft_rule_drop(rule);
	nft_rule_add(rule, scope->batch);
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

/* Writes the chains and every rule of `config`, emptying the chains of `made`, which is updated. */
static void nft_write(
	struct nft_batch *batch, const char *table, const struct nft_config *config, bool *made)
{
	struct nft_scope scope = {.batch = batch, .table = table, .config = config};
	size_t i;

	for (i = 0; i < CHAIN_COUNT; i++)
		if (made[i])
			nft_flush_chain(batch, table, chains[i].name);
	for (i = 0; i < CHAIN_COUNT; i++) {
		if (!chains[i].is_needed(config))
			continue;
		if (!made[i])
			nft_add_chain(batch, table, &chains[i]);
		made[i] = true;
		scope.chain = chains[i].name;
		chains[i].fill(&scope);
	}
}

/* Makes the table, with (or without) the owner flag. */
static int nft_create(struct nft *nft, bool owned)
{
	bool made[CHAIN_COUNT] = {false};
	struct nft_batch batch;
	int r;

	nft_batch_begin(&batch);
	nft_add_table(&batch, nft->table, NFT_MSG_NEWTABLE, 0);
	nft_add_table(&batch, nft->table, NFT_MSG_DELTABLE, 0);
	nft_add_table(&batch, nft->table, NFT_MSG_NEWTABLE, owned ? NFT_TABLE_F_OWNER : 0);
	nft_write(&batch, nft->table, &nft->config, made);
	r = nft_batch_commit(&batch, nft->socket);
	nft_batch_fini(&batch);
	if (r == 0)
		memcpy(nft->made, made, sizeof(made));
	return r;
}

/* Bytes of a socket's buffers: a transaction is one datagram, and each message of it is answered.
 */
#define NFT_SOCKET_BUFFER (4 << 20)

/* Opens a netfilter socket (close-on-exec). */
static int nft_socket_open(struct mnl_socket **ret_socket)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int bytes = NFT_SOCKET_BUFFER;

	if (!socket)
		return -errno;
	/* Without rights they stay as they are, and the transaction is refused anyway. */
	setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
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

/* Makes the rules those of `config`. */
static int nft_change(struct nft *nft, const struct nft_config *config)
{
	bool made[CHAIN_COUNT];
	struct nft_batch batch;
	int r;

	memcpy(made, nft->made, sizeof(made));
	nft_batch_begin(&batch);
	nft_write(&batch, nft->table, config, made);
	r = nft_batch_commit(&batch, nft->socket);
	nft_batch_fini(&batch);
	if (r < 0)
		return r;
	nft->config = *config;
	memcpy(nft->made, made, sizeof(made));
	return 0;
}

int nft_set_egress(struct nft *nft, const char *egress, struct in_addr address_be)
{
	struct nft_config config = nft->config;

	if (strlen(egress) >= sizeof(config.egress))
		return -ENAMETOOLONG;
	memset(config.egress, 0, sizeof(config.egress));
	memcpy(config.egress, egress, strlen(egress));
	config.egress_be = address_be;
	return nft_change(nft, &config);
}

int nft_set_forwards(struct nft *nft, const struct host_forward *forwards, size_t count)
{
	struct nft_config config = nft->config;

	if (count > HOST_FORWARDS_MAX)
		return -ENOSPC;
	memcpy(config.forwards, forwards, count * sizeof(*forwards));
	config.forward_count = count;
	return nft_change(nft, &config);
}

bool nft_is_owned(const struct nft *nft)
{
	return nft->owned;
}

bool nft_keeps_no_state(const struct nft *nft)
{
	return nft_is_stateless(&nft->config);
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
	struct mnl_socket *socket = NULL;
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
