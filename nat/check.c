/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/check.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "nat/flows.h"

/* What the sessions add up to; compared with what the tables say. */
struct tally {
	uint32_t *mappings;    /* sessions of each mapping */
	uint32_t *guests;      /* sessions of each guest */
	uint32_t *ports;       /* mappings of each guest, by enum port_space */
	uint32_t *permissions; /* references to each permission */
	uint32_t *overflow;    /* of each bucket */
	uint32_t sessions;
	uint32_t entries; /* of the index */
};

static bool tally_init(struct tally *tally, const struct nat *nat)
{
	*tally = (struct tally){
		.mappings = calloc(nat->mappings.capacity, sizeof(uint32_t)),
		.guests = calloc((size_t)nat->guests.host_mask + 1, sizeof(uint32_t)),
		.ports = calloc(
			((size_t)nat->guests.host_mask + 1) * PORT_SPACE_COUNT, sizeof(uint32_t)),
		.permissions = calloc(nat->permissions.capacity, sizeof(uint32_t)),
		.overflow = calloc(nat->sessions.mask + 1, sizeof(uint32_t)),
	};
	return tally->mappings != NULL && tally->guests != NULL && tally->ports != NULL &&
	       tally->permissions != NULL && tally->overflow != NULL;
}

static void tally_fini(struct tally *tally)
{
	free(tally->mappings);
	free(tally->guests);
	free(tally->ports);
	free(tally->permissions);
	free(tally->overflow);
}

/*
 * The entries of a session's two keys are alike when their tags are. `ret_entry` becomes the one
 * that was found; `other` is that of the key before, which is passed over.
 */
static const char *check_key(const struct nat *nat, struct tally *tally, uint32_t record,
	enum flow_direction direction, const uint8_t *other, const uint8_t **ret_entry)
{
	const struct session_table *table = &nat->sessions;
	struct flow_key key = session_key(&table->records[record], direction);
	uint64_t hash = flow_hash(&key, table->seed);

	if (session_find(table, &key, hash, direction) != record)
		return "a session is not found by its key";
	for (uint64_t i = hash;; i++) {
		const struct session_bucket *bucket = &table->buckets[i & table->mask];
		uint32_t match = session_bucket_match(bucket, session_tag(hash));

		for (; match != 0; match &= match - 1) {
			int entry = __builtin_ctz(match);

			if (bucket->records[entry] == record && &bucket->tags[entry] != other) {
				*ret_entry = &bucket->tags[entry];
				return NULL;
			}
		}
		if (bucket->overflow == 0)
			return "a session has no entry of its own in the index";
		tally->overflow[i & table->mask]++;
	}
}

static const char *check_session(const struct nat *nat, struct tally *tally, uint32_t record)
{
	const struct session *s = &nat->sessions.records[record];
	const struct mapping *m;
	struct session derived = *s;
	const uint8_t *entry = NULL;
	const char *error;

	if (s->mapping >= *nat->mappings.high ||
		nat->mappings.records[s->mapping].commit != MAPPING_LIVE)
		return "a session has no mapping";
	m = &nat->mappings.records[s->mapping];
	if (m->inside_be != s->inside_be || m->space != flows_space(s->protocol))
		return "a session and its mapping differ";
	if (m->space != PORT_SPACE_OTHER && (m->inside_port_be != s->inside_port_be ||
						    m->outside_port_be != s->outside_port_be))
		return "a session and its mapping differ in ports";
	flows_derive(nat, &derived);
	if (derived.address_delta != s->address_delta || derived.l4_delta != s->l4_delta)
		return "a session's rewrite is wrong";
	if (!nat_is_inside(nat, s->inside_be) ||
		(!nat_is_outside(nat, s->outside_be) && !nat->moved))
		return "a session's addresses are not ours";
	if (s->outside_be != nat->config.outside_be && !(s->flags & SESSION_HAIRPIN))
		return "a session leaves with an address that is between guests";
	tally->sessions++;
	tally->mappings[s->mapping]++;
	tally->guests[ntohl(s->inside_be) & nat->guests.host_mask]++;
	if (s->permission != PERMISSION_NONE) {
		const struct permission *permission = &nat->permissions.records[s->permission];

		if (s->permission >= nat->permissions.high || permission->mapping != s->mapping ||
			permission->remote_be != s->remote_be)
			return "a session's permission is another's";
		tally->permissions[s->permission]++;
	}
	error = check_key(nat, tally, record, FLOW_OUT, NULL, &entry);
	return error != NULL ? error : check_key(nat, tally, record, FLOW_IN, entry, &entry);
}

