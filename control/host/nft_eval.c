/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * A rule is a small program over registers: load (meta, payload, ct, immediate), transform
 * (bitwise), compare (cmp), act (immediate verdict, reject, counter, …). We run it with registers
 * of which each 32-bit word is known or not known. A comparison that is known to fail ends the
 * rule; one that cannot be decided makes the rest of the rule conditional, so that a verdict at its
 * end is "unknown". Any expression that we do not model and that may end a rule (lookup, range,
 * limit, xtables matches) is such a comparison too.
 *
 * The answer is used for a warning. It never claims a drop that is not certain.
 */
#include "control/host/nft_eval.h"

#include <errno.h>
#include <stdio.h> /* libnftnl needs FILE */
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <net/if.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/ip.h>
#include <stddef.h>
#include <string.h>

/* 32-bit words of the register file: NFT_REG32_00 to NFT_REG32_15. */
#define WORDS 16

/* State of a rule being run. */
struct nft_eval {
	const struct nft_packet *packet;
	uint32_t words[WORDS]; /* the registers, as the kernel has them in memory */
	bool known[WORDS];     /* which of them have a known content */
	bool conditional;      /* a comparison before could not be decided */
	const char *chain;     /* target of a jump; NULL = none yet */
};

/* What an expression does with the rule. */
enum nft_step {
	NFT_STEP_NEXT,	  /* go on with the next expression */
	NFT_STEP_BREAK,	  /* the rule does not match */
	NFT_STEP_VERDICT, /* it has its verdict */
};

/* Maps a register number to its first word; -1 for the verdict register or nonsense. */
static int eval_word(uint32_t reg)
{
	if (reg >= NFT_REG_1 && reg <= NFT_REG_4)
		return (int)(reg - NFT_REG_1) * 4;
	if (reg >= NFT_REG32_00 && reg <= NFT_REG32_15)
		return (int)(reg - NFT_REG32_00);
	return -1;
}

/* Loads `length` bytes, zero-padded to whole words; data NULL means unknown content. */
static void eval_load(struct nft_eval *eval, uint32_t reg, const void *data, size_t length)
{
	int first = eval_word(reg);
	size_t words = (length + 3) / 4;
	size_t i;

	if (first < 0 || (size_t)first + words > WORDS)
		return;
	for (i = 0; i < words; i++) {
		eval->words[(size_t)first + i] = 0;
		eval->known[(size_t)first + i] = data != NULL;
	}
	if (data)
		memcpy(&eval->words[first], data, length);
}

/* Loads an interface's name; "" is unknown. */
static void eval_load_name(struct nft_eval *eval, uint32_t reg, const char *name)
{
	char padded[IFNAMSIZ] = {0};

	strncpy(padded, name, sizeof(padded) - 1);
	eval_load(eval, reg, name[0] ? padded : NULL, sizeof(padded));
}

static enum nft_step eval_meta(
	struct nft_eval *eval, const struct nftnl_expr *expression, enum nft_eval_verdict *verdict)
{
	static const uint8_t ipv4 = NFPROTO_IPV4;
	const struct nft_packet *packet = eval->packet;
	uint32_t reg = nftnl_expr_get_u32(expression, NFTNL_EXPR_META_DREG);

	/* With a source register it sets something, as a mark. */
	if (nftnl_expr_is_set(expression, NFTNL_EXPR_META_SREG))
		return NFT_STEP_NEXT;
	switch (nftnl_expr_get_u32(expression, NFTNL_EXPR_META_KEY)) {
	case NFT_META_IIFNAME:
		eval_load_name(eval, reg, packet->iifname);
		break;
	case NFT_META_OIFNAME:
		eval_load_name(eval, reg, packet->oifname);
		break;
	case NFT_META_IIF:
		eval_load(eval, reg, packet->iif ? &packet->iif : NULL, sizeof(packet->iif));
		break;
	case NFT_META_OIF:
		eval_load(eval, reg, packet->oif ? &packet->oif : NULL, sizeof(packet->oif));
		break;
	case NFT_META_NFPROTO:
		eval_load(eval, reg, &ipv4, sizeof(ipv4));
		break;
	default: /* the kernel's enumeration */
		eval_load(eval, reg, NULL, IFNAMSIZ);
	}
	return NFT_STEP_NEXT;
}

