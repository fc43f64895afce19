/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NAT44: the calls that the back end may make.
 *
 * nat/ knows headers and flows, not ports, rings or devices. Packets come parsed (backend/parse.h)
 * and are rewritten in place, in `head` only. Time is a parameter. What must survive the process
 * lies in the flow memory, which the caller maps; everything else is derived from it and is rebuilt
 * when a flow memory is adopted.
 *
 * `out` is guest to world, `in` is world to guest.
 *
 * One worker owns a struct nat: all calls below are made by that worker, except that the counters
 * may be read by anyone at any time (they are plain aligned 64-bit words).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/packet.h"

struct nat;

/* RFC 4787, section 5: which remotes may send to a mapping. */
enum nat_filter {
	NAT_FILTER_ADDRESS,		 /* address-dependent: the default */
	NAT_FILTER_ENDPOINT_INDEPENDENT, /* anyone */
	NAT_FILTER_ADDRESS_AND_PORT,	 /* address and port-dependent */
};

/* What becomes of a packet. */
enum nat_verdict {
	NAT_VERDICT_WORLD,  /* translated; goes to the uplink */
	NAT_VERDICT_INSIDE, /* translated; goes to the inside host at its (new) IPv4 destination,
			     * which is the host itself when that is the gateway's address */
	NAT_VERDICT_KEPT,   /* copied and kept (early fragment); comes out of nat_take() later */
	NAT_VERDICT_DROP,   /* refused; packet.reason is an enum nat_drop */
};

/* The names are what users see in the counters; nat_drop_name() gives them. */
#define NAT_DROP_TABLE(X)                                  \
	X(NAT_DROP_MALFORMED, "nat_malformed")             \
	X(NAT_DROP_PROTOCOL, "nat_protocol")               \
	X(NAT_DROP_PROTOCOL_BUSY, "nat_protocol_busy")     \
	X(NAT_DROP_NOT_INSIDE, "nat_not_inside")           \
	X(NAT_DROP_DESTINATION, "nat_destination")         \
	X(NAT_DROP_NO_MAPPING, "nat_no_mapping")           \
	X(NAT_DROP_FILTERED, "nat_filtered")               \
	X(NAT_DROP_NO_SESSION, "nat_no_session")           \
	X(NAT_DROP_TABLE_FULL, "nat_table_full")           \
	X(NAT_DROP_PORTS_EXHAUSTED, "nat_ports_exhausted") \
	X(NAT_DROP_GUEST_LIMIT, "nat_guest_limit")         \
	X(NAT_DROP_GUEST_RATE, "nat_guest_rate")           \
	X(NAT_DROP_ICMP_ERROR, "nat_icmp_error")           \
	X(NAT_DROP_FRAGMENT, "nat_fragment")               \
	X(NAT_DROP_TOO_BIG, "nat_too_big")

enum nat_drop {
#define NAT_DROP_ENUM(id, name) id,
	NAT_DROP_TABLE(NAT_DROP_ENUM)
#undef NAT_DROP_ENUM
	NAT_DROP_COUNT,
};

/* Idle times in seconds; zero takes the default in brackets. */
struct nat_timeouts {
	uint32_t udp_s;		   /* [300] refreshed by outbound packets; below 120 is refused */
	uint32_t udp_well_known_s; /* [300] the same for remote ports 0 to 1023 (RFC 4787, REQ-5) */
	uint32_t udp_unanswered_s; /* [30] inbound, and the guest said nothing yet; it does not end
				    * a mapping that the guest keeps open */
	uint32_t tcp_established_s; /* [7440] RFC 5382, REQ-5 */
	uint32_t tcp_partial_s;	    /* [240] handshake not complete: RFC 7857, 2.1 */
	uint32_t tcp_closing_s;	    /* [240] FIN both ways, or RST: RFC 7857, 2.1 and 2.2 */
	uint32_t icmp_s;	    /* [60] queries: RFC 5508, REQ-2 */
	uint32_t syn_hold_s; /* [6] how long an unwanted SYN waits for its answer; not below 6 */
	uint32_t other_s;    /* [600] protocols without ports */
};

