/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/dns_counters.h"

#include <stddef.h>

static const char *const drop_names[] = {
#define DROP_NAME(id, name) [id] = (name),
	DNS_DROP_TABLE(DROP_NAME)
#undef DROP_NAME
};
_Static_assert(
	sizeof(drop_names) / sizeof(drop_names[0]) == DNS_DROP_COUNT, "a name for each reason");

#define FIELD(name)                                        \
	{                                                  \
#name, offsetof(struct dns_counters, name) \
	}
static const struct {
	const char *name;
	size_t offset;
} fields[] = {
	FIELD(queries_udp),
	FIELD(queries_tcp),
	FIELD(answers_own),
	FIELD(forwarded),
	FIELD(answers),
	FIELD(tries_silent),
	FIELD(tries_refused),
};
_Static_assert(sizeof(fields) / sizeof(fields[0]) == offsetof(struct dns_counters, drops) / 8,
	"a line for each counter");

const char *dns_drop_name(unsigned int reason)
{
	return drop_names[reason];
}

/* Somebody else writes it: one load. */
static uint64_t read_one(const void *at)
{
	return __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED);
}

void dns_counters_walk(const struct dns_counters *counters, stats_visit *visit, void *context)
{
	struct stats_counter shown = {.group = "dns", .port = -1};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		shown.name = fields[i].name;
		shown.value = read_one((const char *)counters + fields[i].offset);
		visit(context, &shown);
	}
	shown.name = "drops";
	for (unsigned int reason = 0; reason < DNS_DROP_COUNT; reason++) {
		shown.drop = drop_names[reason];
		shown.value = read_one(&counters->drops[reason]);
		visit(context, &shown);
	}
}
