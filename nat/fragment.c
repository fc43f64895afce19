/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/fragment.h"

#include <arpa/inet.h>
#include <errno.h>

#include "nat/burst.h"
#include "nat/table_memory.h"

#define IPV4_FRAGMENT 6
#define MORE_FRAGMENTS 0x2000
#define OFFSET_MASK 0x1fff

static_assert((FRAGMENT_DATAGRAMS & (FRAGMENT_DATAGRAMS - 1)) == 0, "sets are found by a mask");

int fragments_init(struct fragments *fragments, uint64_t seed)
{
	*fragments = (struct fragments){
		.datagrams = table_memory_new(FRAGMENT_DATAGRAMS * sizeof(*fragments->datagrams)),
		.seed = seed,
		.next_id = (uint16_t)seed,
	};
	return fragments->datagrams == NULL ? -ENOMEM : 0;
}

void fragments_fini(struct fragments *fragments)
{
	table_memory_free(fragments->datagrams, FRAGMENT_DATAGRAMS * sizeof(*fragments->datagrams));
	fragments->datagrams = NULL;
}

/* Makes an entry free; fragments that waited in it are lost, and counted. */
static void forget(struct nat *nat, struct fragment_datagram *d)
{
	if (d->state == FRAGMENT_WAITING) {
		nat_count(&nat->counters->drops[NAT_DROP_FRAGMENT], d->waiting_count);
		while (d->waiting_head != OUTBOX_NONE) {
			uint16_t frame = d->waiting_head;

			d->waiting_head = nat->outbox.frames[frame].next;
			outbox_free(&nat->outbox, frame);
			nat->fragments.waiting--;
		}
	}
	d->state = FRAGMENT_FREE;
}

/* What names the datagram that a fragment belongs to. */
static struct fragment_datagram name_of(const struct packet *p, enum flow_direction direction)
{
	const uint8_t *ip = p->head + p->l3_offset;

	return (struct fragment_datagram){
		.source_be = load32_be(ip + IPV4_SOURCE),
		.destination_be = load32_be(ip + IPV4_DESTINATION),
		.id_be = load16_be(ip + IPV4_ID),
		.protocol = p->l4_protocol,
		.direction = (uint8_t)direction,
		.waiting_head = OUTBOX_NONE,
	};
}

static struct fragment_datagram *set_of(const struct nat *nat, const struct fragment_datagram *name)
{
	const struct fragments *fragments = &nat->fragments;
	uint64_t addresses = name->source_be | (uint64_t)name->destination_be << 32;
	uint64_t rest =
		name->id_be | (uint32_t)name->protocol << 16 | (uint32_t)name->direction << 24;
	uint64_t hash = flow_mix(addresses ^ fragments->seed, rest ^ ~fragments->seed);

	return &fragments->datagrams[hash & (FRAGMENT_DATAGRAMS - 1) &
				     ~(uint64_t)(FRAGMENT_WAYS - 1)];
}

/* The entry of a datagram, or NULL. */
static struct fragment_datagram *find(struct nat *nat, const struct fragment_datagram *name)
{
	struct fragment_datagram *set = set_of(nat, name);

	for (int i = 0; i < FRAGMENT_WAYS; i++) {
		struct fragment_datagram *d = &set[i];

		if (d->state == FRAGMENT_FREE || d->source_be != name->source_be ||
			d->destination_be != name->destination_be || d->id_be != name->id_be ||
			d->protocol != name->protocol || d->direction != name->direction)
			continue;
		if (d->deadline_ns > nat->now_ns)
			return d;
		forget(nat, d);
	}
	return NULL;
}

/* The entry of a datagram; a new one when there is none, in place of one that is free or was not
 * used for the longest time. The caller sets state and deadline of a new one. */
static struct fragment_datagram *find_or_make(struct nat *nat, const struct fragment_datagram *name)
{
	struct fragment_datagram *set = set_of(nat, name);
	struct fragment_datagram *d = find(nat, name);

	if (d != NULL)
		return d;
	d = &set[0];
	for (int i = 0; i < FRAGMENT_WAYS && d->state != FRAGMENT_FREE; i++)
		if (set[i].state == FRAGMENT_FREE || set[i].used_ns < d->used_ns)
			d = &set[i];
	forget(nat, d);
	*d = *name;
	return d;
}

