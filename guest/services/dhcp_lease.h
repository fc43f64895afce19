/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Leases: which MAC has which address of the LAN.
 *
 * Theory of operation
 *
 * A table of fixed size without pointers, in memory that outlives a data plane and its network. A
 * record remembers an address for a MAC for good, also after the lease has ended: it is given to
 * somebody else only when the table, the port's share of it, or the LAN is full, the longest unused
 * one first. Keys
 * are MACs, whatever client identifier a client sends: firmware and system of one guest, and a
 * guest installed anew, keep one address, and cloned guests with one identifier get two.
 *
 * States of a record
 *   FREE       nothing in it
 *   OFFERED    until end_s nobody else gets the address          -> HELD by a REQUEST
 *   HELD       leased until end_s; remembered afterwards         -> RELEASED by a RELEASE
 *   RELEASED   remembered                                        -> OFFERED, HELD
 *   DECLINED   the client found another station there: nobody gets the address until end_s, and the
 *              record is not found by its MAC any more           -> FREE
 *
 * Which address. A port with ip= has that one and no other. Otherwise, in this order: the one
 * remembered, the one asked for, the one that the address plan has for the MAC (52:54:00:12:34:56
 * and the next ones: .2, .3 and so on; others likewise, modulo the LAN's size), the next free one
 * behind that. So addresses mostly stay the same even when the table was lost. Never given:
 * network, broadcast, gateway, NAT, what is bound to another port by ip=, and what another station
 * of the LAN is seen to use.
 *
 * Ports. A record is at the port where its client asked last. When that port goes, or the network
 * is stopped and started, it is at none (DHCP_PORT_NONE): remembered, shown at no port, and the
 * first to be given up. It is at a port again when its client asks there, or at once at the port
 * that is bound to its MAC.
 *
 * Limits: DHCP_LEASES_MAX records overall, and DHCP_LEASES_PORT for each port; the next MAC at a
 * port takes the place of the one that was not renewed for longest, which may ask again. So a guest
 * that is started with new MACs again and again is served, and one that invents them hurts nobody.
 *
 * One writer, the worker. Readers in other threads and processes use dhcp_lease_read(): a sequence
 * number in each record says when it was being written. All times are seconds of CLOCK_MONOTONIC.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/services/dhcp_message.h"

#define DHCP_PORTS_MAX 64
#define DHCP_LEASES_PORT 8
/* The port of a lease whose client is at none. */
#define DHCP_PORT_NONE UINT16_MAX
#define DHCP_LEASES_MAX (DHCP_PORTS_MAX * DHCP_LEASES_PORT)
/* How long an offered, and a declined address is nobody else's, seconds. */
#define DHCP_OFFER_S 60
#define DHCP_DECLINE_S 3600

enum dhcp_state {
	DHCP_STATE_FREE,
	DHCP_STATE_OFFERED,
	DHCP_STATE_HELD,
	DHCP_STATE_RELEASED,
	DHCP_STATE_DECLINED,
};

struct dhcp_lease {
	uint32_t sequence;	       /* odd while the record is written */
	uint32_t ip_be;		       /* the address */
	uint8_t mac[DHCP_MAC_LENGTH];  /* whose it is */
	uint16_t port;		       /* where the client asked last; or DHCP_PORT_NONE */
	uint32_t end_s;		       /* see the states above; of RELEASED: when that was */
	uint32_t state;		       /* enum dhcp_state */
	char name[DHCP_NAME_CAPACITY]; /* of the client, as dhcp_name_read() writes it; "": none */
};
_Static_assert(sizeof(struct dhcp_lease) == 24 + DHCP_NAME_CAPACITY, "no padding");

/* What a port was told on the command line. */
struct dhcp_port {
	uint32_t ip_be;		       /* ip=, network byte order; 0: any */
	char name[DHCP_NAME_CAPACITY]; /* hostname=; "": what the guest calls itself */
};

/* In shared memory; all zero at first. */
struct dhcp_table {
	uint64_t layout; /* tells this version of the table from others; 0: new */
	struct dhcp_lease leases[DHCP_LEASES_MAX];
	struct dhcp_port ports[DHCP_PORTS_MAX]; /* dhcp_lan.ports, for readers (dns_names.h) */
};

/* The LAN that addresses are taken from. */
struct dhcp_lan {
	uint32_t lan_be;     /* its network address */
	uint8_t prefix;	     /* 16 to 30 bits */
	uint32_t gateway_be; /* never leased */
	uint32_t outside_be; /* of the NAT, never leased; 0: none */
	struct dhcp_port ports[DHCP_PORTS_MAX];
	/* Does a station of the LAN with another MAC use the address? May be NULL. */
	bool (*taken)(void *context, uint32_t ip_be, const uint8_t mac[DHCP_MAC_LENGTH]);
	void *context; /* of taken() */
};

/*
 * Makes a table of the memory, or takes over what the last data plane left in it: records that it
 * was writing when it died, or that do not fit this LAN, are dropped.
 */
void dhcp_table_adopt(struct dhcp_table *table, const struct dhcp_lan *lan);

/*
 * To be called by who starts a network, before its first data plane, on the table that the last
 * network of its name left: no lease is at a port of this one. A lease that would last longer than
 * any was timed by another clock, before the host was restarted: it has ended, and is remembered.
 */
void dhcp_table_reopen(struct dhcp_table *table, uint32_t now_s);

/* Whether nothing is remembered. */
bool dhcp_table_is_empty(const struct dhcp_table *table);

/* The port goes, or comes: what was leased there is free for others, but remembered, and at none.
 */
void dhcp_lease_leave(struct dhcp_table *table, uint16_t port, uint32_t now_s);

/*
 * No other port than this one has that MAC: its lease, if it is at none and the address may be had
 * there, is there.
 */
void dhcp_lease_settle(struct dhcp_table *table, const struct dhcp_lan *lan, uint16_t port,
	const uint8_t mac[DHCP_MAC_LENGTH]);

/* The record of `mac` that is neither free nor declined; NULL: none. */
struct dhcp_lease *dhcp_lease_find(struct dhcp_table *table, const uint8_t mac[DHCP_MAC_LENGTH]);

/*
 * The record of `mac` at `port`, a new one if need be (FREE until dhcp_lease_set()), with the
 * address that it is to have; `wanted_be` is what the client would like, 0: anything. 0, or
 * -ENOSPC when the LAN or the table is full.
 */
int dhcp_lease_choose(struct dhcp_table *table, const struct dhcp_lan *lan, uint16_t port,
	const uint8_t mac[DHCP_MAC_LENGTH], uint32_t wanted_be, uint32_t now_s,
	struct dhcp_lease **ret_lease);

/* Changes a record's state. `name` NULL: it keeps its name. */
void dhcp_lease_set(
	struct dhcp_lease *lease, enum dhcp_state state, uint32_t end_s, const char *name);

/*
 * Copies record `index` (below DHCP_LEASES_MAX) for a reader that is not the writer. False when it
 * is free, or being written.
 */
bool dhcp_lease_read(
	const struct dhcp_table *table, unsigned int index, struct dhcp_lease *ret_lease);
