/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port is where frames enter (rx) and leave (tx): a guest's vhost-user device or the TAP.
 *
 * One worker owns a port's rings or descriptors; all operations below are called by that worker
 * only. `rx` is into chnet from the port, `tx` is out of chnet to the port. Bursts are the only
 * currency. A worker's breath calls, in this order:
 *
 *   rx_burst   borrow frames
 *   tx_burst   on the ports they go to (as often as need be)
 *   tx_flush   on those ports: publish used entries, write what is queued, interrupt the guest once
 *   rx_done    give every frame of the last rx_burst back, in order
 *   tx_settle  write what was copied meanwhile
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/packet.h"

/* The most frames that move at a time. */
#define PORT_BURST 64
/* The most ports of one network; fits a 64-bit set, plus the uplink. */
#define PORT_MAX 65
/* The uplink's index. */
#define PORT_UPLINK (PORT_MAX - 1)
/* "no such port" */
#define PORT_NONE UINT16_MAX

struct port_stats;

/* What every kind of port begins with. */
struct port {
	const struct port_ops *ops;
	struct port_stats *stats; /* where its frames and drops are counted */
	uint16_t index;		  /* 0 to PORT_MAX - 2: guests, PORT_UPLINK: the uplink */
};

struct port_ops {
	/*
	 * Borrows up to `max` (at most PORT_BURST) frames. packets[] comes filled with pointers to
	 * `max` packets in a row that belong to the worker, which a guest's port leaves there; the
	 * uplink's puts its own there instead. Returns how many. rx_done comes before the next
	 * call.
	 */
	uint16_t (*rx_burst)(struct port *port, struct packet *packets[], uint16_t max);

	/* Gives back every frame of the last rx_burst. */
	void (*rx_done)(struct port *port);

	/*
	 * Sends frames in order. Returns how many were taken; the next one could not be sent for
	 * want of room at the far side and may be tried again or dropped by the caller. A frame
	 * that can never be sent is dropped and counted by the port, and counts as taken.
	 */
	uint16_t (*tx_burst)(struct port *port, struct packet *const packets[], uint16_t count);

	/* Publishes what tx_burst wrote and notifies the far side when it asked for that. */
	void (*tx_flush)(struct port *port);

	/*
	 * Writes what tx_burst only copied, so that no guest waits for a system call: with `all`
	 * everything, else what is due. Returns when something is due next (CLOCK_MONOTONIC, ns),
	 * UINT64_MAX when nothing waits. NULL: tx_burst and tx_flush leave nothing behind.
	 */
	uint64_t (*tx_settle)(struct port *port, uint64_t now_ns, bool all);

	/*
	 * Asks for a wake-up when frames come. Returns true when armed and nothing is waiting;
	 * false when there is work already (do not sleep). disarm() ends it and returns to polling.
	 */
	bool (*arm)(struct port *port);
	void (*disarm)(struct port *port);

	/*
	 * After a tx_burst that found too little room: asks for a wake-up when there is more. False
	 * when there is more already.
	 */
	bool (*arm_room)(struct port *port);
};
