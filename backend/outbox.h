/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames on their way out, one box for each port. Filled while a burst is decided, emptied before
 * the frames of that burst are given back.
 *
 * A frame that finds no room at its port is dropped, but for one kind: frames that the uplink
 * delivered lie in slots of our own (slots.h), so they are `held` until the guest posts more
 * buffers. A guest that is scheduled away for some milliseconds loses nothing that way. Held frames
 * come first in their box.
 *
 * Guests share the slots by a dynamic threshold, as switches share their packet memory: a box may
 * hold as many slots as are free. One slow guest gets half of them, two a third each, and there is
 * always one left to read the next frame into, so nobody waits for a neighbour. A guest that takes
 * nothing at all for OUTBOX_HOLD_NS is `stalled`: its frames are dropped until it takes one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/port.h"
#include "backend/slots.h"
#include "backend/stats.h"

#define OUTBOX_CAPACITY (SLOTS_COUNT + 2 * PORT_BURST)
#define OUTBOX_HOLD_NS 200000000

struct outbox {
	struct port *port;   /* where the frames go; NULL: no such port */
	struct slots *slots; /* of the uplink; NULL without one */
	struct packet *packets[OUTBOX_CAPACITY];
	uint16_t count;	     /* frames in the box */
	uint16_t held;	     /* of them, at the front: slots that this box refers to */
	bool stalled;	     /* took nothing for OUTBOX_HOLD_NS */
	uint64_t give_up_ns; /* when held frames are dropped, CLOCK_MONOTONIC */
};

/* Puts a frame into a box; a full one drops it (DROP_PORT_FULL). */
void outbox_put(struct outbox *box, struct packet *p);

/*
 * Sends what is in the box; what finds no room is held or dropped. Returns true when the box is
 * empty, false when frames are held.
 */
bool outbox_flush(struct outbox *box, uint64_t now_ns);

/* Drops what is in the box (DROP_PORT_DOWN); its port goes. */
void outbox_clear(struct outbox *box);