/* Written by the worker that owns the NAT, read by anyone. */
struct nat_counters {
	uint64_t sessions_created;
	uint64_t sessions_expired;
	uint64_t sessions_adopted; /* taken over from a flow memory by nat_new() */
	uint64_t sessions_live;
	uint64_t mappings_live;
	uint64_t packets_out; /* translated; hairpinned ones count in both directions */
	uint64_t packets_in;
	uint64_t icmp_sent;		/* errors of our own */
	uint64_t misses;		/* packets that the slow path saw */
	uint64_t drops[NAT_DROP_COUNT]; /* by enum nat_drop */
};

enum nat_log_event {
	NAT_LOG_CREATE,
	NAT_LOG_DELETE,
};

/* A session as the log sees it (RFC 6888, section 4); addresses and ports in network byte order. */
struct nat_log {
	enum nat_log_event event;
	uint8_t protocol; /* IPv4 protocol number */
	uint32_t inside_be;
	uint32_t outside_be;
	uint32_t remote_be;
	uint16_t inside_port_be; /* for ICMP queries the identifiers stand in for the ports */
	uint16_t outside_port_be;
	uint16_t remote_port_be;
	bool inbound;	    /* opened from outside */
	uint64_t bytes_out; /* IPv4 lengths */
	uint64_t bytes_in;
	uint64_t age_ns; /* since it was created, to 67 ms; 0 with NAT_LOG_CREATE */
};

/* Outside ports that belong to an inside address and port for good. */
struct nat_forward {
	uint32_t inside_be;    /* the guest */
	uint16_t inside_port;  /* its first port, host byte order */
	uint16_t outside_port; /* first outside port, host byte order */
	uint16_t count;	       /* ports */
	uint8_t protocol;      /* IPPROTO_TCP or IPPROTO_UDP */
	uint8_t spare;	       /* 0 */
};

/* A session as people are shown it; addresses and ports in network byte order. */
struct nat_flow {
	uint32_t number; /* its place in the table */
	uint8_t protocol;
	bool inbound;	   /* opened from outside */
	const char *state; /* of its connection, or what kind it is; static text */
	uint32_t inside_be;
	uint32_t outside_be;
	uint32_t remote_be;
	uint16_t inside_port_be; /* for ICMP queries the identifiers stand in for the ports */
	uint16_t outside_port_be;
	uint16_t remote_port_be;
	uint64_t bytes_out; /* IPv4 lengths */
	uint64_t bytes_in;
	uint64_t age_s;	 /* since it was created */
	uint64_t left_s; /* until it expires, if no packet comes */
};

/* How many places nat_flow_list() looks at. */
#define NAT_FLOW_STEPS 1024

struct nat_config {
	uint32_t inside_be;    /* network address of the guests' LAN */
	uint8_t inside_prefix; /* its prefix length, 16 to 30 */
	uint32_t outside_be;   /* the NAT's outside address; may lie inside the LAN */
	uint32_t gateway_be;   /* source of ICMP errors of our own; 0 when there are none */

	/*
	 * An address of the host that stands for outside_be as seen from the world (the TAP uplink
	 * with --outside-ports); 0: none. Guests that send to it are hairpinned for forwarded
	 * ports, and with alias_owns_range for all of port_low to port_high; other ports belong to
	 * the host.
	 */
	uint32_t alias_be;
	bool alias_owns_range;

	/*
	 * Outside ports and ICMP identifiers, host byte order, both ends included. An inside port
	 * is kept only when it lies within. When the range has ports on both sides of 1024, inside
	 * ports below 1024 get outside ports below 1024 and the others do not (RFC 4787, REQ-3).
	 */
	uint16_t port_low;
	uint16_t port_high;

	/* The longest IPv4 packet that the uplink (out) and the guests (in) take, bytes, 576 at
	 * least; 0: not our business (the host behind a TAP sees to it). */
	uint16_t mtu_out;
	uint16_t mtu_in;
	/* The longest IPv4 packet that crosses the links which are known, bytes, 576 at least: TCP
	 * connections are held to it (MSS), no packet is refused for it; 0: not known. */
	uint16_t mtu_path;

	enum nat_filter filter;
	/* SYNs from outside that nobody asked for: after six seconds the sender gets a port
	 * unreachable (RFC 5382, REQ-4); false: nothing, ever (REQ-4 a). */
	bool answer_syn;
	uint32_t sessions;		 /* capacity of the session table, 64 to 16 M */
	uint32_t sessions_per_guest;	 /* 0: no limit but a fair share of the table */
	uint32_t new_sessions_per_guest; /* a second, bursts of as many; 0: no limit */
	struct nat_timeouts timeouts;

