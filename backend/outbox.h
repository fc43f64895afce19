/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames on their way out, one box for each port. Filled while a burst is decided, emptied before
 * the frames of that burst are given back.
 *
 * A frame that finds no room at its port is dropped, but for one kind: frames that the worker read
 * from the uplink lie in memory of our own, so they may stay ("held") while the guest catches up.
 * Held frames come first in their box, the uplink is not read meanwhile (its queue in the kernel
 * pushes back on the sender), and a guest that takes nothing for OUTBOX_HOLD_NS is `stalled`: what
 * is held for it is dropped, and nothing more is held until it takes a frame again. So a guest that
 * never posts buffers delays its neighbours once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/port.h"
#include "backend/stats.h"

#define OUTBOX_CAPACITY (2 * PORT_BURST)
#define OUTBOX_HOLD_NS 4000000

struct outbox {
	struct port *port; /* where the frames go; NULL: no such port */
	struct packet *packets[OUTBOX_CAPACITY];
	uint16_t count;	     /* frames in the box */
	uint16_t held;	     /* of them, at the front, from the uplink's last burst and not sent */
	bool stalled;	     /* took nothing for OUTBOX_HOLD_NS */
	uint64_t give_up_ns; /* when held frames are dropped, CLOCK_MONOTONIC */
};

/* Puts a frame into a box; a full one drops it (DROP_PORT_FULL). */
void outbox_put(struct outbox *box, struct packet *p);

/*
 * Sends what is in the box. `from_uplink`: frames that find no room may be held. Returns true when
 * the box is empty, false when frames are held.
 */
bool outbox_flush(struct outbox *box, bool from_uplink, uint64_t now_ns);
