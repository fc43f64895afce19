/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "nat/nat_private.h"

static enum port_space space_of(const struct nat_forward *forward)
{
	return forward->protocol == IPPROTO_TCP ? PORT_SPACE_TCP : PORT_SPACE_UDP;
}

static bool is_in_space(const struct forward_record *r, enum port_space space)
{
	return r->commit == FORWARD_LIVE && space == space_of(&r->forward);
}

static bool overlap(const struct nat_forward *a, const struct nat_forward *b)
{
	return a->protocol == b->protocol && a->outside_port < b->outside_port + b->count &&
	       b->outside_port < a->outside_port + a->count;
}

bool forward_is_well_formed(const struct nat_forward *forward)
{
	return (forward->protocol == IPPROTO_TCP || forward->protocol == IPPROTO_UDP) &&
	       forward->count > 0 && forward->inside_port > 0 && forward->outside_port > 0 &&
	       forward->inside_port + forward->count <= 65536 &&
	       forward->outside_port + forward->count <= 65536 && forward->spare == 0;
}

bool forward_overlaps(
	const struct forward_table *table, const struct nat_forward *forward, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (table->records[i].commit == FORWARD_LIVE &&
			overlap(&table->records[i].forward, forward))
			return true;
	return false;
}

void forward_enter(struct forward_table *table, struct ports *ports, uint32_t index)
{
	struct forward_record *r = &table->records[index];

	__atomic_store_n(&r->commit, FORWARD_LIVE, __ATOMIC_RELEASE);
	table->live++;
	for (uint32_t i = 0; i < r->forward.count; i++)
		ports_take(ports, space_of(&r->forward), (uint16_t)(r->forward.outside_port + i));
}

bool forward_find_outside(const struct forward_table *table, enum port_space space,
	uint16_t outside_port, uint32_t *ret_inside_be, uint16_t *ret_inside_port)
{
	for (uint32_t i = 0, seen = 0; seen < table->live && i < FORWARD_MAX; i++) {
		const struct forward_record *r = &table->records[i];
		uint16_t offset = (uint16_t)(outside_port - r->forward.outside_port);

		seen += r->commit == FORWARD_LIVE;
		if (is_in_space(r, space) && offset < r->forward.count) {
			*ret_inside_be = r->forward.inside_be;
			*ret_inside_port = (uint16_t)(r->forward.inside_port + offset);
			return true;
		}
	}
	return false;
}

bool forward_find_inside(const struct forward_table *table, enum port_space space,
	uint32_t inside_be, uint16_t inside_port, uint16_t *ret_outside_port)
{
	for (uint32_t i = 0, seen = 0; seen < table->live && i < FORWARD_MAX; i++) {
		const struct forward_record *r = &table->records[i];
		uint16_t offset = (uint16_t)(inside_port - r->forward.inside_port);

		seen += r->commit == FORWARD_LIVE;
		if (is_in_space(r, space) && r->forward.inside_be == inside_be &&
			offset < r->forward.count) {
			*ret_outside_port = (uint16_t)(r->forward.outside_port + offset);
			return true;
		}
	}
	return false;
}

/* Whether no port of the forward leads elsewhere now. */
static bool are_ports_available(const struct nat *nat, const struct nat_forward *forward)
{
	for (uint32_t i = 0; i < forward->count; i++) {
		uint32_t mapping = mapping_find_outside(&nat->mappings, space_of(forward),
			htons((uint16_t)(forward->outside_port + i)));
		const struct mapping *m = &nat->mappings.records[mapping];

		if (mapping != MAPPING_NONE &&
			(m->inside_be != forward->inside_be ||
				ntohs(m->inside_port_be) != forward->inside_port + i))
			return false;
	}
	return true;
}

/* What the mappings of its ports are from now on. */
static void mark_mappings(struct nat *nat, const struct nat_forward *forward, uint8_t flags)
{
	for (uint32_t i = 0; i < forward->count; i++) {
		uint16_t port = (uint16_t)(forward->outside_port + i);
		uint32_t mapping =
			mapping_find_outside(&nat->mappings, space_of(forward), htons(port));

		if (mapping != MAPPING_NONE)
			nat->mappings.records[mapping].flags = flags;
		else if (!(flags & MAPPING_STATIC))
			ports_give(&nat->ports, space_of(forward), port);
	}
}

int nat_forward_add(struct nat *nat, const struct nat_forward *forward)
{
	struct forward_table *table = &nat->forwards;
	uint32_t i = 0;

	if (!forward_is_well_formed(forward))
		return -EINVAL;
	if (!nat_is_inside(nat, forward->inside_be) || forward->inside_be == nat->config.gateway_be)
		return -ENETUNREACH;
	if (forward_overlaps(table, forward, FORWARD_MAX))
		return -EEXIST;
	if (!are_ports_available(nat, forward))
		return -EADDRINUSE;
	while (i < FORWARD_MAX && table->records[i].commit == FORWARD_LIVE)
		i++;
	if (i == FORWARD_MAX)
		return -ENOSPC;
	table->records[i].forward = *forward;
	forward_enter(table, &nat->ports, i);
	mark_mappings(nat, forward, MAPPING_STATIC);
	return 0;
}

int nat_forward_remove(struct nat *nat, const struct nat_forward *forward)
{
	struct forward_table *table = &nat->forwards;

	for (uint32_t i = 0; i < FORWARD_MAX; i++) {
		struct forward_record *r = &table->records[i];

		if (r->commit != FORWARD_LIVE ||
			memcmp(&r->forward, forward, sizeof(*forward)) != 0)
			continue;
		__atomic_store_n(&r->commit, 0, __ATOMIC_RELAXED);
		table->live--;
		mark_mappings(nat, forward, 0);
		return 0;
	}
	return -ENOENT;
}

uint32_t nat_forward_list(const struct nat *nat, struct nat_forward forwards[], uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < FORWARD_MAX; i++) {
		const struct forward_record *r = &nat->forwards.records[i];

		if (r->commit != FORWARD_LIVE)
			continue;
		if (n < max)
			forwards[n] = r->forward;
		n++;
	}
	return n;
}