static enum nft_step eval_payload(
	struct nft_eval *eval, const struct nftnl_expr *expression, enum nft_eval_verdict *verdict)
{
	const struct in_addr *address = NULL;
	uint32_t reg = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_DREG);
	uint32_t offset = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_OFFSET);
	uint32_t length = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_LEN);

	if (nftnl_expr_is_set(expression, NFTNL_EXPR_PAYLOAD_SREG))
		return NFT_STEP_NEXT;
	/* A prefix of whole bytes is listed as a shorter load. */
	if (nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_BASE) == NFT_PAYLOAD_NETWORK_HEADER &&
		length <= sizeof(*address)) {
		if (offset == offsetof(struct iphdr, saddr))
			address = &eval->packet->saddr_be;
		else if (offset == offsetof(struct iphdr, daddr))
			address = &eval->packet->daddr_be;
	}
	if (address && address->s_addr == 0)
		address = NULL;
	eval_load(eval, reg, address, length);
	return NFT_STEP_NEXT;
}

static enum nft_step eval_ct(
	struct nft_eval *eval, const struct nftnl_expr *expression, enum nft_eval_verdict *verdict)
{
	uint32_t key = nftnl_expr_get_u32(expression, NFTNL_EXPR_CT_KEY);
	const uint32_t *bits = NULL;

	if (nftnl_expr_is_set(expression, NFTNL_EXPR_CT_SREG))
		return NFT_STEP_NEXT;
	if (key == NFT_CT_STATE && eval->packet->ct_state != 0)
		bits = &eval->packet->ct_state;
	else if (key == NFT_CT_STATUS && eval->packet->ct_status != 0)
		bits = &eval->packet->ct_status;
	/* The longest key, an IPv6 address; these have one word. */
	eval_load(eval, nftnl_expr_get_u32(expression, NFTNL_EXPR_CT_DREG), bits,
		bits ? sizeof(*bits) : 16);
	return NFT_STEP_NEXT;
}

static enum nft_step eval_bitwise(
	struct nft_eval *eval, const struct nftnl_expr *expression, enum nft_eval_verdict *verdict)
{
	int from = eval_word(nftnl_expr_get_u32(expression, NFTNL_EXPR_BITWISE_SREG));
	uint32_t to = nftnl_expr_get_u32(expression, NFTNL_EXPR_BITWISE_DREG);
	uint32_t length = nftnl_expr_get_u32(expression, NFTNL_EXPR_BITWISE_LEN);
	uint32_t mask_length = 0;
	uint32_t xor_length = 0;
	const void *mask_data = nftnl_expr_get(expression, NFTNL_EXPR_BITWISE_MASK, &mask_length);
	const void *xor_data = nftnl_expr_get(expression, NFTNL_EXPR_BITWISE_XOR, &xor_length);
	uint32_t mask, flip, word;

	/* One word with a mask is all that we need; anything else has an unknown result. */
	if (from < 0 || length != sizeof(word) || !mask_data || mask_length != sizeof(mask) ||
		!xor_data || xor_length != sizeof(flip) || !eval->known[from]) {
		eval_load(eval, to, NULL, length);
		return NFT_STEP_NEXT;
	}
	memcpy(&mask, mask_data, sizeof(mask));
	memcpy(&flip, xor_data, sizeof(flip));
	word = (eval->words[from] & mask) ^ flip;
	eval_load(eval, to, &word, sizeof(word));
	return NFT_STEP_NEXT;
}

static enum nft_step eval_cmp(
	struct nft_eval *eval, const struct nftnl_expr *expression, enum nft_eval_verdict *verdict)
{
	int first = eval_word(nftnl_expr_get_u32(expression, NFTNL_EXPR_CMP_SREG));
	uint32_t operation = nftnl_expr_get_u32(expression, NFTNL_EXPR_CMP_OP);
	uint32_t length = 0;
	const void *data = nftnl_expr_get(expression, NFTNL_EXPR_CMP_DATA, &length);
	size_t i;
	bool equal;

	if (first < 0 || !data || (size_t)first * 4 + length > sizeof(eval->words) ||
		(operation != NFT_CMP_EQ && operation != NFT_CMP_NEQ)) {
		eval->conditional = true;
		return NFT_STEP_NEXT;
	}
	for (i = 0; i < (length + 3) / 4; i++)
		if (!eval->known[(size_t)first + i]) {
			eval->conditional = true;
			return NFT_STEP_NEXT;
		}
	equal = memcmp(&eval->words[first], data, length) == 0;
	return equal == (operation == NFT_CMP_EQ) ? NFT_STEP_NEXT : NFT_STEP_BREAK;
}

