/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/nft.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>

#include "control/host/nft_ruleset.h"

/* Packets that the rule counted. */
static uint64_t count_rule(const struct nftnl_rule *rule)
{
	struct nftnl_expr_iter *iterator = nftnl_expr_iter_create(rule);
	struct nftnl_expr *expression;
	uint64_t count = 0;

	while (iterator && (expression = nftnl_expr_iter_next(iterator)))
		if (strcmp(nftnl_expr_get_str(expression, NFTNL_EXPR_NAME), "counter") == 0)
			count += nftnl_expr_get_u64(expression, NFTNL_EXPR_CTR_PACKETS);
	if (iterator)
		nftnl_expr_iter_destroy(iterator);
	return count;
}

int nft_seen(const char *tap, uint64_t *ret_packets)
{
	char table[NFT_TABLE_SIZE];
	struct nft_ruleset ruleset;
	const struct nftnl_chain *chain;
	const struct nftnl_rule *rule;
	uint64_t packets = 0;
	size_t position = 0;
	int r = nft_ruleset_read(&ruleset);

	if (r < 0)
		return r;
	nft_table_name(tap, table);
	chain = nft_ruleset_chain(&ruleset, NFPROTO_IPV4, table, "forward");
	r = chain ? 0 : -ENOENT;
	while (chain && (rule = nft_ruleset_next_rule(&ruleset, chain, &position)))
		packets += count_rule(rule);
	nft_ruleset_fini(&ruleset);
	if (r == 0)
		*ret_packets = packets;
	return r;
}
