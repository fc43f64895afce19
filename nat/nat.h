/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NAT44: the calls that the back end may make.
 *
 * nat/ knows headers and flows, not ports, rings or devices. Packets come parsed (backend/parse.h)
 * and are rewritten in place, in `head` only. Time is a parameter. All memory that outlives a call
 * is the flow memory, which the caller maps and which survives the process.
 *
 * `out` is guest to world, `in` is world to guest.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "backend/packet.h"

struct nat;

/* RFC 4787, section 5: which remotes may send to a mapping. */
enum nat_filter {
	NAT_FILTER_ENDPOINT_INDEPENDENT,
	NAT_FILTER_ADDRESS,	     /* address-dependent: the default */
	NAT_FILTER_ADDRESS_AND_PORT, /* address and port-dependent */
};

/* What becomes of a packet. */
enum nat_verdict {
	NAT_VERDICT_WORLD,  /* translated; goes to the uplink */
	NAT_VERDICT_INSIDE, /* translated; goes to the inside host at its (new) IPv4 destination */
	NAT_VERDICT_KEPT,   /* copied and kept (early fragment); comes out of nat_take() later */
	NAT_VERDICT_DROP,   /* refused; packet.reason is an enum nat_drop */
};

/* The names are what users see in the counters; nat_drop_name() gives them. */
#define NAT_DROP_TABLE(X)                                  \
	X(NAT_DROP_MALFORMED, "nat_malformed")             \
	X(NAT_DROP_PROTOCOL, "nat_protocol")               \
	X(NAT_DROP_NOT_INSIDE, "nat_not_inside")           \
	X(NAT_DROP_NO_MAPPING, "nat_no_mapping")           \
	X(NAT_DROP_FILTERED, "nat_filtered")               \
	X(NAT_DROP_NO_SESSION, "nat_no_session")           \
	X(NAT_DROP_TABLE_FULL, "nat_table_full")           \
	X(NAT_DROP_PORTS_EXHAUSTED, "nat_ports_exhausted") \
	X(NAT_DROP_GUEST_LIMIT, "nat_guest_limit")         \
	X(NAT_DROP_FRAGMENT, "nat_fragment")

enum nat_drop {
#define NAT_DROP_ENUM(id, name) id,
	NAT_DROP_TABLE(NAT_DROP_ENUM)
#undef NAT_DROP_ENUM
	NAT_DROP_COUNT,
};

struct nat_config {
	uint32_t inside_be;    /* network address of the guests' LAN */
	uint8_t inside_prefix; /* its prefix length, 16 to 30 */
	uint32_t outside_be;   /* the NAT's outside address */
	uint16_t port_low;     /* lowest outside port of the random range, host byte order */
	uint16_t port_high;    /* highest */
	enum nat_filter filter;
	uint32_t sessions; /* capacity of the session table */
};

/* Written by the worker that owns the NAT, read by anyone. */
struct nat_counters {
	uint64_t sessions_created;
	uint64_t sessions_expired;
	uint64_t sessions_live;
	uint64_t mappings_live;
};

/* Bytes of flow memory that `config` needs, a multiple of 4,096. */
size_t nat_memory_size(const struct nat_config *config);

/*
 * Takes flow memory of nat_memory_size() bytes into use: all-zero memory is laid out anew; memory
 * with a known version and layout hash and the same configuration is adopted with its sessions;
 * anything else is laid out anew and `ret_adopted` says -EPROTO.
 * On success returns 0 and *ret_nat, to be freed with nat_free(), which leaves the flow memory
 * alone. Errors: -ENOMEM, -EINVAL (config).
 */
int nat_new(const struct nat_config *config, void *memory, size_t size, uint64_t now_ns,
	int *ret_adopted, struct nat **ret_nat);
void nat_free(struct nat *nat);

/*
 * Translates a burst. packets[i] is IPv4 (PACKET_IPV4 set); verdicts[i] says what becomes of it.
 * now_ns is CLOCK_MONOTONIC.
 */
void nat_out_burst(struct nat *nat, struct packet *const packets[], enum nat_verdict verdicts[],
	uint16_t count, uint64_t now_ns);
void nat_in_burst(struct nat *nat, struct packet *const packets[], enum nat_verdict verdicts[],
	uint16_t count, uint64_t now_ns);

/*
 * Frames that the NAT itself wants sent (fragments that waited; later: ICMP errors): fills up to
 * `max` pointers and their verdicts, and returns how many. Their memory is the NAT's and valid
 * until the next nat_* call. Their Ethernet header is 14 bytes to be filled in by the caller.
 */
uint16_t nat_take(
	struct nat *nat, struct packet *packets[], enum nat_verdict verdicts[], uint16_t max);

/* Incremental expiry: a bounded number of steps; call about ten times a second while
 * sessions are live. */
void nat_tick(struct nat *nat, uint64_t now_ns);

const struct nat_counters *nat_counters(const struct nat *nat);
const char *nat_drop_name(enum nat_drop reason);