static enum nft_step eval_immediate(
	struct nft_eval *eval, const struct nftnl_expr *expression, enum nft_eval_verdict *verdict)
{
	if (!nftnl_expr_is_set(expression, NFTNL_EXPR_IMM_VERDICT)) {
		uint32_t length = 0;
		const void *data = nftnl_expr_get(expression, NFTNL_EXPR_IMM_DATA, &length);

		eval_load(eval, nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_DREG), data, length);
		return NFT_STEP_NEXT;
	}
	eval->chain = nftnl_expr_get_str(expression, NFTNL_EXPR_IMM_CHAIN);
	switch ((int)nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_VERDICT)) {
	case NF_ACCEPT:
		*verdict = NFT_EVAL_ACCEPT;
		break;
	case NF_DROP:
		*verdict = NFT_EVAL_DROP;
		break;
	case NFT_JUMP:
		*verdict = NFT_EVAL_JUMP;
		break;
	case NFT_GOTO:
		*verdict = NFT_EVAL_GOTO;
		break;
	case NFT_RETURN:
		*verdict = NFT_EVAL_RETURN;
		break;
	case NFT_CONTINUE:
		return NFT_STEP_NEXT;
	default: /* the kernel's: queue, stolen */
		*verdict = NFT_EVAL_UNKNOWN;
	}
	return NFT_STEP_VERDICT;
}

static enum nft_step eval_reject(
	struct nft_eval *eval, const struct nftnl_expr *expression, enum nft_eval_verdict *verdict)
{
	*verdict = NFT_EVAL_DROP;
	return NFT_STEP_VERDICT;
}

/* A target of xtables: REJECT drops, the others change something and continue. */
static enum nft_step eval_target(
	struct nft_eval *eval, const struct nftnl_expr *expression, enum nft_eval_verdict *verdict)
{
	const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_TG_NAME);

	return name && strcmp(name, "REJECT") == 0 ? eval_reject(eval, expression, verdict)
						   : NFT_STEP_NEXT;
}

/* A match of xtables: of those, only a comment is known to match. */
static enum nft_step eval_match(
	struct nft_eval *eval, const struct nftnl_expr *expression, enum nft_eval_verdict *verdict)
{
	const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_MT_NAME);

	if (!name || strcmp(name, "comment") != 0)
		eval->conditional = true;
	return NFT_STEP_NEXT;
}

static enum nft_step eval_nothing(
	struct nft_eval *eval, const struct nftnl_expr *expression, enum nft_eval_verdict *verdict)
{
	return NFT_STEP_NEXT;
}

/* Every expression that is modelled; all others are conditions that cannot be decided. */
static const struct {
	const char *name;
	enum nft_step (*run)(struct nft_eval *eval, const struct nftnl_expr *expression,
		enum nft_eval_verdict *verdict);
} expressions[] = {
	{"meta", eval_meta},
	{"payload", eval_payload},
	{"ct", eval_ct},
	{"bitwise", eval_bitwise},
	{"cmp", eval_cmp},
	{"immediate", eval_immediate},
	{"reject", eval_reject},
	{"target", eval_target},
	{"match", eval_match},
	{"counter", eval_nothing},
	{"log", eval_nothing},
	{"notrack", eval_nothing},
};

/* Runs one expression. */
static enum nft_step eval_expression(
	struct nft_eval *eval, const struct nftnl_expr *expression, enum nft_eval_verdict *verdict)
{
	const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);
	size_t i;

	for (i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++)
		if (strcmp(expressions[i].name, name) == 0)
			return expressions[i].run(eval, expression, verdict);
	/* It may end the rule, set a verdict (a verdict map), or fill any register. */
	memset(eval->known, 0, sizeof(eval->known));
	eval->conditional = true;
	*verdict = NFT_EVAL_UNKNOWN;
	return NFT_STEP_NEXT;
}

enum nft_eval_verdict nft_eval_rule(
	const struct nftnl_rule *rule, const struct nft_packet *packet, const char **ret_chain)
{
	struct nft_eval eval = {.packet = packet};
	enum nft_eval_verdict verdict = NFT_EVAL_CONTINUE;
	struct nftnl_expr_iter *iterator = nftnl_expr_iter_create(rule);
	struct nftnl_expr *expression;
	enum nft_step step = NFT_STEP_NEXT;

	if (!iterator)
		return NFT_EVAL_UNKNOWN;
	while (step == NFT_STEP_NEXT && (expression = nftnl_expr_iter_next(iterator)))
		step = eval_expression(&eval, expression, &verdict);
	nftnl_expr_iter_destroy(iterator);
	if (step == NFT_STEP_BREAK)
		return NFT_EVAL_CONTINUE;
	if (step == NFT_STEP_VERDICT && eval.conditional)
		return NFT_EVAL_UNKNOWN;
	if (verdict == NFT_EVAL_JUMP || verdict == NFT_EVAL_GOTO)
		*ret_chain = eval.chain;
	return verdict;
}
