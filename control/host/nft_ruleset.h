/* SPDX-License-Identifier: BSD-3-Clause */
/* A copy of the chains and rules of the families ip and inet, whoever made them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct nftnl_chain;
struct nftnl_rule;

struct nft_ruleset {
	struct nftnl_chain **chains; /* owned, in the kernel's order */
	size_t chain_count;
	struct nftnl_rule **rules; /* owned, those of one chain in their order */
	size_t rule_count;
};

/*
 * Reads them from the caller's network namespace. Returns 0; -EPERM without CAP_NET_ADMIN; -EINTR
 * when they changed each time while they were read; -E2BIG beyond a million of either; or a
 * negative errno. The caller frees them with nft_ruleset_fini().
 */
int nft_ruleset_read(struct nft_ruleset *ret_ruleset);

void nft_ruleset_fini(struct nft_ruleset *ruleset);

/* Finds a chain by family (NFPROTO_*), table and name; NULL when there is none. */
const struct nftnl_chain *nft_ruleset_chain(
	const struct nft_ruleset *ruleset, uint32_t family, const char *table, const char *name);

/* Returns the chain's next rule at or after `position`, which it advances; NULL at the end. */
const struct nftnl_rule *nft_ruleset_next_rule(
	const struct nft_ruleset *ruleset, const struct nftnl_chain *chain, size_t *position);
