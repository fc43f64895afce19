/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What one guest may take (RFC 6888, REQ-4 and REQ-5): a fair share of what all use, sessions at a
 * time, and new sessions a second, as a token bucket that holds one second's worth. Indexed by the
 * host part of the inside address. Derived from the sessions; private memory.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "nat/ports.h"

struct guest {
	uint64_t refilled_ns; /* the bucket counts from here on; see guests_admit() */
	uint32_t sessions;    /* live sessions of the guest */
	uint32_t mappings[PORT_SPACE_COUNT]; /* its live mappings, by enum port_space */
};

/*
 * What all guests share (session records, outside ports) is shared by a dynamic threshold: who
 * holds a multiple of what is free gets no more. One guest alone can have 8/9 of everything, and
 * what it leaves is enough for others to begin; nobody's live session is ever taken away. Sessions
 * that remotes open (a flood of SYNs to a forwarded port) stop at half, so that the guest itself
 * can still open some.
 */
#define GUESTS_SHARE_OUT 8
#define GUESTS_SHARE_IN 1

/* Whether who holds `held` may take one more of `available`. */
static inline bool guests_is_fair(uint32_t held, uint32_t available, uint32_t share)
{
	return held < (uint64_t)available * share;
}

struct guests {
	struct guest *table;   /* one for each address of the LAN */
	uint32_t host_mask;    /* the host part of an address, host byte order */
	uint32_t sessions_max; /* a guest; UINT32_MAX: no limit but the session table's */
	uint64_t interval_ns;  /* one new session costs so much time; 0: no limit */
};

/* For a LAN of `prefix` bits; limits as in struct nat_config. 0 or -ENOMEM. */
int guests_init(struct guests *guests, uint8_t prefix, uint32_t sessions_max, uint32_t per_second);
void guests_fini(struct guests *guests);

static inline struct guest *guests_of(const struct guests *guests, uint32_t inside_be)
{
	return &guests->table[__builtin_bswap32(inside_be) & guests->host_mask];
}

/* Whether the guest may open a session now; takes a token. 0, -EDQUOT (sessions) or -EBUSY (too
 * many in a second). The caller counts the session in guest->sessions when it exists. */
int guests_admit(struct guests *guests, uint32_t inside_be, uint64_t now_ns);
