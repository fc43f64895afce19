/* SPDX-License-Identifier: BSD-3-Clause */
/* What the rules of a network say, read back from the kernel, whoever made them. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct nft_view {
	bool exists;	       /* there is a table of that TAP */
	bool masquerades;      /* a rule in it masquerades what leaves */
	bool accepts;	       /* a rule in it lets packets of the TAP pass */
	char egress[IFNAMSIZ]; /* the only way out for both; empty: anything but the TAP */
	uint64_t packets;      /* that the rules of its forward chain have counted */
};

/*
 * Reads the table of `tap`. Returns 0, also when there is none; -EPERM without CAP_NET_ADMIN; or a
 * negative errno.
 */
int nft_view_read(const char *tap, struct nft_view *ret_view);
