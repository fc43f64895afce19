/* SPDX-License-Identifier: BSD-3-Clause */
/* What the expressions of nft_rule.h are made of. For nft_rule*.c only. */
#pragma once

#include <stdint.h>

struct nft_rule;
struct nftnl_expr;

/* Every match loads into this register, and compares it at once. */
#define NFT_RULE_REGISTER NFT_REG_1

/* Appends an empty expression. Returns NULL after an error. */
struct nftnl_expr *nft_rule_expression(struct nft_rule *rule, const char *name);

/* Sets an attribute that is a string of bytes. */
void nft_rule_data(struct nft_rule *rule, struct nftnl_expr *expression, uint16_t attribute,
	const void *data, uint32_t length);

/* Loads `length` bytes at `offset` behind the start of a header, NFT_PAYLOAD_*_HEADER. */
void nft_rule_load(struct nft_rule *rule, uint32_t base, uint32_t offset, uint32_t length);

/* register &= mask, four bytes. */
void nft_rule_mask(struct nft_rule *rule, uint32_t mask);

/* Compares the register with bytes, NFT_CMP_*. */
void nft_rule_cmp(struct nft_rule *rule, uint32_t operation, const void *data, uint32_t length);
