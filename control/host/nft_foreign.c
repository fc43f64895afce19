/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * All chains and all rules of the families ip and inet are read (nft_ruleset.h). Packets then walk
 * each base chain of the forward hook, as they would in the kernel: a new one from the TAP to the
 * way out, an answer of an established connection the other way (both untracked when the rules keep
 * no state), and a new one to a forwarded port. The walk ends at the
 * first certain accept or drop; rules that cannot be decided (nft_eval.h) are passed over, and
 * make a later drop "may".
 */
#include "control/host/nft_foreign.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#include "control/host/nft_eval.h"
#include "control/host/nft_ruleset.h"

/* The kernel allows 16 jumps in a row (NFT_JUMP_STACK_SIZE). */
#define DEPTH_MAX 17

/* A chain that is being walked. */
struct nft_frame {
	const struct nftnl_chain *chain;
	size_t position; /* of its next rule in the rule set */
};

/* A packet on its way through one base chain. */
struct nft_walk {
	const struct nft_ruleset *ruleset;
	struct nft_packet packet;
	struct nft_frame frames[DEPTH_MAX]; /* the base chain, and those jumped to */
	size_t depth;			    /* frames in use; 0 = at the end of the base chain */
	bool uncertain;			    /* a rule on the way could not be decided */
};

/* Enters a chain by name, in the table of the present one. */
static void walk_enter(struct nft_walk *walk, const struct nftnl_chain *from, const char *name)
{
	const struct nftnl_chain *chain =
		nft_ruleset_chain(walk->ruleset, nftnl_chain_get_u32(from, NFTNL_CHAIN_FAMILY),
			nftnl_chain_get_str(from, NFTNL_CHAIN_TABLE), name);

	if (chain && walk->depth < DEPTH_MAX)
		walk->frames[walk->depth++] = (struct nft_frame){chain, 0};
	else
		walk->uncertain = true;
}

/* Obeys one rule. Returns NFT_EVAL_ACCEPT or NFT_EVAL_DROP, or NFT_EVAL_CONTINUE to go on. */
static enum nft_eval_verdict walk_rule(struct nft_walk *walk, const struct nftnl_rule *rule)
{
	const struct nftnl_chain *chain = walk->frames[walk->depth - 1].chain;
	const char *target = NULL;
	enum nft_eval_verdict verdict = nft_eval_rule(rule, &walk->packet, &target);

	switch (verdict) {
	case NFT_EVAL_CONTINUE:
		break;
	case NFT_EVAL_ACCEPT:
	case NFT_EVAL_DROP:
		return verdict;
	case NFT_EVAL_JUMP:
		walk_enter(walk, chain, target);
		break;
	case NFT_EVAL_GOTO:
		walk->depth--;
		walk_enter(walk, chain, target);
		break;
	case NFT_EVAL_RETURN:
		walk->depth--;
		break;
	case NFT_EVAL_UNKNOWN:
		walk->uncertain = true;
		break;
	}
	return NFT_EVAL_CONTINUE;
}

/* Walks a base chain. Returns NFT_EVAL_CONTINUE when it came to the end, where the policy is. */
static enum nft_eval_verdict walk_base(struct nft_walk *walk, const struct nftnl_chain *base)
{
	walk->frames[0] = (struct nft_frame){base, 0};
	walk->depth = 1;
	while (walk->depth > 0) {
		struct nft_frame *frame = &walk->frames[walk->depth - 1];
		const struct nftnl_rule *rule =
			nft_ruleset_next_rule(walk->ruleset, frame->chain, &frame->position);
		enum nft_eval_verdict verdict;

		if (!rule) {
			walk->depth--;
			continue;
		}
		verdict = walk_rule(walk, rule);
		if (verdict != NFT_EVAL_CONTINUE)
			return verdict;
	}
	return NFT_EVAL_CONTINUE;
}

/* Walks a base chain; says whether the packet is dropped, how surely, and by what. */
static bool walk_drops(struct nft_walk *walk, const struct nftnl_chain *base, bool *ret_policy)
{
	enum nft_eval_verdict verdict = walk_base(walk, base);

	*ret_policy = verdict == NFT_EVAL_CONTINUE;
	if (verdict == NFT_EVAL_CONTINUE)
		return nftnl_chain_get_u32(base, NFTNL_CHAIN_POLICY) == NF_DROP;
	return verdict == NFT_EVAL_DROP;
}

