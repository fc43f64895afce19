/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which outside ports are taken, and which one a new mapping gets (RFC 4787, REQ-3 and REQ-4;
 * RFC 6056).
 *
 * Four spaces are independent of each other: TCP ports, UDP ports, ICMP query identifiers, and the
 * protocols without ports, where the protocol number stands in for a port.
 *
 * Choice: the wanted (inside) port itself when it is in the range and free; else a free one from a
 * random place on, in the same half (below 1024, or not) where the range has both, and for UDP with
 * the same parity as long as there is one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "nat/random.h"

enum port_space {
	PORT_SPACE_TCP,
	PORT_SPACE_UDP,
	PORT_SPACE_ICMP,
	PORT_SPACE_OTHER,
};
#define PORT_SPACE_COUNT (PORT_SPACE_OTHER + 1)

/* All port numbers here are in host byte order. */
struct ports {
	uint64_t taken[PORT_SPACE_COUNT][65536 / 64]; /* bit n of word w: port 64 w + n */
	uint32_t available[PORT_SPACE_COUNT];	      /* ports of low .. high that are free */
	uint16_t low;				      /* lowest port that ports_choose() may give */
	uint16_t high;				      /* highest */
};

/* All are free. */
void ports_init(struct ports *ports, uint16_t low, uint16_t high);

static inline bool ports_is_taken(const struct ports *ports, enum port_space space, uint16_t port)
{
	return ports->taken[space][port / 64] >> (port % 64) & 1;
}

/* Marks a port as taken or free, whatever it was. */
void ports_take(struct ports *ports, enum port_space space, uint16_t port);
void ports_give(struct ports *ports, enum port_space space, uint16_t port);

/*
 * Chooses a free port for the inside port `wanted`, which is not marked as taken. Returns 0 and
 * *ret_port, or -EADDRNOTAVAIL when all that may serve it are taken. At most 2 x 1,026 words are
 * looked at.
 */
int ports_choose(const struct ports *ports, enum port_space space, uint16_t wanted,
	struct random *random, uint16_t *ret_port);
