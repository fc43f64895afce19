/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/nft.h"

#include <linux/netfilter.h>

#include "control/host/nft_ruleset.h"

int nft_exists(const char *tap)
{
	char table[NFT_TABLE_SIZE];
	struct nft_ruleset ruleset;
	int r = nft_ruleset_read(&ruleset);

	if (r < 0)
		return r;
	nft_table_name(tap, table);
	r = nft_ruleset_chain(&ruleset, NFPROTO_IPV4, table, "postrouting") != NULL;
	nft_ruleset_fini(&ruleset);
	return r;
}
