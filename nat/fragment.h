/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv4 fragments, in both directions and in any order (RFC 4787, REQ-14).
 *
 * Only the first fragment of a datagram has ports. It is translated like a whole packet, and its
 * session is remembered under (source, destination, identification, protocol) for those behind it,
 * whose addresses alone are rewritten. Fragments that come before the first one are copied and
 * wait for a short while; they come out of nat_take() once it is there. Datagrams are never put
 * together. Protocols without ports need none of that: each fragment tells their whole key.
 *
 * On the way out the identification is replaced, the same for all fragments of a datagram: guests
 * choose it without knowing of each other, and behind the NAT they share an address (RFC 7857,
 * section 9).
 *
 * What may be had for nothing is bounded: FRAGMENT_DATAGRAMS datagrams, the oldest of four making
 * room for a new one; FRAGMENT_WAITING_ALL frames of the outbox, so that a flood of early fragments
 * leaves room for ICMP errors and for packets that are cut, FRAGMENT_WAITING_MAX for a datagram,
 * for FRAGMENT_WAIT_NS. Refused and counted: first fragments too short for their L4 header, pieces
 * that overlap the first fragment or are no multiple of eight bytes long, a second first fragment
 * with other ports, waiting ones that found no room or whose time ran out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "nat/flow.h"
#include "nat/nat.h"
#include "nat/outbox.h"

#define FRAGMENT_DATAGRAMS 1024
#define FRAGMENT_WAYS 4
#define FRAGMENT_WAITING_MAX 64
/* Of all datagrams; the other frames of the outbox are for what needs them at once. */
#define FRAGMENT_WAITING_ALL (OUTBOX_FRAMES / 2)
#define FRAGMENT_WAIT_NS UINT64_C(2000000000)
#define FRAGMENT_LIFE_NS UINT64_C(30000000000)
/* Entries that a tick looks at. */
#define FRAGMENT_STEPS 128

enum fragment_state {
	FRAGMENT_FREE,
	FRAGMENT_WAITING, /* the first fragment did not come yet */
	FRAGMENT_KNOWN,	  /* `key` leads to its session */
};

struct fragment_datagram {
	uint32_t source_be;
	uint32_t destination_be;
	uint16_t id_be;
	uint8_t protocol;
	uint8_t direction;     /* enum flow_direction */
	uint8_t state;	       /* enum fragment_state */
	uint16_t first_end;    /* KNOWN: length of the first fragment's data, bytes */
	uint16_t new_id_be;    /* out: replaces id_be */
	uint16_t waiting_head; /* WAITING: frames of the outbox, newest first */
	uint16_t waiting_count;
	uint64_t used_ns; /* when a fragment came last */
	uint64_t deadline_ns;
	struct flow_key key; /* KNOWN: of the session, in this direction */
};

struct fragments {
	struct fragment_datagram *datagrams; /* FRAGMENT_DATAGRAMS, in sets of FRAGMENT_WAYS */
	uint64_t seed;
	uint32_t cursor; /* where the next tick looks */
	uint16_t next_id;
	uint16_t waiting; /* frames of the outbox that wait, of all datagrams */
};

/* 0 or -ENOMEM. */
int fragments_init(struct fragments *fragments, uint64_t seed);
void fragments_fini(struct fragments *fragments);

/* A fragment (PACKET_FRAGMENT) from inside or for the inside. */
enum nat_verdict fragment_out(struct nat *nat, struct packet *p);
enum nat_verdict fragment_in(struct nat *nat, struct packet *p);

/* Gives up what waited too long; looks at FRAGMENT_STEPS datagrams. */
void fragment_tick(struct nat *nat);
