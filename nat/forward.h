/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port forwards: outside ports that belong to an inside address and port for good. They are
 * configuration and lie in the flow memory, so that they survive a restart of the data plane.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

#include "nat/nat.h"
#include "nat/ports.h"

#define FORWARD_MAX 128
#define FORWARD_LIVE UINT32_C(0xf0a3da2d)

struct forward_record {
	uint32_t commit; /* FORWARD_LIVE; else the record is free */
	struct nat_forward forward;
};
static_assert(sizeof(struct forward_record) == 16, "four in a cache line");

struct forward_table {
	struct forward_record *records; /* in the flow memory, FORWARD_MAX of them */
	uint32_t live;			/* live records */
};

/* Whether protocol and port numbers make sense. */
bool forward_is_well_formed(const struct nat_forward *forward);

/* Whether an outside port of it belongs to a live one of the first `count` records. */
bool forward_overlaps(
	const struct forward_table *table, const struct nat_forward *forward, uint32_t count);

/* Makes record `index`, whose forward is filled in, live, and marks its outside ports as taken. */
void forward_enter(struct forward_table *table, struct ports *ports, uint32_t index);

/* The forward that an outside port belongs to, with its inside address and port; port numbers in
 * host byte order. */
bool forward_find_outside(const struct forward_table *table, enum port_space space,
	uint16_t outside_port, uint32_t *ret_inside_be, uint16_t *ret_inside_port);

/* The outside port of an inside address and port that a forward leads to; the first one, when
 * there are several. */
bool forward_find_inside(const struct forward_table *table, enum port_space space,
	uint32_t inside_be, uint16_t inside_port, uint16_t *ret_outside_port);

static inline bool forward_owns_port(
	const struct forward_table *table, enum port_space space, uint16_t outside_port)
{
	uint32_t inside_be;
	uint16_t inside_port;

	return forward_find_outside(table, space, outside_port, &inside_be, &inside_port);
}
