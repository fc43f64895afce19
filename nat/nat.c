/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "nat/adopt.h"
#include "nat/nat_private.h"

#define SESSIONS_MIN 64
#define SESSIONS_MAX (16u << 20)
#define UDP_TIMEOUT_MIN_S 120
#define SYN_HOLD_MIN_S 6
/* What every host takes (RFC 1122, 3.3.3); headers and some data fit in any case. */
#define MTU_MIN 576
#define IPV4_AND_TCP_HEADER 40
/* Deadlines are compared as signed differences of ticks. */
#define TIMEOUT_MAX_S (365u * 86400)
#define SECOND_NS UINT64_C(1000000000)

static const char *const drop_names[NAT_DROP_COUNT] = {
#define NAT_DROP_NAME(id, name) [id] = (name),
	NAT_DROP_TABLE(NAT_DROP_NAME)
#undef NAT_DROP_NAME
};

const char *nat_drop_name(enum nat_drop reason)
{
	return (size_t)reason < NAT_DROP_COUNT ? drop_names[reason] : "nat_unknown";
}

static const struct nat_timeouts default_timeouts = {
	.udp_s = 300,
	.udp_well_known_s = 300,
	.udp_unanswered_s = 30,
	.tcp_established_s = 7440,
	.tcp_partial_s = 240,
	.tcp_closing_s = 240,
	.icmp_s = 60,
	.other_s = 600,
	.syn_hold_s = 6,
};

/* A time-out as configured, or its default when that is 0. */
static uint32_t or_default(uint32_t seconds, uint32_t otherwise)
{
	return seconds != 0 ? seconds : otherwise;
}

static struct nat_timeouts timeouts_of(const struct nat_timeouts *given)
{
	const struct nat_timeouts *d = &default_timeouts;

	return (struct nat_timeouts){
		.udp_s = or_default(given->udp_s, d->udp_s),
		.udp_well_known_s = or_default(given->udp_well_known_s, d->udp_well_known_s),
		.udp_unanswered_s = or_default(given->udp_unanswered_s, d->udp_unanswered_s),
		.tcp_established_s = or_default(given->tcp_established_s, d->tcp_established_s),
		.tcp_partial_s = or_default(given->tcp_partial_s, d->tcp_partial_s),
		.tcp_closing_s = or_default(given->tcp_closing_s, d->tcp_closing_s),
		.icmp_s = or_default(given->icmp_s, d->icmp_s),
		.other_s = or_default(given->other_s, d->other_s),
		.syn_hold_s = or_default(given->syn_hold_s, d->syn_hold_s),
	};
}

static bool are_timeouts_valid(const struct nat_timeouts *t)
{
	return (t->udp_s == 0 || t->udp_s >= UDP_TIMEOUT_MIN_S) && t->udp_s <= TIMEOUT_MAX_S &&
	       t->udp_well_known_s <= TIMEOUT_MAX_S && t->udp_unanswered_s <= TIMEOUT_MAX_S &&
	       t->tcp_established_s <= TIMEOUT_MAX_S && t->tcp_partial_s <= TIMEOUT_MAX_S &&
	       t->tcp_closing_s <= TIMEOUT_MAX_S && t->icmp_s <= TIMEOUT_MAX_S &&
	       t->other_s <= TIMEOUT_MAX_S && t->syn_hold_s <= TIMEOUT_MAX_S &&
	       (t->syn_hold_s == 0 || t->syn_hold_s >= SYN_HOLD_MIN_S);
}

static uint32_t mask_of(uint8_t prefix)
{
	return htonl(UINT32_MAX << (32 - prefix));
}

static bool is_config_valid(const struct nat_config *c)
{
	return c->inside_prefix >= 16 && c->inside_prefix <= 30 && c->inside_be != 0 &&
	       (c->inside_be & ~mask_of(c->inside_prefix)) == 0 && c->outside_be != 0 &&
	       c->port_low <= c->port_high && c->sessions >= SESSIONS_MIN &&
	       c->sessions <= SESSIONS_MAX && (c->mtu_out == 0 || c->mtu_out >= MTU_MIN) &&
	       (c->mtu_in == 0 || c->mtu_in >= MTU_MIN) &&
	       (c->mtu_path == 0 || c->mtu_path >= MTU_MIN) && are_timeouts_valid(&c->timeouts) &&
	       (uint32_t)c->filter <= NAT_FILTER_ADDRESS_AND_PORT;
}

