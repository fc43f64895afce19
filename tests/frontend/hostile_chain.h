/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors that lie, written where the hostile guest's driver would write honest ones.
 *
 * In a transmit queue a wrong chain is given back and the ring goes on; in a receive queue it
 * breaks the ring, until the driver resets it. Most lies are told in both.
 */
#pragma once

#include "tests/frontend/hostile.h"

/* Where a lie is told. */
struct hostile_stage {
	struct virtqueue *queue;
	struct vring_desc *desc;  /* the ring's table */
	struct vring_desc *table; /* room for an indirect one of HOSTILE_TABLE_ENTRIES */
	uint64_t table_guest;	  /* its guest physical address */
	uint64_t area;		  /* HOSTILE_AREA_SIZE bytes of guest memory that are there */
	uint64_t end;		  /* the first address behind guest memory */
	uint16_t right;		  /* flags of a descriptor as it should be in this queue */
	uint16_t wrong;		  /* and with the wrong direction */
};

/* Writes a chain that begins at descriptor 0. */
typedef void hostile_lie(const struct hostile_stage *stage);

struct hostile_chain {
	hostile_lie *lie;
};

/* Writes one descriptor. */
static inline void hostile_put(
	struct vring_desc *desc, uint64_t guest, uint32_t length, uint16_t flags, uint16_t next)
{
	*desc = (struct vring_desc){.addr = guest, .len = length, .flags = flags, .next = next};
}

/* Makes descriptor `head` available, whatever it is, and kicks. */
void hostile_offer(struct virtqueue *queue, uint16_t head);

/* The stage in one of guest 0's queues. */
struct hostile_stage hostile_stage(unsigned int index);

/* Acts (hostile_act): the lie of a struct hostile_chain, told in either queue. */
void hostile_chain_to_send(struct fixture *fixture, const void *context, unsigned int turn);
void hostile_chain_to_receive(struct fixture *fixture, const void *context, unsigned int turn);

/* The case of a lie in the transmit queue; the counter is one of guest 0's drop reasons. */
#define HOSTILE_TO_SEND(function, reason)                                       \
	HOSTILE_CASE(#function "_to_send", .act = hostile_chain_to_send,        \
		.context = &(const struct hostile_chain){function}, .count = 1, \
		.counter = "port.0.drop." reason, .plugged = true)
/* And in the receive queue. */
#define HOSTILE_TO_RECEIVE(function, reason)                                    \
	HOSTILE_CASE(#function "_to_receive", .act = hostile_chain_to_receive,  \
		.context = &(const struct hostile_chain){function}, .count = 1, \
		.counter = "port.0.drop." reason, .plugged = true)
#define HOSTILE_TO_BOTH(function, reason) \
	HOSTILE_TO_SEND(function, reason), HOSTILE_TO_RECEIVE(function, reason)
