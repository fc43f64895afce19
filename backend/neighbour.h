/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where an inside IPv4 address lives: its Ethernet address and port (RFC 826).
 *
 * An array over the host part of the LAN, so that a look-up is an index. Entries come from guests'
 * ARP packets, from their IPv4 frames, and from ip= with mac= of a port.
 *
 *   UNKNOWN    look-up fails. -> KNOWN by neighbour_learn_*(), STATIC by neighbour_set_static()
 *   KNOWN      look-up works. Refreshed by every frame of the guest. NEIGHBOUR_STALE_S after the
 *              last one the next look-up raises a question (still working meanwhile); without an
 *              answer -> UNKNOWN. ARP may change it; IPv4 frames only confirm it, so that a single
 *              forged datagram moves nobody's traffic.
 *   STATIC     look-up works; nothing learnt changes it
 *   RESERVED   look-up fails and nothing is learnt: the LAN's network and broadcast addresses, the
 *              gateway's and the NAT's
 *
 * Questions. A packet for an unknown address is copied (neighbour_wait()) and raises a question.
 * neighbour_ask() tells the caller which addresses to send an ARP request for, once a second and
 * address, NEIGHBOUR_ASKS_MAX times; then the question ends and its packets are dropped, counted.
 * When the address is learnt its packets come out of neighbour_take(), in order.
 *
 * Limits: NEIGHBOUR_QUESTIONS_MAX addresses are asked for at a time; NEIGHBOUR_WAITING_MAX packets
 * wait overall and NEIGHBOUR_WAITING_ADDRESS_MAX for each address; of each packet at most
 * NEIGHBOUR_WAITING_BYTES behind its head are kept. Nothing is allocated after neighbour_new().
 *
 * A table has one owner: the worker that calls everything here. Times are CLOCK_MONOTONIC.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/packet.h"
#include "backend/port.h"

#define NEIGHBOUR_STALE_S 300
#define NEIGHBOUR_ASKS_MAX 3
#define NEIGHBOUR_QUESTIONS_MAX 32
#define NEIGHBOUR_WAITING_MAX 64
#define NEIGHBOUR_WAITING_ADDRESS_MAX 4
#define NEIGHBOUR_WAITING_BYTES 2048

struct neighbour_table;

struct neighbour_config {
	uint32_t lan_be;	     /* an address of the LAN, network byte order */
	uint8_t prefix;		     /* the LAN's prefix length, 16 to 30 */
	const uint32_t *reserved_be; /* addresses never learnt: gateway, NAT; network byte order */
	uint16_t reserved_count;
};

/* Written by the owner, read by anyone. */
struct neighbour_counters {
	uint64_t learnt;       /* addresses learnt */
	uint64_t moved;	       /* addresses that ARP gave to another station or port */
	uint64_t asked;	       /* ARP requests that neighbour_ask() wanted */
	uint64_t waited;       /* packets kept */
	uint64_t wait_expired; /* of those: dropped since nobody answered */
	uint64_t wait_full;    /* packets not kept for want of room */
};

/* Returns 0, -EINVAL (prefix) or -ENOMEM. */
int neighbour_new(const struct neighbour_config *config, struct neighbour_table **ret_table);
void neighbour_free(struct neighbour_table *table);

/*
 * Where does `ip_be` live? Returns 0 and fills in *ret_mac (ethernet.h) and *ret_port; -ENOENT when
 * it is unknown (neighbour_wait() is next); -EHOSTUNREACH when no guest can have it.
 */
int neighbour_lookup(struct neighbour_table *table, uint32_t ip_be, uint64_t now_ns,
	uint64_t *ret_mac, uint16_t *ret_port);

/* Notes that a guest at `port` said "ip_be is at mac" in an ARP packet, or sent an IPv4 frame from
 * them. Addresses outside of the LAN and reserved ones are ignored, and so is 0.0.0.0. */
void neighbour_learn_arp(struct neighbour_table *table, uint32_t ip_be, uint64_t mac, uint16_t port,
	uint64_t now_ns);
void neighbour_learn_ipv4(struct neighbour_table *table, uint32_t ip_be, uint64_t mac,
	uint16_t port, uint64_t now_ns);

/*
 * Fixes an address; `mac` and `port` until the next such call or neighbour_unset(). Returns 0;
 * -EINVAL when no guest can have the address or no station the MAC.
 */
int neighbour_set_static(
	struct neighbour_table *table, uint32_t ip_be, uint64_t mac, uint16_t port);
/* Forgets an address, static or not. */
void neighbour_unset(struct neighbour_table *table, uint32_t ip_be);
/* Forgets what was learnt at `port`; static addresses stay. Looks at the whole array. */
void neighbour_forget_port(struct neighbour_table *table, uint16_t port);

/*
 * Keeps a copy of `p`, bound for the unknown address `ip_be` (neighbour_lookup() said -ENOENT), and
 * raises the question. Returns 0; -ENOBUFS, counted, when a limit is reached.
 */
int neighbour_wait(
	struct neighbour_table *table, uint32_t ip_be, const struct packet *p, uint64_t now_ns);

/*
 * Which addresses (network byte order) are to be asked for now, with an ARP request to every
 * guest's port. Also ends questions that nobody answered. Returns how many, at most `max`; call
 * again when it is `max`. Costs next to nothing when there is no question.
 */
uint16_t neighbour_ask(
	struct neighbour_table *table, uint64_t now_ns, uint32_t addresses_be[], uint16_t max);

/* When neighbour_ask() has to be called next, ns; UINT64_MAX: when there is a new question. */
uint64_t neighbour_next_ns(const struct neighbour_table *table);

/*
 * Packets whose address was learnt: fills in up to `max` of them and the ports they go to. Their
 * Ethernet destination is filled in. Their memory is the table's and stays valid until the next
 * neighbour_take(); so call it until it returns 0.
 */
uint16_t neighbour_take(
	struct neighbour_table *table, struct packet *packets[], uint16_t ports[], uint16_t max);

const struct neighbour_counters *neighbour_counters(const struct neighbour_table *table);
