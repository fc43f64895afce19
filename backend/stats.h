/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters of the data plane, in memory shared with the monitor so that they outlive a data plane
 * that died. One worker writes, anyone reads; plain 64-bit stores are enough on the processors that
 * DPDK supports here, a reader may see a burst half counted.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "backend/drop.h"
#include "backend/port.h"

struct port_stats {
	uint64_t rx_packets; /* from the port into chnet */
	uint64_t rx_bytes;   /* Ethernet frames without virtio headers */
	uint64_t tx_packets; /* out of chnet to the port */
	uint64_t tx_bytes;
	uint64_t interrupts; /* times that the guest was interrupted */
	uint64_t kicks;	     /* wake-ups by the guest */
	uint64_t drops[DROP_COUNT];
} __attribute__((aligned(64)));

struct worker_stats {
	uint64_t breaths;	   /* turns of the worker's loop that moved a frame */
	uint64_t sleeps;	   /* times that the worker went to sleep */
	uint64_t arm_races;	   /* work that came between arming and the last look */
	uint64_t macs_refused;	   /* addresses not learnt because a port had its share */
	uint64_t sigbus;	   /* guest memory that was not there */
	uint64_t memory_refused;   /* memory tables with a file shorter than announced */
	uint64_t requests_refused; /* vhost-user requests of features that are not offered */
	uint64_t rings_broken;	   /* rings stopped for good until the driver resets them */
	uint64_t rings_refused;	   /* ring starts refused: size, alignment, extent */
} __attribute__((aligned(64)));

struct stats {
	struct worker_stats worker;
	struct nat_counters nat;
	struct port_stats ports[PORT_MAX]; /* index: port; the uplink is PORT_UPLINK */
};

/* Counts `count` frames dropped for `reason` on behalf of a port. The one exit of every drop. */
static inline void stats_drop(struct port_stats *port, unsigned int reason, uint64_t count)
{
	port->drops[reason] += count;
}

/*
 * Prints the counters as lines "name value" (per port: "port.N.name value"; the uplink is
 * "uplink.name"), leaving out zeros. `ports` is the number of guests' ports.
 */
void stats_print(const struct stats *stats, unsigned int ports, FILE *file);
