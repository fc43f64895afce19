/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * A rule is a list of expressions: "meta" loads a property of the packet, the "cmp" behind it
 * compares that, and the last one acts. One pass over a rule collects the names of interfaces that
 * it compares with, and what it does; the rules of nft_leave.c are recognised by that.
 */
#include "control/host/nft_view.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "control/host/nft.h"
#include "control/host/nft_ruleset.h"

/* What one rule says. */
struct nft_gist {
	char in[IFNAMSIZ];  /* iifname that it is for; empty: any, or all but one */
	char out[IFNAMSIZ]; /* oifname, likewise */
	bool state;	    /* only for some states or marks of connections */
	bool masquerades;
	bool accepts;
	uint64_t packets; /* counted */
};

/* Notes the name that is compared with, when the property `key` is the name of an interface. */
static void gist_compare(struct nft_gist *gist, uint32_t key, const struct nftnl_expr *compare)
{
	char *name = key == NFT_META_IIFNAME ? gist->in : gist->out;
	uint32_t length;
	const void *data = nftnl_expr_get(compare, NFTNL_EXPR_CMP_DATA, &length);

	if ((key != NFT_META_IIFNAME && key != NFT_META_OIFNAME) || !data || length > IFNAMSIZ ||
		nftnl_expr_get_u32(compare, NFTNL_EXPR_CMP_OP) != NFT_CMP_EQ)
		return;
	memcpy(name, data, length);
	name[IFNAMSIZ - 1] = '\0';
}

static struct nft_gist gist_read(const struct nftnl_rule *rule)
{
	struct nftnl_expr_iter *iterator = nftnl_expr_iter_create(rule);
	struct nftnl_expr *expression;
	struct nft_gist gist = {0};
	uint32_t key = UINT32_MAX; /* of the property that was loaded last; none */

	while (iterator && (expression = nftnl_expr_iter_next(iterator))) {
		const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);

		if (strcmp(name, "cmp") == 0)
			gist_compare(&gist, key, expression);
		key = UINT32_MAX;
		if (strcmp(name, "meta") == 0)
			key = nftnl_expr_get_u32(expression, NFTNL_EXPR_META_KEY);
		else if (strcmp(name, "ct") == 0)
			gist.state = true;
		else if (strcmp(name, "counter") == 0)
			gist.packets += nftnl_expr_get_u64(expression, NFTNL_EXPR_CTR_PACKETS);
		else if (strcmp(name, "masq") == 0)
			gist.masquerades = true;
		else if (strcmp(name, "immediate") == 0)
			gist.accepts =
				nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_VERDICT) == NF_ACCEPT;
	}
	if (iterator)
		nftnl_expr_iter_destroy(iterator);
	return gist;
}

static void view_postrouting(struct nft_view *view, const struct nft_ruleset *ruleset,
	const char *table, const char *tap)
{
	const struct nftnl_chain *chain =
		nft_ruleset_chain(ruleset, NFPROTO_IPV4, table, "postrouting");
	const struct nftnl_rule *rule;
	size_t position = 0;

	view->exists = chain != NULL;
	while (chain && (rule = nft_ruleset_next_rule(ruleset, chain, &position))) {
		const struct nft_gist gist = gist_read(rule);

		/* What is masqueraded towards the TAP goes to a guest. */
		if (!gist.masquerades || strcmp(gist.out, tap) == 0)
			continue;
		view->masquerades = true;
		memcpy(view->egress, gist.out, sizeof(view->egress));
	}
}

static void view_forward(struct nft_view *view, const struct nft_ruleset *ruleset,
	const char *table, const char *tap)
{
	const struct nftnl_chain *chain =
		nft_ruleset_chain(ruleset, NFPROTO_IPV4, table, "forward");
	const struct nftnl_rule *rule;
	size_t position = 0;

	while (chain && (rule = nft_ruleset_next_rule(ruleset, chain, &position))) {
		const struct nft_gist gist = gist_read(rule);

		view->packets += gist.packets;
		if (gist.accepts && !gist.state && strcmp(gist.in, tap) == 0 &&
			strcmp(gist.out, view->egress) == 0)
			view->accepts = true;
	}
}

int nft_view_read(const char *tap, struct nft_view *ret_view)
{
	char table[NFT_TABLE_SIZE];
	struct nft_ruleset ruleset;
	struct nft_view view = {0};
	int r = nft_ruleset_read(&ruleset);

	if (r < 0)
		return r;
	nft_table_name(tap, table);
	view_postrouting(&view, &ruleset, table, tap);
	view_forward(&view, &ruleset, table, tap);
	nft_ruleset_fini(&ruleset);
	*ret_view = view;
	return 0;
}