/* The rules that a chain of nobody known lacks. */
static void describe_rules(
	const struct nft_foreign_query *query, struct nft_foreign_finding *finding)
{
	const char *family = finding->family, *table = finding->table, *chain = finding->chain;
	char *mend = finding->mend;
	size_t size = sizeof(finding->mend);
	int length = snprintf(mend, size,
		"nft insert rule %s %s %s iifname %s accept; nft insert rule %s %s %s oifname %s "
		"ct "
		"state related,established%s accept",
		family, table, chain, query->tap, family, table, chain, query->tap,
		query->stateless ? ",untracked" : "");

	if (query->forwards && length > 0 && (size_t)length < size)
		snprintf(mend + length, size - (size_t)length,
			"; nft insert rule %s %s %s oifname %s ct status dnat accept", family,
			table, chain, query->tap);
}

/*
 * Names the command that mends a finding. Programs that write their chains anew have a place of
 * their own for such rules.
 */
static void describe_mend(const struct nft_ruleset *ruleset, const struct nft_foreign_query *query,
	struct nft_foreign_finding *finding)
{
	uint32_t family = strcmp(finding->family, "ip") == 0 ? NFPROTO_IPV4 : NFPROTO_INET;
	char *mend = finding->mend;
	size_t size = sizeof(finding->mend);

	if (nft_ruleset_chain(ruleset, family, finding->table, "DOCKER-USER"))
		snprintf(mend, size,
			"iptables -I DOCKER-USER -i %s -j ACCEPT; iptables -I DOCKER-USER -o %s "
			"-m conntrack --ctstate RELATED,ESTABLISHED%s%s -j ACCEPT",
			query->tap, query->tap, query->stateless ? ",UNTRACKED" : "",
			query->forwards ? ",DNAT" : "");
	else if (nft_ruleset_chain(ruleset, family, finding->table, "ufw-user-forward"))
		snprintf(mend, size,
			query->stateless || query->forwards
				? "ufw route allow in on %s; ufw route allow out on %s"
				: "ufw route allow in on %s",
			query->tap, query->tap);
	else if (strcmp(finding->table, "firewalld") == 0)
		snprintf(mend, size, "firewall-cmd --zone=trusted --add-interface=%s", query->tap);
	else
		describe_rules(query, finding);
}

/* The packet from the TAP to the way out, or the other way. */
static struct nft_walk walk_begin(
	const struct nft_ruleset *ruleset, const struct nft_foreign_query *query, bool out)
{
	const struct in_addr anybody = {0};

	return (struct nft_walk){
		.ruleset = ruleset,
		.packet =
			{
				.iifname = out ? query->tap : query->egress,
				.oifname = out ? query->egress : query->tap,
				.iif = out ? query->tap_index : query->egress_index,
				.oif = out ? query->egress_index : query->tap_index,
				.saddr_be = out ? query->outside_be : anybody,
				.daddr_be = out ? anybody : query->outside_be,
			},
	};
}