static const char *check_sessions(const struct nat *nat, struct tally *tally)
{
	const struct session_table *table = &nat->sessions;
	uint32_t free_records = 0;

	for (uint32_t i = 0; i < *table->high; i++) {
		const char *error = NULL;

		if (table->records[i].commit == SESSION_LIVE)
			error = check_session(nat, tally, i);
		if (error != NULL)
			return error;
	}
	for (uint32_t i = table->free_head; i != SESSION_NONE; i = table->records[i].mapping)
		if (i >= *table->high || table->records[i].commit != 0 ||
			free_records++ > *table->high)
			return "the free list of sessions is broken";
	if (tally->sessions != table->live || tally->sessions + free_records != *table->high ||
		tally->sessions != nat->counters->sessions_live)
		return "the number of sessions is wrong";
	return NULL;
}

static const char *check_index(const struct nat *nat, const struct tally *tally)
{
	const struct session_table *table = &nat->sessions;
	uint32_t entries = 0;

	for (uint64_t i = 0; i <= table->mask; i++) {
		const struct session_bucket *bucket = &table->buckets[i];

		entries += SESSION_BUCKET_ENTRIES -
			   (uint32_t)__builtin_popcount(session_bucket_match(bucket, 0));
		if (bucket->overflow != tally->overflow[i])
			return "a bucket's overflow is wrong";
	}
	return entries == 2 * table->live ? NULL : "the index has dead entries";
}

static uint32_t *ports_of_guest(
	const struct nat *nat, const struct tally *tally, uint32_t inside_be, uint8_t space)
{
	size_t guest = ntohl(inside_be) & nat->guests.host_mask;

	return &tally->ports[guest * PORT_SPACE_COUNT + space];
}

static const char *check_mapping(const struct nat *nat, const struct tally *tally, uint32_t mapping)
{
	const struct mapping *m = &nat->mappings.records[mapping];
	enum port_space space = (enum port_space)m->space;
	uint32_t found =
		mapping_find_inside(&nat->mappings, space, m->inside_be, m->inside_port_be);

	if (m->sessions == 0 || m->sessions != tally->mappings[mapping])
		return "a mapping's sessions are counted wrong";
	if (mapping_find_outside(&nat->mappings, space, m->outside_port_be) != mapping)
		return "an outside port is owned twice, or by nobody";
	if (!ports_is_taken(&nat->ports, space, ntohs(m->outside_port_be)))
		return "a mapping's port is marked as free";
	if (found == MAPPING_NONE)
		return "a mapping is not found by its inside port";
	if (found != mapping && !(m->flags & MAPPING_STATIC) &&
		!(nat->mappings.records[found].flags & MAPPING_STATIC))
		return "an inside port has two mappings";
	return NULL;
}

static const char *check_mappings(const struct nat *nat, const struct tally *tally)
{
	const struct mapping_table *table = &nat->mappings;
	uint32_t live = 0, free_records = 0;

	for (uint32_t i = 0; i < *table->high; i++) {
		const char *error = NULL;

		if (table->records[i].commit == MAPPING_LIVE) {
			live++;
			++*ports_of_guest(
				nat, tally, table->records[i].inside_be, table->records[i].space);
			error = check_mapping(nat, tally, i);
		}
		if (error != NULL)
			return error;
	}
	for (uint32_t i = table->free_head; i != MAPPING_NONE; i = table->records[i].next)
		if (i >= *table->high || table->records[i].commit != 0 ||
			free_records++ > *table->high)
			return "the free list of mappings is broken";
	if (live != table->live || live + free_records != *table->high ||
		live != nat->counters->mappings_live)
		return "the number of mappings is wrong";
	return NULL;
}

/* Entries of the map of outside ports; most of it is zeros, which are skipped by the page. */
static uint32_t count_by_port(const struct mapping_table *table)
{
	static const uint32_t zeros[1024];
	uint32_t entries = 0;

	for (uint32_t i = 0; i < PORT_SPACE_COUNT * 65536; i += 1024) {
		if (memcmp(&table->by_port[i], zeros, sizeof(zeros)) == 0)
			continue;
		for (uint32_t k = 0; k < 1024; k++)
			entries += table->by_port[i + k] != 0;
	}
	return entries;
}

/* The ports of low .. high that are free, a word at a time: this runs behind each input of the
 * fuzzer. */
