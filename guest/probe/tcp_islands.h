/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a TCP received behind a hole: ranges of sequence numbers, not the bytes. RFC 9293, 3.10.7.4
 * would have them kept, and a peer without SACK depends on it: after a time-out it tries whether
 * that was needed with segments that are new (F-RTO, RFC 5682). When those are thrown away, only
 * the next time-out brings them, and each is twice as long as the one before.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TCP_ISLANDS 8

struct tcp_island {
	uint32_t begin; /* sequence number of its first byte */
	uint32_t end;	/* and behind its last; the same: there is no island */
};

struct tcp_islands {
	struct tcp_island all[TCP_ISLANDS];
};

/* Sequence numbers go around (RFC 9293, 3.4). */
static inline bool tcp_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* Takes note of the bytes from `begin` to before `end`. False: there are too many islands. */
bool tcp_islands_add(struct tcp_islands *islands, uint32_t begin, uint32_t end);

/* How far everything is there when it is up to `expected`; what that covers is forgotten. */
uint32_t tcp_islands_reach(struct tcp_islands *islands, uint32_t expected);
