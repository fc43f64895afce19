/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a struct nat is made of, and the few inline functions that all of nat/ uses.
 *
 *   nat_out, nat_in   hits: look a burst up, apply stored rewrites       (burst.h, hit.h)
 *   nat_slow          misses: all rules
 *   flows             opens and closes sessions across all tables
 *   expire            sweeps expired sessions
 *   adopt, check      rebuild derived tables; prove that tables agree
 */
#pragma once

#include "nat/expire.h"
#include "nat/flow_memory.h"
#include "nat/forward.h"
#include "nat/fragment.h"
#include "nat/guests.h"
#include "nat/icmp_send.h"
#include "nat/mapping.h"
#include "nat/nat.h"
#include "nat/outbox.h"
#include "nat/permission.h"
#include "nat/ports.h"
#include "nat/random.h"
#include "nat/session.h"
#include "nat/syn_hold.h"

/* Coarse time: 2^26 ns, about 67 ms. 32 bits of it last nine years; differences may wrap. */
#define NAT_TICK_SHIFT 26

struct nat {
	/* What the fast path reads. */
	struct session_table sessions;
	struct nat_counters *counters; /* the caller's or own_counters */
	uint64_t now_ns;	       /* of the current call */
	uint32_t now_ticks;	       /* the same, coarse */
	uint32_t slow_events; /* bit n: TCP packets of enum tcp_event n take the slow path */
	/* Idle time in ticks that a packet of a direction gives a session of a state; 0: it leaves
	 * the deadline alone. */
	uint32_t timeouts[FLOW_DIRECTION_COUNT][SESSION_STATE_COUNT];

	uint32_t mtu[FLOW_DIRECTION_COUNT]; /* longest IPv4 packet, bytes; UINT32_MAX: any */

	struct nat_config config; /* defaults filled in */
	uint32_t inside_mask_be;  /* of config.inside_prefix */
	struct flow_memory flow_memory;
	struct forward_table forwards;
	struct mapping_table mappings;
	struct permission_table permissions;
	struct guests guests;
	struct ports ports;
	struct random random;
	struct expire expire;
	struct fragments fragments;
	struct outbox outbox;
	struct syn_hold syn_hold;
	uint64_t icmp_spent_ns[ICMP_BUDGET_COUNT]; /* see icmp_send.c */
	uint16_t mss_max; /* SYNs are lowered to it, when slow_events says so */
	bool moved; /* the alias has changed: sessions may name a former one until they are swept */
	struct nat_counters own_counters;
};

static inline uint32_t nat_ticks(uint64_t ns)
{
	return (uint32_t)(ns >> NAT_TICK_SHIFT);
}

/* Begins a call of the back end. */
static inline void nat_begin(struct nat *nat, uint64_t now_ns)
{
	if (__builtin_expect(nat->outbox.lent_head != OUTBOX_NONE, 0))
		outbox_reclaim(&nat->outbox);
	nat->now_ns = now_ns;
	nat->now_ticks = nat_ticks(now_ns);
}

/* A counter has one writer and any readers; the store may not be torn. */
static inline void nat_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline enum nat_verdict nat_refuse(struct nat *nat, struct packet *p, enum nat_drop reason)
{
	p->reason = (uint8_t)reason;
	nat_count(&nat->counters->drops[reason], 1);
	return NAT_VERDICT_DROP;
}

/* Whether a session's time is over, swept or not. */
static inline bool nat_is_expired(const struct nat *nat, const struct session *s)
{
	return (int32_t)(nat->now_ticks - s->deadline_ticks) >= 0;
}

/* Whether the address is one of ours as seen from outside. */
static inline bool nat_is_outside(const struct nat *nat, uint32_t address_be)
{
	return address_be == nat->config.outside_be ||
	       (address_be == nat->config.alias_be && address_be != 0);
}

/* Whether the world knows us by the alias, which the host puts into outer headers only. */
static inline bool nat_is_aliased(const struct nat *nat)
{
	return nat->config.alias_owns_range && nat->config.alias_be != 0;
}

/* Whether the session names an address as ours that is no more (nat_set_way_out()). */
static inline bool nat_is_orphan(const struct nat *nat, const struct session *s)
{
	return !nat_is_outside(nat, s->outside_be) ||
	       ((s->flags & SESSION_HAIRPIN) && !nat_is_outside(nat, s->remote_be));
}

/* Whether the address belongs to the LAN, its broadcast addresses included, and is not ours. */
static inline bool nat_is_lan(const struct nat *nat, uint32_t address_be)
{
	return (address_be & nat->inside_mask_be) == nat->config.inside_be &&
	       !nat_is_outside(nat, address_be);
}

/* Whether the address can be a guest's (or the host's own, as guests see it). */
static inline bool nat_is_inside(const struct nat *nat, uint32_t address_be)
{
	uint32_t host_be = address_be & ~nat->inside_mask_be;

	return nat_is_lan(nat, address_be) && host_be != 0 && host_be != ~nat->inside_mask_be;
}

/* Translates a packet that already has its outside source towards the inside (hairpin). */
enum nat_verdict nat_in_one(struct nat *nat, struct packet *p);