static uint32_t count_available(const struct ports *ports, enum port_space space)
{
	uint32_t first = ports->low / 64, last = ports->high / 64, available = 0;

	for (uint32_t word = first; word <= last; word++) {
		uint64_t open = ~ports->taken[space][word];

		if (word == first)
			open &= UINT64_MAX << (ports->low % 64);
		if (word == last)
			open &= UINT64_MAX >> (63 - ports->high % 64);
		available += (uint32_t)__builtin_popcountll(open);
	}
	return available;
}

/* Every mapping's port is marked (check_mapping), and no more ports than those of mappings and
 * forwards. */
static const char *check_ports(const struct nat *nat)
{
	const struct mapping_table *table = &nat->mappings;
	uint32_t marked = 0, owned = 0, entries = count_by_port(table);

	for (uint32_t i = 0; i < PORT_SPACE_COUNT * (65536 / 64); i++)
		marked += (uint32_t)__builtin_popcountll(nat->ports.taken[i / 1024][i % 1024]);

	for (uint32_t i = 0; i < *table->high; i++) {
		const struct mapping *m = &table->records[i];

		if (m->commit == MAPPING_LIVE)
			owned += !forward_owns_port(&nat->forwards, (enum port_space)m->space,
				ntohs(m->outside_port_be));
	}
	for (uint32_t i = 0; i < FORWARD_MAX; i++)
		if (nat->forwards.records[i].commit == FORWARD_LIVE)
			owned += nat->forwards.records[i].forward.count;
	for (int space = 0; space < PORT_SPACE_COUNT; space++)
		if (nat->ports.available[space] !=
			count_available(&nat->ports, (enum port_space)space))
			return "free ports are counted wrong";
	if (marked != owned)
		return "ports are marked as taken that nobody owns";
	return entries == table->live ? NULL : "an outside port leads to no mapping";
}

static const char *check_counts(const struct nat *nat, const struct tally *tally)
{
	for (uint32_t i = 0; i <= nat->guests.host_mask; i++)
		if (nat->guests.table[i].sessions != tally->guests[i])
			return "a guest's sessions are counted wrong";
	for (uint32_t i = 0; i <= nat->guests.host_mask; i++)
		if (memcmp(nat->guests.table[i].mappings,
			    &tally->ports[(size_t)i * PORT_SPACE_COUNT],
			    sizeof(nat->guests.table[i].mappings)) != 0)
			return "a guest's mappings are counted wrong";
	for (uint32_t i = 0; i < nat->permissions.high; i++)
		if (nat->permissions.records[i].sessions != tally->permissions[i])
			return "a permission's sessions are counted wrong";
	return NULL;
}

static uint32_t list_length(const struct outbox *outbox, uint16_t frame)
{
	uint32_t length = 0;

	for (; frame != OUTBOX_NONE && length <= OUTBOX_FRAMES; length++)
		frame = outbox->frames[frame].next;
	return length;
}

/* Each frame of the outbox is in one place. */
static const char *check_outbox(const struct nat *nat)
{
	const struct outbox *outbox = &nat->outbox;
	uint32_t waiting = 0, frames = list_length(outbox, outbox->free_head) +
				       list_length(outbox, outbox->ready_head) +
				       list_length(outbox, outbox->lent_head);

	for (uint32_t i = 0; i < FRAGMENT_DATAGRAMS; i++) {
		const struct fragment_datagram *d = &nat->fragments.datagrams[i];

		if (d->state != FRAGMENT_WAITING)
			continue;
		if (list_length(outbox, d->waiting_head) != d->waiting_count)
			return "fragments that wait are counted wrong";
		waiting += d->waiting_count;
	}
	if (waiting != nat->fragments.waiting)
		return "the number of fragments that wait is wrong";
	frames += waiting;
	return frames == outbox->high ? NULL : "a frame of the outbox is lost or in two lists";
}

const char *nat_check(const struct nat *nat)
{
	struct tally tally;
	const char *error = "no memory for the check";

	if (tally_init(&tally, nat)) {
		error = check_sessions(nat, &tally);
		if (error == NULL)
			error = check_index(nat, &tally);
		if (error == NULL)
			error = check_mappings(nat, &tally);
		if (error == NULL)
			error = check_ports(nat);
		if (error == NULL)
			error = check_counts(nat, &tally);
		if (error == NULL)
			error = check_outbox(nat);
	}
	tally_fini(&tally);
	return error;
}
