/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters of the data plane, in memory shared with the monitor so that they outlive a data plane
 * that died. One worker writes, anyone reads; plain 64-bit stores are enough on the processors that
 * DPDK supports here, a reader may see a burst half counted.
 */
#pragma once

#include <stdbool.h>
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
	uint64_t memory_refused;   /* memory tables and logs that a file cannot hold */
	uint64_t requests_refused; /* vhost-user requests of features that are not offered */
	uint64_t rings_broken;	   /* rings stopped for good until the driver resets them */
	uint64_t rings_refused;	   /* ring starts refused: size, alignment, extent, kick fd */
	uint64_t log_lost;	   /* sessions that the log (--log-sessions) had no room for */
	uint64_t dhcp_requests;	   /* messages of DHCP clients, those that were dropped included */
	uint64_t dhcp_replies;	   /* answers to them */
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

/* One counter, as it is shown. */
struct stats_counter {
	const char *group; /* "worker", "nat", "port", "uplink" or "dns" */
	int port;	   /* its number with "port", else -1 */
	const char *name;  /* "drops" with a reason */
	const char *drop;  /* the reason's name, or NULL */
	bool gauge;	   /* it goes down, too */
	uint64_t value;
};

/* What there is to show. */
struct stats_shown {
	uint64_t ports; /* bit n: port n of a guest */
	bool nat;
	bool uplink;
};
_Static_assert(PORT_UPLINK <= 64, "a bit for each guest's port");

typedef void stats_visit(void *context, const struct stats_counter *counter);

/* Visits the counters that are `shown`, zeros too: worker, NAT, ports in order, uplink. Any thread,
 * while the worker goes on counting. */
void stats_walk(const struct stats *stats, const struct stats_shown *shown, stats_visit *visit,
	void *context);

/* The frames dropped on behalf of a port, all reasons together. */
uint64_t stats_drops(const struct port_stats *port);

/* Prints one counter to `context`, a FILE, as stats_print() does; nothing for a zero. */
void stats_print_counter(void *context, const struct stats_counter *counter);

/*
 * Prints the counters as lines "name value" (per port: "port.N.name value"; the uplink is
 * "uplink.name"), leaving out zeros. `ports` is the number of guests' ports.
 */
void stats_print(const struct stats *stats, unsigned int ports, FILE *file);
