/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/stats.h"

#include <inttypes.h>

static const char *const drop_names[] = {
#define DROP_NAME(id, name) [id] = (name),
	DROP_TABLE(DROP_NAME)
#undef DROP_NAME
};
_Static_assert(sizeof(drop_names) / sizeof(drop_names[0]) == DROP_NAT, "a name for each reason");

const char *drop_name(unsigned int reason)
{
	return reason < DROP_NAT ? drop_names[reason]
				 : nat_drop_name((enum nat_drop)(reason - DROP_NAT));
}

static void print(FILE *file, const char *prefix, const char *name, uint64_t value)
{
	if (value)
		fprintf(file, "%s%s %" PRIu64 "\n", prefix, name, value);
}

static void print_port(FILE *file, const char *prefix, const struct port_stats *port)
{
	print(file, prefix, "rx_packets", port->rx_packets);
	print(file, prefix, "rx_bytes", port->rx_bytes);
	print(file, prefix, "tx_packets", port->tx_packets);
	print(file, prefix, "tx_bytes", port->tx_bytes);
	print(file, prefix, "interrupts", port->interrupts);
	print(file, prefix, "kicks", port->kicks);
	for (unsigned int reason = 0; reason < DROP_COUNT; reason++) {
		char name[64];
		snprintf(name, sizeof(name), "drop.%s", drop_name(reason));
		print(file, prefix, name, port->drops[reason]);
	}
}

void stats_print(const struct stats *stats, unsigned int ports, FILE *file)
{
	const struct worker_stats *worker = &stats->worker;
	print(file, "worker.", "breaths", worker->breaths);
	print(file, "worker.", "sleeps", worker->sleeps);
	print(file, "worker.", "arm_races", worker->arm_races);
	print(file, "worker.", "macs_refused", worker->macs_refused);
	print(file, "worker.", "sigbus", worker->sigbus);
	print(file, "worker.", "memory_refused", worker->memory_refused);
	print(file, "worker.", "requests_refused", worker->requests_refused);
	print(file, "worker.", "rings_broken", worker->rings_broken);
	print(file, "worker.", "rings_refused", worker->rings_refused);
	print(file, "nat.", "sessions_created", stats->nat.sessions_created);
	print(file, "nat.", "sessions_expired", stats->nat.sessions_expired);
	print(file, "nat.", "sessions_live", stats->nat.sessions_live);
	print(file, "nat.", "sessions_adopted", stats->nat.sessions_adopted);
	print(file, "nat.", "mappings_live", stats->nat.mappings_live);
	print(file, "nat.", "packets_out", stats->nat.packets_out);
	print(file, "nat.", "packets_in", stats->nat.packets_in);
	print(file, "nat.", "misses", stats->nat.misses);
	for (unsigned int i = 0; i < ports && i < PORT_UPLINK; i++) {
		char prefix[16];
		snprintf(prefix, sizeof(prefix), "port.%u.", i);
		print_port(file, prefix, &stats->ports[i]);
	}
	print_port(file, "uplink.", &stats->ports[PORT_UPLINK]);
	fflush(file);
}