static uint16_t offset_of(const struct packet *p)
{
	const uint8_t *ip = p->head + p->l3_offset;

	return (uint16_t)((ntohs(load16_be(ip + IPV4_FRAGMENT)) & OFFSET_MASK) * 8);
}

static uint32_t data_length(const struct packet *p)
{
	return p->l3_length - (uint32_t)(p->l4_offset - p->l3_offset);
}

static bool has_valid_length(const struct packet *p)
{
	const uint8_t *ip = p->head + p->l3_offset;
	bool more = (ntohs(load16_be(ip + IPV4_FRAGMENT)) & MORE_FRAGMENTS) != 0;

	return data_length(p) > 0 && (!more || data_length(p) % 8 == 0);
}

/* A later fragment of a known datagram. `d` may be a copy. */
static enum nat_verdict pass_later(
	struct nat *nat, const struct fragment_datagram *d, struct packet *p)
{
	enum flow_direction direction = (enum flow_direction)d->direction;
	uint32_t record;
	struct session *s;
	bool too_long;

	if (offset_of(p) < d->first_end)
		return nat_refuse(nat, p, NAT_DROP_FRAGMENT);
	record = session_find(
		&nat->sessions, &d->key, flow_hash(&d->key, nat->sessions.seed), direction);
	if (record == SESSION_NONE || nat_is_expired(nat, &nat->sessions.records[record]))
		return nat_refuse(nat, p, NAT_DROP_NO_SESSION);
	s = &nat->sessions.records[record];
	too_long = mtu_is_exceeded(nat, p, direction) &&
		   (direction == FLOW_IN || !(s->flags & SESSION_HAIRPIN));
	if (too_long && mtu_refuses(nat, p, direction))
		return nat_refuse(nat, p, NAT_DROP_TOO_BIG);
	if (direction == FLOW_OUT)
		hit_replace_id(p, d->new_id_be);
	hit_apply(nat, p, s, direction, TCP_EVENT_DATA);
	nat_count(direction == FLOW_OUT ? &nat->counters->packets_out : &nat->counters->packets_in,
		1);
	if (too_long)
		return mtu_fragment(nat, p, direction,
			direction == FLOW_OUT ? NAT_VERDICT_WORLD : NAT_VERDICT_INSIDE);
	return direction == FLOW_OUT ? burst_after_out(nat, p, s) : NAT_VERDICT_INSIDE;
}

/* Sends those that waited for the first fragment, oldest first. */
static void release(struct nat *nat, const struct fragment_datagram *known, uint16_t newest)
{
	uint16_t oldest = OUTBOX_NONE;

	while (newest != OUTBOX_NONE) {
		uint16_t next = nat->outbox.frames[newest].next;

		nat->outbox.frames[newest].next = oldest;
		oldest = newest;
		newest = next;
	}
	while (oldest != OUTBOX_NONE) {
		struct outbox_frame *f = &nat->outbox.frames[oldest];
		uint16_t next = f->next;
		enum nat_verdict verdict = pass_later(nat, known, &f->packet);

		nat->fragments.waiting--;

		if (verdict == NAT_VERDICT_WORLD || verdict == NAT_VERDICT_INSIDE)
			outbox_send(&nat->outbox, oldest, verdict);
		else
			outbox_free(&nat->outbox, oldest);
		oldest = next;
	}
}

/* The first fragment: like a whole packet, and whoever waited for it goes on. */
static enum nat_verdict pass_first(struct nat *nat, struct packet *p, enum flow_direction direction)
{
	struct fragment_datagram name = name_of(p, direction), known;
	struct fragment_datagram *d = find(nat, &name);
	enum nat_verdict verdict;
	enum tcp_event event;
	struct flow_key key;
	uint16_t waiting;

	key.addresses = hit_addresses(p, direction);
	if (!hit_ports(p, direction, &key.ports, &event))
		return nat_refuse(nat, p, NAT_DROP_FRAGMENT);
	if (d != NULL && d->state == FRAGMENT_KNOWN &&
		(d->key.addresses != key.addresses || d->key.ports != key.ports))
		return nat_refuse(nat, p, NAT_DROP_FRAGMENT);
	name.new_id_be = d != NULL ? d->new_id_be : htons(nat->fragments.next_id++);
	name.first_end = (uint16_t)data_length(p);