size_t nat_memory_size(const struct nat_config *config)
{
	return is_config_valid(config) ? flow_memory_size(config) : 0;
}

static uint32_t seconds_to_ticks(uint32_t seconds)
{
	uint64_t tick = UINT64_C(1) << NAT_TICK_SHIFT;

	return (uint32_t)((seconds * SECOND_NS + tick - 1) / tick);
}

/*
 * Which packets keep a session alive: TCP and protocols without ports in both directions; UDP and
 * ICMP queries from inside only (RFC 4787, REQ-6), so that nobody outside can keep a mapping open.
 * The OUT column is also the first time-out of a new session.
 */
static void fill_timeouts(struct nat *nat)
{
	const struct nat_timeouts *t = &nat->config.timeouts;
	const struct {
		uint32_t seconds;
		bool in;
	} table[SESSION_STATE_COUNT] = {
		[SESSION_SYN_OUT] = {t->tcp_partial_s, true},
		[SESSION_SYN_IN] = {t->tcp_partial_s, true},
		[SESSION_OPENING] = {t->tcp_partial_s, true},
		[SESSION_SIMULTANEOUS] = {t->tcp_partial_s, true},
		[SESSION_PICKED_UP] = {t->tcp_partial_s, true},
		[SESSION_ESTABLISHED] = {t->tcp_established_s, true},
		[SESSION_FIN_OUT] = {t->tcp_established_s, true},
		[SESSION_FIN_IN] = {t->tcp_established_s, true},
		[SESSION_FIN_BOTH] = {t->tcp_closing_s, true},
		[SESSION_RESET] = {t->tcp_closing_s, true},
		[SESSION_UDP] = {t->udp_s, false},
		[SESSION_UDP_WELL_KNOWN] = {t->udp_well_known_s, false},
		[SESSION_UDP_UNANSWERED] = {t->udp_unanswered_s, false},
		[SESSION_ICMP] = {t->icmp_s, false},
		[SESSION_OTHER] = {t->other_s, true},
	};

	for (int state = 0; state < SESSION_STATE_COUNT; state++) {
		uint32_t ticks = seconds_to_ticks(table[state].seconds);

		nat->timeouts[FLOW_OUT][state] = ticks;
		nat->timeouts[FLOW_IN][state] = table[state].in ? ticks : 0;
	}
}

static void fill_mtu(struct nat *nat)
{
	const struct nat_config *c = &nat->config;
	uint32_t out = c->mtu_out != 0 ? c->mtu_out : UINT32_MAX;
	uint32_t in = c->mtu_in != 0 ? c->mtu_in : UINT32_MAX;
	uint32_t least = out < in ? out : in;

	nat->mtu[FLOW_OUT] = out;
	nat->mtu[FLOW_IN] = in;
	if (c->mtu_path != 0 && c->mtu_path < least)
		least = c->mtu_path;
	nat->mss_max = 0;
	nat->slow_events = 0;
	if (least == UINT32_MAX)
		return;
	nat->mss_max = (uint16_t)(least - IPV4_AND_TCP_HEADER);
	nat->slow_events = 1u << TCP_EVENT_SYN | 1u << TCP_EVENT_SYN_ACK;
}

