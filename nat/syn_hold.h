/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inbound SYNs that nobody asked for (RFC 5382, REQ-4). They are dropped in silence. A simultaneous
 * open looks just so until the guest's own SYN goes out; so only when six seconds passed without
 * one, the sender gets a port unreachable, if the configuration allows answers at all.
 *
 * A ring in the order of arrival, which is the order of deadlines; a SYN that finds it full, or
 * finds itself in it (retransmission), is just dropped.
 */
#pragma once

#include <stdint.h>

#include "nat/flow.h"
#include "nat/nat.h"

#define SYN_HOLD_MAX 64
#define SYN_HOLD_QUOTE 68 /* the longest IPv4 header and eight bytes */

struct syn_held {
	uint64_t deadline_ns;
	struct flow_key key; /* FLOW_IN */
	uint16_t length;     /* of quote */
	uint8_t quote[SYN_HOLD_QUOTE];
};

struct syn_hold {
	struct syn_held ring[SYN_HOLD_MAX];
	uint32_t first; /* oldest; counts up, modulo SYN_HOLD_MAX */
	uint32_t count;
};

/* Remembers a SYN that was refused. */
void syn_hold_add(struct nat *nat, const struct packet *p, const struct flow_key *key);

/* Answers those whose time came, a few at a time. */
void syn_hold_tick(struct nat *nat);