/* Looks at one base chain. Returns true and fills in `finding` when it drops. */
static bool check_chain(const struct nft_ruleset *ruleset, const struct nft_foreign_query *query,
	const struct nftnl_chain *base, struct nft_foreign_finding *finding)
{
	struct nft_walk walks[] = {
		walk_begin(ruleset, query, true),
		walk_begin(ruleset, query, false),
		walk_begin(ruleset, query, false),
	};
	bool *const drops[] = {&finding->out, &finding->in, &finding->arrivals};
	size_t count = query->forwards ? 3 : 2;
	bool policies[] = {false, false, false};

	walks[0].packet.ct_state = NF_CT_STATE_BIT(IP_CT_NEW);
	walks[1].packet.ct_state = NF_CT_STATE_BIT(IP_CT_ESTABLISHED);
	if (query->stateless)
		walks[0].packet.ct_state = walks[1].packet.ct_state = NF_CT_STATE_UNTRACKED_BIT;
	walks[2].packet.ct_state = NF_CT_STATE_BIT(IP_CT_NEW);
	walks[2].packet.ct_status = IPS_DST_NAT;
	*finding = (struct nft_foreign_finding){0};
	for (size_t i = 0; i < count; i++) {
		*drops[i] = walk_drops(&walks[i], base, &policies[i]);
		if (*drops[i] && !walks[i].uncertain)
			finding->certain = true;
	}
	if (!finding->out && !finding->in && !finding->arrivals)
		return false;
	/* Next to a certain drop one that may be is not worth a word. */
	for (size_t i = count; i-- > 0;) {
		if (finding->certain && walks[i].uncertain)
			*drops[i] = false;
		if (*drops[i])
			finding->policy = policies[i];
	}
	finding->family =
		nftnl_chain_get_u32(base, NFTNL_CHAIN_FAMILY) == NFPROTO_IPV4 ? "ip" : "inet";
	snprintf(finding->table, sizeof(finding->table), "%s",
		nftnl_chain_get_str(base, NFTNL_CHAIN_TABLE));
	snprintf(finding->chain, sizeof(finding->chain), "%s",
		nftnl_chain_get_str(base, NFTNL_CHAIN_NAME));
	describe_mend(ruleset, query, finding);
	return true;
}

/* Is it a base chain of the hook that is not ours? */
static bool is_foreign(const struct nftnl_chain *chain, uint32_t hook, const char *own_table)
{
	if (!nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM) ||
		nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM) != hook)
		return false;
	return !own_table || nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY) != NFPROTO_IPV4 ||
	       strcmp(nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE), own_table) != 0;
}

int nft_foreign_find(const struct nft_foreign_query *query, struct nft_foreign_finding *findings,
	size_t capacity, size_t *ret_count)
{
	struct nft_ruleset ruleset;
	size_t count = 0;
	size_t i;
	int r = nft_ruleset_read(&ruleset);

	if (r < 0)
		return r;
	for (i = 0; i < ruleset.chain_count && count < capacity; i++)
		if (is_foreign(ruleset.chains[i], NF_INET_FORWARD, query->own_table) &&
			check_chain(&ruleset, query, ruleset.chains[i], &findings[count]))
			count++;
	nft_ruleset_fini(&ruleset);
	*ret_count = count;
	return 0;
}

int nft_foreign_find_nat(const char *own_table, char table[NFT_FOREIGN_NAME_SIZE])
{
	struct nft_ruleset ruleset;
	int found = 0;
	int r = nft_ruleset_read(&ruleset);

	if (r < 0)
		return r;
	for (size_t i = 0; !found && i < ruleset.chain_count; i++) {
		const struct nftnl_chain *chain = ruleset.chains[i];
		size_t position = 0;

		if (!is_foreign(chain, NF_INET_POST_ROUTING, own_table) ||
			strcmp(nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE), "nat") != 0 ||
			!nft_ruleset_next_rule(&ruleset, chain, &position))
			continue;
		snprintf(table, NFT_FOREIGN_NAME_SIZE, "%s",
			nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE));
		found = 1;
	}
	nft_ruleset_fini(&ruleset);
	return found;
}

bool nft_foreign_has_legacy(void)
{
	char line[64];
	bool found = false;
	FILE *file = fopen("/proc/net/ip_tables_names", "re");

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		found = found || strcmp(line, "filter\n") == 0;
	fclose(file);
	return found;
}

void nft_foreign_text(const struct nft_foreign_finding *finding, char *text, size_t size)
{
	static const char *const subjects[] = {
		[1] = "packets of guests",
		[2] = "answers to guests",
		[3] = "packets of guests and their answers",
		[4] = "connections to forwarded ports",
		[5] = "packets of guests, and connections to forwarded ports",
		[6] = "answers to guests, and connections to forwarded ports",
		[7] = "packets of guests, their answers, and connections to forwarded ports",
	};
	const char *what = subjects[finding->out + 2 * finding->in + 4 * finding->arrivals];

	snprintf(text, size, "%s in nftables chain %s %s %s %s %s: run '%s'",
		finding->policy ? "the policy" : "a rule", finding->family, finding->table,
		finding->chain, finding->certain ? "drops" : "may drop", what, finding->mend);
}