/* Sets up the tables around an opened flow memory. 0 or negative errno. */
static int init_tables(struct nat *nat)
{
	const struct nat_config *config = &nat->config;
	struct flow_memory_header *header = nat->flow_memory.header;
	uint64_t seed[2];
	int ret = random_init(&nat->random);

	if (ret < 0)
		return ret;
	seed[0] = random_next(&nat->random);
	seed[1] = random_next(&nat->random);
	ports_init(&nat->ports, config->port_low, config->port_high);
	nat->forwards.records = nat->flow_memory.forwards;
	ret = session_table_init(&nat->sessions, nat->flow_memory.sessions, &header->session_high,
		config->sessions, seed);
	if (ret == 0)
		ret = mapping_table_init(&nat->mappings, nat->flow_memory.mappings,
			&header->mapping_high, header->mapping_capacity, random_next(&nat->random));
	if (ret == 0)
		ret = permission_table_init(
			&nat->permissions, config->sessions, random_next(&nat->random));
	if (ret == 0)
		ret = guests_init(&nat->guests, config->inside_prefix, config->sessions_per_guest,
			config->new_sessions_per_guest);
	if (ret == 0)
		ret = fragments_init(&nat->fragments, random_next(&nat->random));
	if (ret == 0)
		ret = outbox_init(&nat->outbox);
	return ret;
}

int nat_new(const struct nat_config *config, void *memory, size_t size, uint64_t now_ns,
	int *ret_adopted, struct nat **ret_nat)
{
	struct nat *nat;
	int ret, adopted;

	if (!is_config_valid(config) || memory == NULL || size < flow_memory_size(config) ||
		(uintptr_t)memory % FLOW_MEMORY_PAGE != 0)
		return -EINVAL;
	nat = calloc(1, sizeof(*nat));
	if (nat == NULL)
		return -ENOMEM;
	nat->config = *config;
	nat->config.timeouts = timeouts_of(&config->timeouts);
	nat->inside_mask_be = mask_of(config->inside_prefix);
	nat->counters = config->counters != NULL ? config->counters : &nat->own_counters;
	nat->outbox.lent_head = OUTBOX_NONE;
	nat_begin(nat, now_ns);
	nat->expire.swept_ticks = nat->now_ticks;
	fill_timeouts(nat);
	fill_mtu(nat);

	adopted = flow_memory_open(&nat->flow_memory, &nat->config, memory);
	ret = init_tables(nat);
	if (ret < 0) {
		nat_free(nat);
		return ret;
	}
	nat->counters->mappings_live = 0;
	if (adopted == 1)
		adopt(nat);
	nat->counters->mappings_live = nat->mappings.live;
	nat->counters->sessions_live = nat->sessions.live;
	nat_count(&nat->counters->sessions_adopted, nat->sessions.live);
	if (ret_adopted != NULL)
		*ret_adopted = adopted;
	*ret_nat = nat;
	return 0;
}

void nat_free(struct nat *nat)
{
	if (nat == NULL)
		return;
	session_table_fini(&nat->sessions);
	mapping_table_fini(&nat->mappings);
	permission_table_fini(&nat->permissions);
	guests_fini(&nat->guests);
	fragments_fini(&nat->fragments);
	outbox_fini(&nat->outbox);
	free(nat);
}

void nat_set_way_out(struct nat *nat, uint32_t alias_be, bool alias_owns_range, uint16_t mtu_path)
{
	struct nat_config *config = &nat->config;

	nat->moved |= alias_be != config->alias_be;
	config->alias_be = alias_be;
	config->alias_owns_range = alias_owns_range;
	config->mtu_path = mtu_path != 0 && mtu_path < MTU_MIN ? MTU_MIN : mtu_path;
	fill_mtu(nat);
}

bool nat_tick(struct nat *nat, uint64_t now_ns)
{
	nat_begin(nat, now_ns);
	fragment_tick(nat);
	syn_hold_tick(nat);
	return expire_tick(nat);
}

bool nat_is_idle(const struct nat *nat)
{
	return nat->sessions.live == 0 && nat->syn_hold.count == 0 && nat->fragments.waiting == 0;
}

uint16_t nat_take(
	struct nat *nat, struct packet *packets[], enum nat_verdict verdicts[], uint16_t max)
{
	outbox_reclaim(&nat->outbox);
	return outbox_take(&nat->outbox, packets, verdicts, max);
}

const struct nat_counters *nat_counters(const struct nat *nat)
{
	return nat->counters;
}
