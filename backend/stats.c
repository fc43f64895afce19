/* SPDX-License-Identifier: BSD-3-Clause */
/* Each counter has one line in a table; whoever shows counters walks the tables. */
#include "backend/stats.h"

#include <inttypes.h>
#include <stddef.h>

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

struct field {
	const char *name;
	size_t offset; /* in the structure that the table is for */
	bool gauge;
};

#define WORKER(name)                                              \
	{                                                         \
#name, offsetof(struct worker_stats, name), false \
	}
static const struct field worker_fields[] = {
	WORKER(breaths),
	WORKER(sleeps),
	WORKER(arm_races),
	WORKER(macs_refused),
	WORKER(sigbus),
	WORKER(memory_refused),
	WORKER(requests_refused),
	WORKER(rings_broken),
	WORKER(rings_refused),
	WORKER(log_lost),
	WORKER(dhcp_requests),
	WORKER(dhcp_replies),
};
_Static_assert(sizeof(worker_fields) / sizeof(worker_fields[0]) ==
		       offsetof(struct worker_stats, dhcp_replies) / 8 + 1,
	"a line for each counter");

#define NAT(name)                                                 \
	{                                                         \
#name, offsetof(struct nat_counters, name), false \
	}
#define NAT_GAUGE(name)                                          \
	{                                                        \
#name, offsetof(struct nat_counters, name), true \
	}
static const struct field nat_fields[] = {
	NAT(sessions_created),
	NAT(sessions_expired),
	NAT_GAUGE(sessions_live),
	NAT(sessions_adopted),
	NAT_GAUGE(mappings_live),
	NAT(packets_out),
	NAT(packets_in),
	NAT(icmp_sent),
	NAT(misses),
};

#define PORT(name)                                              \
	{                                                       \
#name, offsetof(struct port_stats, name), false \
	}
static const struct field port_fields[] = {
	PORT(rx_packets),
	PORT(rx_bytes),
	PORT(tx_packets),
	PORT(tx_bytes),
	PORT(interrupts),
	PORT(kicks),
};

struct walk {
	stats_visit *visit;
	void *context;
};

static void walk_fields(const struct walk *walk, const struct field fields[], size_t count,
	const void *values, struct stats_counter counter)
{
	for (size_t i = 0; i < count; i++) {
		counter.name = fields[i].name;
		counter.gauge = fields[i].gauge;
		/* Somebody else writes it: one load. */
		counter.value =
			__atomic_load_n((const uint64_t *)((const char *)values + fields[i].offset),
				__ATOMIC_RELAXED);
		walk->visit(walk->context, &counter);
	}
}
#define FIELDS(table) (table), sizeof(table) / sizeof((table)[0])

static void walk_drops(const struct walk *walk, const uint64_t drops[], unsigned int first,
	unsigned int end, struct stats_counter counter)
{
	counter.name = "drops";
	for (unsigned int reason = first; reason < end; reason++) {
		counter.drop = drop_name(reason);
		counter.value = __atomic_load_n(&drops[reason - first], __ATOMIC_RELAXED);
		walk->visit(walk->context, &counter);
	}
}

void stats_walk(const struct stats *stats, const struct stats_shown *shown, stats_visit *visit,
	void *context)
{
	const struct walk walk = {.visit = visit, .context = context};
	struct stats_counter counter = {.group = "worker", .port = -1};

	walk_fields(&walk, FIELDS(worker_fields), &stats->worker, counter);
	if (shown->nat) {
		counter.group = "nat";
		walk_fields(&walk, FIELDS(nat_fields), &stats->nat, counter);
		walk_drops(&walk, stats->nat.drops, DROP_NAT, DROP_COUNT, counter);
	}
	counter.group = "port";
	for (unsigned int i = 0; i < PORT_UPLINK; i++) {
		if (!(shown->ports & UINT64_C(1) << i))
			continue;
		counter.port = (int)i;
		walk_fields(&walk, FIELDS(port_fields), &stats->ports[i], counter);
		walk_drops(&walk, stats->ports[i].drops, 0, DROP_COUNT, counter);
	}
	if (shown->uplink) {
		counter.group = "uplink";
		counter.port = -1;
		walk_fields(&walk, FIELDS(port_fields), &stats->ports[PORT_UPLINK], counter);
		walk_drops(&walk, stats->ports[PORT_UPLINK].drops, 0, DROP_COUNT, counter);
	}
}

uint64_t stats_drops(const struct port_stats *port)
{
	uint64_t sum = 0;

	for (unsigned int reason = 0; reason < DROP_COUNT; reason++)
		sum += __atomic_load_n(&port->drops[reason], __ATOMIC_RELAXED);
	return sum;
}

void stats_print_counter(void *context, const struct stats_counter *counter)
{
	FILE *file = context;

	if (!counter->value)
		return;
	if (counter->port >= 0)
		fprintf(file, "port.%d.", counter->port);
	else
		fprintf(file, "%s.", counter->group);
	if (counter->drop)
		fprintf(file, "drop.%s %" PRIu64 "\n", counter->drop, counter->value);
	else
		fprintf(file, "%s %" PRIu64 "\n", counter->name, counter->value);
}

void stats_print(const struct stats *stats, unsigned int ports, FILE *file)
{
	const struct stats_shown all = {
		.ports = ports >= PORT_UPLINK ? UINT64_MAX : (UINT64_C(1) << ports) - 1,
		.nat = true,
		.uplink = true,
	};

	stats_walk(stats, &all, stats_print_counter, file);
	fflush(file);
}
