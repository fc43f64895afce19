/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/syn_hold.h"

#include "nat/hit.h"
#include "nat/icmp_send.h"

#define ANSWERS_A_TICK 16
#define SECOND_NS UINT64_C(1000000000)
#define QUOTE_L4 8

static struct syn_held *held(struct syn_hold *hold, uint32_t i)
{
	return &hold->ring[(hold->first + i) % SYN_HOLD_MAX];
}

void syn_hold_add(struct nat *nat, const struct packet *p, const struct flow_key *key)
{
	struct syn_hold *hold = &nat->syn_hold;
	struct syn_held *h;

	if (!nat->config.answer_syn || hold->count == SYN_HOLD_MAX)
		return;
	for (uint32_t i = 0; i < hold->count; i++) {
		h = held(hold, i);
		if (h->key.addresses == key->addresses && h->key.ports == key->ports)
			return;
	}
	h = held(hold, hold->count++);
	h->deadline_ns = nat->now_ns + nat->config.timeouts.syn_hold_s * SECOND_NS;
	h->key = *key;
	h->length = (uint16_t)(p->l4_offset - p->l3_offset + QUOTE_L4);
	memcpy(h->quote, p->head + p->l3_offset, h->length);
}

/* Whether the guest opened the connection meanwhile. */
static bool is_wanted(const struct nat *nat, const struct flow_key *key)
{
	uint32_t record =
		session_find(&nat->sessions, key, flow_hash(key, nat->sessions.seed), FLOW_IN);

	return record != SESSION_NONE && !nat_is_expired(nat, &nat->sessions.records[record]);
}

void syn_hold_tick(struct nat *nat)
{
	struct syn_hold *hold = &nat->syn_hold;

	for (int i = 0; i < ANSWERS_A_TICK && hold->count > 0; i++) {
		struct syn_held *h = held(hold, 0);
		struct icmp_error error = {
			.type = ICMP_DEST_UNREACH,
			.code = ICMP_PORT_UNREACH,
			.source_be = flow_local(&h->key),
			.about = h->quote,
			.length = h->length,
			.verdict = NAT_VERDICT_WORLD,
		};

		if (h->deadline_ns > nat->now_ns)
			break;
		/* No frame or too many: it is not sent, which is allowed. */
		if (!is_wanted(nat, &h->key))
			(void)icmp_send(nat, &error);
		hold->first++;
		hold->count--;
	}
}
