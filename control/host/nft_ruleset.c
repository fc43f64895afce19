/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/nft_ruleset.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* More chains or rules than this are not ours to look at. */
#define ENTRIES_MAX 1000000
/* Somebody may change the rules while they are read: read them again this many times. */
#define READS_MAX 5

static const uint16_t families[] = {NFPROTO_IPV4, NFPROTO_INET};

/* Makes room for one more in an array of pointers. Returns 0 or a negative errno. */
static int grow(void ***array, size_t count)
{
	void **larger;

	if (count >= ENTRIES_MAX)
		return -E2BIG;
	/* Powers of two: full when the count is one of them (or 0). */
	if (count & (count - 1))
		return 0;
	larger = reallocarray(*array, count ? 2 * count : 1, sizeof(**array));
	if (!larger)
		return -ENOMEM;
	*array = larger;
	return 0;
}

static int add_chain(const struct nlmsghdr *message, void *argument)
{
	struct nft_ruleset *ruleset = argument;
	struct nftnl_chain *chain = nftnl_chain_alloc();
	int r = -ENOMEM;

	if (!chain)
		goto fail;
	r = nftnl_chain_nlmsg_parse(message, chain) < 0 ? -EPROTO : 0;
	if (r < 0)
		goto fail;
	r = grow((void ***)&ruleset->chains, ruleset->chain_count);
	if (r < 0)
		goto fail;
	ruleset->chains[ruleset->chain_count++] = chain;
	return MNL_CB_OK;
fail:
	if (chain)
		nftnl_chain_free(chain);
	errno = -r;
	return MNL_CB_ERROR;
}

static int add_rule(const struct nlmsghdr *message, void *argument)
{
	struct nft_ruleset *ruleset = argument;
	struct nftnl_rule *rule = nftnl_rule_alloc();
	int r = -ENOMEM;

	if (!rule)
		goto fail;
	r = nftnl_rule_nlmsg_parse(message, rule) < 0 ? -EPROTO : 0;
	if (r < 0)
		goto fail;
	r = grow((void ***)&ruleset->rules, ruleset->rule_count);
	if (r < 0)
		goto fail;
	ruleset->rules[ruleset->rule_count++] = rule;
	return MNL_CB_OK;
fail:
	if (rule)
		nftnl_rule_free(rule);
	errno = -r;
	return MNL_CB_ERROR;
}

/* Asks for everything of one type and family, and gives each answer to `add`. */
static int dump(struct mnl_socket *socket, uint16_t type, uint16_t family, mnl_cb_t add,
	struct nft_ruleset *ruleset)
{
	_Alignas(struct nlmsghdr) char buffer[65536];
	static uint32_t sequence;
	struct nlmsghdr *request =
		nftnl_nlmsg_build_hdr(buffer, type, family, NLM_F_DUMP, ++sequence);
	int r = MNL_CB_OK;

	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return -errno;
	while (r > MNL_CB_STOP) {
		ssize_t length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return -errno;
		r = mnl_cb_run(buffer, (size_t)length, sequence, mnl_socket_get_portid(socket), add,
			ruleset);
	}
	return r < 0 ? -errno : 0;
}

static int read_once(struct nft_ruleset *ret_ruleset)
{
	struct nft_ruleset ruleset = {0};
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	size_t i;
	int r = 0;

	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		r = -errno;
	for (i = 0; r == 0 && i < sizeof(families) / sizeof(families[0]); i++) {
		r = dump(socket, NFT_MSG_GETCHAIN, families[i], add_chain, &ruleset);
		if (r == 0)
			r = dump(socket, NFT_MSG_GETRULE, families[i], add_rule, &ruleset);
	}
	mnl_socket_close(socket);
	if (r < 0) {
		nft_ruleset_fini(&ruleset);
		return r;
	}
	*ret_ruleset = ruleset;
	return 0;
}

int nft_ruleset_read(struct nft_ruleset *ret_ruleset)
{
	int reads;
	int r = -EINTR;

	for (reads = 0; r == -EINTR && reads < READS_MAX; reads++)
		r = read_once(ret_ruleset);
	return r;
}

void nft_ruleset_fini(struct nft_ruleset *ruleset)
{
	size_t i;

	for (i = 0; i < ruleset->chain_count; i++)
		nftnl_chain_free(ruleset->chains[i]);
	for (i = 0; i < ruleset->rule_count; i++)
		nftnl_rule_free(ruleset->rules[i]);
	free(ruleset->chains);
	free(ruleset->rules);
	*ruleset = (struct nft_ruleset){0};
}

const struct nftnl_chain *nft_ruleset_chain(
	const struct nft_ruleset *ruleset, uint32_t family, const char *table, const char *name)
{
	size_t i;

	for (i = 0; i < ruleset->chain_count; i++) {
		const struct nftnl_chain *chain = ruleset->chains[i];

		if (nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY) == family &&
			strcmp(nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE), table) == 0 &&
			strcmp(nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME), name) == 0)
			return chain;
	}
	return NULL;
}

const struct nftnl_rule *nft_ruleset_next_rule(
	const struct nft_ruleset *ruleset, const struct nftnl_chain *chain, size_t *position)
{
	const char *table = nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE);
	const char *name = nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME);
	uint32_t family = nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY);

	while (*position < ruleset->rule_count) {
		const struct nftnl_rule *rule = ruleset->rules[(*position)++];

		if (nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY) == family &&
			strcmp(nftnl_rule_get_str(rule, NFTNL_RULE_TABLE), table) == 0 &&
			strcmp(nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN), name) == 0)
			return rule;
	}
	return NULL;
}
