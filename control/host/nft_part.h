/* SPDX-License-Identifier: BSD-3-Clause */
/* What fills the chains of our table. For nft.c and those below only. */
#pragma once

#include "control/host/nft.h"

struct nft_batch;
struct nft_rule;

/* The rules that are being written. */
struct nft_scope {
	struct nft_batch *batch;	 /* where they go */
	const char *table;		 /* ours */
	const char *chain;		 /* the one that is being filled */
	const struct nft_config *config; /* what they say */
};

/* Begins a rule of the chain. */
void nft_part_begin(const struct nft_scope *scope, struct nft_rule *rule);

/* Counts what matches, accepts or drops it, and adds the rule. */
void nft_part_accept(const struct nft_scope *scope, struct nft_rule *rule);
void nft_part_drop(const struct nft_scope *scope, struct nft_rule *rule);

/* nft_leave.c: guests leave, their answers come back, and all else from and to the TAP is dropped.
 */
void nft_leave_masquerade(const struct nft_scope *scope);
void nft_leave_filter(const struct nft_scope *scope);

/* nft_forward.c: ports of the host that lead to guests. */
void nft_forward_guard(const struct nft_scope *scope);
void nft_forward_arrivals(const struct nft_scope *scope);
void nft_forward_own(const struct nft_scope *scope);
void nft_forward_masquerade(const struct nft_scope *scope);
void nft_forward_filter(const struct nft_scope *scope);

/* nft_stateless.c: ports of the host that belong to our NAT alone. */
void nft_stateless_raw(const struct nft_scope *scope);
void nft_stateless_answers(const struct nft_scope *scope);
void nft_stateless_filter(const struct nft_scope *scope);
void nft_stateless_swap(const struct nft_scope *scope);
