/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What one guest may take (RFC 6888, REQ-4): sessions at a time, and new sessions a second, as a
 * token bucket that holds one second's worth. Indexed by the host part of the inside address.
 * Derived from the sessions; private memory.
 */
#pragma once

#include <stdint.h>

struct guest {
	uint64_t refilled_ns; /* the bucket counts from here on; see guests_admit() */
	uint32_t sessions;    /* live sessions of the guest */
};

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
