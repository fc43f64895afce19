/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/forward.h"

#include <netinet/in.h>

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

bool forward_is_valid(const struct forward_table *table, const struct nat_forward *forward)
{
	if ((forward->protocol != IPPROTO_TCP && forward->protocol != IPPROTO_UDP) ||
		forward->count == 0 || forward->inside_port == 0 || forward->outside_port == 0 ||
		forward->inside_port + forward->count > 65536 ||
		forward->outside_port + forward->count > 65536)
		return false;
	for (uint32_t i = 0; i < FORWARD_MAX; i++)
		if (table->records[i].commit == FORWARD_LIVE &&
			&table->records[i].forward != forward &&
			overlap(&table->records[i].forward, forward))
			return false;
	return true;
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