	if (direction == FLOW_OUT)
		hit_replace_id(p, name.new_id_be);
	verdict = direction == FLOW_OUT ? nat_slow_session_out(nat, p, &key, event)
					: nat_slow_session_in(nat, p, &key, event);
	/* A hairpinned one came back here and may have taken the entry. */
	d = find_or_make(nat, &name);
	if (verdict == NAT_VERDICT_DROP) {
		forget(nat, d);
		return verdict;
	}
	waiting = d->state == FRAGMENT_WAITING ? d->waiting_head : OUTBOX_NONE;
	d->state = FRAGMENT_KNOWN;
	d->key = key;
	d->first_end = name.first_end;
	d->new_id_be = name.new_id_be;
	d->waiting_head = OUTBOX_NONE;
	d->used_ns = nat->now_ns;
	d->deadline_ns = nat->now_ns + FRAGMENT_LIFE_NS;
	known = *d;
	release(nat, &known, waiting);
	return verdict;
}

/* Copies a fragment that came before its first one. */
static enum nat_verdict keep(
	struct nat *nat, struct packet *p, const struct fragment_datagram *name)
{
	struct fragment_datagram *d = find_or_make(nat, name);
	uint16_t frame;

	if (d->state == FRAGMENT_FREE) {
		d->state = FRAGMENT_WAITING;
		d->new_id_be = htons(nat->fragments.next_id++);
		d->deadline_ns = nat->now_ns + FRAGMENT_WAIT_NS;
	}
	d->used_ns = nat->now_ns;
	if (d->waiting_count >= FRAGMENT_WAITING_MAX ||
		nat->fragments.waiting >= FRAGMENT_WAITING_ALL)
		return nat_refuse(nat, p, NAT_DROP_FRAGMENT);
	frame = outbox_copy(&nat->outbox, p);
	if (frame == OUTBOX_NONE)
		return nat_refuse(nat, p, NAT_DROP_FRAGMENT);
	nat->outbox.frames[frame].next = d->waiting_head;
	d->waiting_head = frame;
	d->waiting_count++;
	nat->fragments.waiting++;

	return NAT_VERDICT_KEPT;
}

static enum nat_verdict pass(struct nat *nat, struct packet *p, enum flow_direction direction)
{
	struct fragment_datagram name, *d;
	enum tcp_event event;
	struct flow_key key;

	if (!has_valid_length(p))
		return nat_refuse(nat, p, NAT_DROP_FRAGMENT);
	if (p->l4_protocol != IPPROTO_TCP && p->l4_protocol != IPPROTO_UDP &&
		p->l4_protocol != IPPROTO_ICMP) {
		key.addresses = hit_addresses(p, direction);
		if (!hit_ports(p, direction, &key.ports, &event))
			return nat_refuse(nat, p, NAT_DROP_PROTOCOL);
		return direction == FLOW_OUT ? nat_slow_session_out(nat, p, &key, event)
					     : nat_slow_session_in(nat, p, &key, event);
	}
	if (!(p->flags & PACKET_LATER_FRAGMENT))
		return pass_first(nat, p, direction);
	name = name_of(p, direction);
	d = find(nat, &name);
	if (d == NULL || d->state == FRAGMENT_WAITING)
		return keep(nat, p, &name);
	d->used_ns = nat->now_ns;
	name = *d;
	return pass_later(nat, &name, p);
}

enum nat_verdict fragment_out(struct nat *nat, struct packet *p)
{
	return pass(nat, p, FLOW_OUT);
}

enum nat_verdict fragment_in(struct nat *nat, struct packet *p)
{
	return pass(nat, p, FLOW_IN);
}

void fragment_tick(struct nat *nat)
{
	struct fragments *fragments = &nat->fragments;

	for (int i = 0; i < FRAGMENT_STEPS; i++) {
		struct fragment_datagram *d = &fragments->datagrams[fragments->cursor];

		if (d->state != FRAGMENT_FREE && d->deadline_ns <= nat->now_ns)
			forget(nat, d);
		fragments->cursor = (fragments->cursor + 1) % FRAGMENT_DATAGRAMS;
	}
}