	/* Where to count; NULL: in memory of the NAT's own. sessions_live and mappings_live are
	 * set by nat_new(), all others are only added to, so that they survive a restart when the
	 * memory does. Must outlive the NAT. */
	struct nat_counters *counters;

	/* Called for each session that comes or goes, by the calls that create or expire it; not
	 * for adopted ones and not by nat_free(). NULL: no log. */
	void (*log)(void *userdata, const struct nat_log *log);
	void *log_userdata;
};

/* Bytes of flow memory that `config` needs, a multiple of 4,096; 0 when the config is invalid. */
size_t nat_memory_size(const struct nat_config *config);

/*
 * Takes flow memory of nat_memory_size() bytes, page aligned, into use: all-zero memory is laid out
 * anew; memory with a known version and layout hash, the same addresses, port range and capacity is
 * adopted with its sessions; anything else is laid out anew. *ret_adopted (may be NULL) is 1 when
 * adopted, 0 when the memory was zero, -EPROTO when it was refused.
 * On success returns 0 and *ret_nat, to be freed with nat_free(), which leaves the flow memory
 * alone. Errors: -ENOMEM, -EINVAL (config, size or alignment).
 */
int nat_new(const struct nat_config *config, void *memory, size_t size, uint64_t now_ns,
	int *ret_adopted, struct nat **ret_nat);
void nat_free(struct nat *nat);

/*
 * Translates a burst. packets[i] is IPv4 (PACKET_IPV4 set); verdicts[i] says what becomes of it.
 * now_ns is CLOCK_MONOTONIC. A packet from a host of the LAN to the outside address may be given to
 * either: the host's own packets to a forwarded port come in on the uplink and are hairpinned.
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

/*
 * Incremental expiry: a bounded number of steps (at most 1,024 sessions looked at, 256 deleted).
 * Call about ten times a second while sessions are live. Returns true when it is behind: call again
 * after the next burst instead of waiting. Time-outs themselves are exact: an expired session is
 * not used, whether it was swept or not.
 */
bool nat_tick(struct nat *nat, uint64_t now_ns);

/* Whether nothing waits for time to pass: no session, no fragment, no SYN; nat_tick() need not be
 * called then. */
bool nat_is_idle(const struct nat *nat);

/*
 * The way to the world has changed: alias_be, alias_owns_range and mtu_path of the configuration
 * are these from now on (an MTU below 576 counts as 576). Sessions that name an address which is no
 * more ours still work, and are closed within seconds by nat_tick().
 */
void nat_set_way_out(struct nat *nat, uint32_t alias_be, bool alias_owns_range, uint16_t mtu_path);

/*
 * Port forwards. From nat_forward_add() on, anyone may open sessions to the outside ports, and the
 * guest's own packets from the inside ports leave with them. Forwards are kept in the flow memory.
 * Errors: -EINVAL (protocol, port numbers), -ENETUNREACH (the target is no guest's address),
 * -EEXIST (a port of it is forwarded already), -EADDRINUSE (a port of it serves another guest or
 * port now), -ENOSPC (128 forwards).
 */
int nat_forward_add(struct nat *nat, const struct nat_forward *forward);

/* Removes the forward that is equal to this one. Live sessions go on; new ones are refused.
 * -ENOENT: there is none. */
int nat_forward_remove(struct nat *nat, const struct nat_forward *forward);

/* Copies up to `max` forwards; returns how many there are. */
uint32_t nat_forward_list(const struct nat *nat, struct nat_forward forwards[], uint32_t max);

/*
 * Copies up to `max` live sessions from place *cursor on, in the order of the table, and moves
 * *cursor behind the last place looked at; UINT32_MAX when the table is over. Returns how many,
 * which may be none. Looks at NAT_FLOW_STEPS places at most.
 */
uint32_t nat_flow_list(
	struct nat *nat, uint64_t now_ns, uint32_t *cursor, struct nat_flow flows[], uint32_t max);

const struct nat_counters *nat_counters(const struct nat *nat);
const char *nat_drop_name(enum nat_drop reason);
