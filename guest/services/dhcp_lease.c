/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/services/dhcp_lease.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* Changes with the layout of struct dhcp_table. */
#define LAYOUT (UINT64_C(0x63686e6574646802) ^ sizeof(struct dhcp_table))
/* The address plan's first guest: its number on the LAN, and the last bytes of its MAC. */
#define PLAN_HOST 2
#define PLAN_MAC 0x123456
/* The most neighbours that are asked about in one search. */
#define TAKEN_MAX 256
/* No lease lasts longer, seconds: a day is more than what dhcp.h and DHCP_DECLINE_S say. */
#define LONGEST_S 86400

/* ---- one record */

static void store(struct dhcp_lease *lease, const struct dhcp_lease *content)
{
	const size_t begin = offsetof(struct dhcp_lease, ip_be);
	uint32_t sequence = __atomic_load_n(&lease->sequence, __ATOMIC_RELAXED);

	__atomic_store_n(&lease->sequence, sequence + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy((uint8_t *)lease + begin, (const uint8_t *)content + begin, sizeof(*lease) - begin);
	__atomic_store_n(&lease->sequence, sequence + 2, __ATOMIC_RELEASE);
}

bool dhcp_lease_read(
	const struct dhcp_table *table, unsigned int index, struct dhcp_lease *ret_lease)
{
	const struct dhcp_lease *lease = &table->leases[index];
	struct dhcp_lease copy;
	uint32_t sequence = __atomic_load_n(&lease->sequence, __ATOMIC_ACQUIRE);

	memcpy(&copy, lease, sizeof(copy));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (sequence % 2 != 0 || __atomic_load_n(&lease->sequence, __ATOMIC_RELAXED) != sequence ||
		copy.state == DHCP_STATE_FREE || copy.state > DHCP_STATE_DECLINED)
		return false;
	copy.name[DHCP_NAME_CAPACITY - 1] = '\0';
	*ret_lease = copy;
	return true;
}

static void clear(struct dhcp_lease *lease)
{
	static const struct dhcp_lease nothing;

	store(lease, &nothing);
}

void dhcp_lease_set(
	struct dhcp_lease *lease, enum dhcp_state state, uint32_t end_s, const char *name)
{
	struct dhcp_lease changed = *lease;

	changed.state = state;
	changed.end_s = end_s;
	if (name) {
		memset(changed.name, 0, sizeof(changed.name));
		memcpy(changed.name, name, strnlen(name, sizeof(changed.name) - 1));
	}
	store(lease, &changed);
}

static void move(struct dhcp_lease *lease, uint16_t port)
{
	struct dhcp_lease changed = *lease;

	if (lease->port == port)
		return;
	changed.port = port;
	store(lease, &changed);
}

/* Is the address nobody else's, at this moment? A client that is at no port may be gone for good.
 */
static bool is_active(const struct dhcp_lease *lease, uint32_t now_s)
{
	switch ((enum dhcp_state)lease->state) {
	case DHCP_STATE_FREE:
	case DHCP_STATE_RELEASED:
		return false;
	case DHCP_STATE_OFFERED:
	case DHCP_STATE_HELD:
		return lease->end_s > now_s && lease->port != DHCP_PORT_NONE;
	case DHCP_STATE_DECLINED:
		return lease->end_s > now_s;
	}
	return false;
}

/* ---- the LAN */

static uint32_t size_of(const struct dhcp_lan *lan)
{
	return UINT32_C(1) << (32 - lan->prefix);
}

static uint32_t address_be(const struct dhcp_lan *lan, uint32_t host)
{
	return htonl(ntohl(lan->lan_be) + host);
}

/* Could a guest at `port` have the address, whoever has it now? */
static bool is_leasable(const struct dhcp_lan *lan, uint16_t port, uint32_t ip_be)
{
	uint32_t host = ntohl(ip_be) - ntohl(lan->lan_be);

	if (host == 0 || host >= size_of(lan) - 1 || ip_be == lan->gateway_be ||
		ip_be == lan->outside_be)
		return false;
	for (uint16_t i = 0; i < DHCP_PORTS_MAX; i++) {
		if (i != port && lan->ports[i].ip_be == ip_be)
			return false;
	}
	return true;
}

static uint32_t bound_be(const struct dhcp_lan *lan, uint16_t port)
{
	return lan->ports[port].ip_be;
}

/* The same, when the port has an address of its own: that one alone. */
static bool is_allowed(const struct dhcp_lan *lan, uint16_t port, uint32_t ip_be)
{
	uint32_t fixed_be = bound_be(lan, port);

	return fixed_be ? ip_be == fixed_be : is_leasable(lan, port, ip_be);
}

static bool is_taken(const struct dhcp_lan *lan, uint32_t ip_be, const uint8_t *mac)
{
	return lan->taken && lan->taken(lan->context, ip_be, mac);
}

/* ---- the table */

static bool is_sound(const struct dhcp_lease *lease, const struct dhcp_lan *lan)
{
	char name[DHCP_NAME_CAPACITY];
	size_t length = strnlen(lease->name, sizeof(lease->name));

	return lease->sequence % 2 == 0 && lease->state <= DHCP_STATE_DECLINED &&
	       is_leasable(lan, lease->port, lease->ip_be) &&
	       (length == 0 || dhcp_name_read((const uint8_t *)lease->name, length, name));
}

static struct dhcp_lease *find_ip(struct dhcp_table *table, uint32_t ip_be)
{
	for (unsigned int i = 0; i < DHCP_LEASES_MAX; i++) {
		struct dhcp_lease *lease = &table->leases[i];
		if (lease->state != DHCP_STATE_FREE && lease->ip_be == ip_be)
			return lease;
	}
	return NULL;
}

struct dhcp_lease *dhcp_lease_find(struct dhcp_table *table, const uint8_t mac[DHCP_MAC_LENGTH])
{
	for (unsigned int i = 0; i < DHCP_LEASES_MAX; i++) {
		struct dhcp_lease *lease = &table->leases[i];
		if (lease->state != DHCP_STATE_FREE && lease->state != DHCP_STATE_DECLINED &&
			memcmp(lease->mac, mac, DHCP_MAC_LENGTH) == 0)
			return lease;
	}
	return NULL;
}

void dhcp_table_adopt(struct dhcp_table *table, const struct dhcp_lan *lan)
{
	if (table->layout != LAYOUT)
		memset(table, 0, sizeof(*table));
	table->layout = LAYOUT;
	memcpy(table->ports, lan->ports, sizeof(table->ports));
	for (unsigned int i = 0; i < DHCP_LEASES_MAX; i++) {
		struct dhcp_lease *lease = &table->leases[i];
		if (lease->state == DHCP_STATE_FREE && lease->sequence % 2 == 0)
			continue;
		bool sound = is_sound(lease, lan);
		lease->sequence &= ~UINT32_C(1);
		/* The first with an address or a MAC is the one that is found. */
		if (!sound || find_ip(table, lease->ip_be) != lease ||
			(lease->state != DHCP_STATE_DECLINED &&
				dhcp_lease_find(table, lease->mac) != lease))
			clear(lease);
	}
}

void dhcp_table_reopen(struct dhcp_table *table, uint32_t now_s)
{
	for (unsigned int i = 0; table->layout == LAYOUT && i < DHCP_LEASES_MAX; i++) {
		struct dhcp_lease *lease = &table->leases[i];
		if (lease->state == DHCP_STATE_FREE)
			continue;
		/* What is torn is dropped by dhcp_table_adopt(); that must see that it is. */
		lease->port = DHCP_PORT_NONE;
		if (lease->end_s > now_s + LONGEST_S) {
			lease->end_s = 0;
			lease->state = DHCP_STATE_RELEASED;
		}
	}
}

bool dhcp_table_is_empty(const struct dhcp_table *table)
{
	for (unsigned int i = 0; table->layout == LAYOUT && i < DHCP_LEASES_MAX; i++)
		if (table->leases[i].state != DHCP_STATE_FREE)
			return false;
	return true;
}

void dhcp_lease_leave(struct dhcp_table *table, uint16_t port, uint32_t now_s)
{
	for (unsigned int i = 0; i < DHCP_LEASES_MAX; i++) {
		struct dhcp_lease *lease = &table->leases[i];
		struct dhcp_lease left = *lease;
		if (lease->state == DHCP_STATE_FREE || lease->port != port)
			continue;
		left.port = DHCP_PORT_NONE;
		if (is_active(lease, now_s) && lease->state != DHCP_STATE_DECLINED) {
			left.state = DHCP_STATE_RELEASED;
			left.end_s = now_s;
		}
		store(lease, &left);
	}
}

void dhcp_lease_settle(struct dhcp_table *table, const struct dhcp_lan *lan, uint16_t port,
	const uint8_t mac[DHCP_MAC_LENGTH])
{
	struct dhcp_lease *lease = dhcp_lease_find(table, mac);

	if (lease && lease->port == DHCP_PORT_NONE && is_allowed(lan, port, lease->ip_be))
		move(lease, port);
}

/* ---- choosing */

/* A search for the address of one client. */
struct search {
	struct dhcp_table *table;
	const struct dhcp_lan *lan;
	uint16_t port;
	const uint8_t *mac;
	uint32_t now_s;
};

/*
 * The record that was not renewed for longest: of `port` whatever its state, since a guest may do
 * with its share as it likes; of all ports among those that are in nobody's use. NULL: none.
 */
static struct dhcp_lease *oldest(const struct search *search, bool of_port)
{
	struct dhcp_lease *found = NULL;

	for (unsigned int i = 0; i < DHCP_LEASES_MAX; i++) {
		struct dhcp_lease *lease = &search->table->leases[i];
		if (lease->state == DHCP_STATE_FREE ||
			(of_port ? lease->port != search->port : is_active(lease, search->now_s)))
			continue;
		if (!found || lease->end_s < found->end_s)
			found = lease;
	}
	return found;
}

/* A free record for one more MAC at this port. */
static int find_room(const struct search *search, struct dhcp_lease **ret_lease)
{
	struct dhcp_lease *free_one = NULL;
	unsigned int count = 0;

	for (unsigned int i = 0; i < DHCP_LEASES_MAX; i++) {
		struct dhcp_lease *lease = &search->table->leases[i];
		if (lease->state == DHCP_STATE_FREE)
			free_one = free_one ? free_one : lease;
		else
			count += lease->port == search->port;
	}
	bool of_port = count >= DHCP_LEASES_PORT;
	if (of_port || !free_one)
		free_one = oldest(search, of_port);
	if (!free_one)
		return -ENOSPC;
	if (free_one->state != DHCP_STATE_FREE)
		clear(free_one);
	*ret_lease = free_one;
	return 0;
}

/* May this client have the address, which no record of another client keeps? */
static bool is_usable(const struct search *search, uint32_t ip_be)
{
	const struct dhcp_lease *other = find_ip(search->table, ip_be);

	return is_leasable(search->lan, search->port, ip_be) && !other &&
	       !is_taken(search->lan, ip_be, search->mac);
}

/* Where the address plan has this MAC: a number on the LAN. */
static uint32_t planned_host(const struct search *search)
{
	const uint8_t *mac = search->mac;
	uint32_t low = (uint32_t)mac[3] << 16 | (uint32_t)mac[4] << 8 | mac[5];

	return (low - PLAN_MAC + PLAN_HOST) & (size_of(search->lan) - 1);
}

/* The first address behind the planned one that is nobody's. 0: none. */
static uint32_t next_free_be(const struct search *search)
{
	uint8_t used[(1 << 16) / 8] = {0}; /* of the largest LAN, /16 */
	uint32_t size = size_of(search->lan), lan = ntohl(search->lan->lan_be);
	unsigned int asked = 0;

	for (unsigned int i = 0; i < DHCP_LEASES_MAX; i++) {
		const struct dhcp_lease *lease = &search->table->leases[i];
		uint32_t host = ntohl(lease->ip_be) - lan;
		if (lease->state != DHCP_STATE_FREE && host < size)
			used[host / 8] |= (uint8_t)(1 << host % 8);
	}
	for (uint32_t i = 0, host = planned_host(search); i < size; i++, host = (host + 1) % size) {
		uint32_t ip_be = address_be(search->lan, host);
		if (used[host / 8] >> host % 8 & 1 ||
			!is_leasable(search->lan, search->port, ip_be))
			continue;
		if (!is_taken(search->lan, ip_be, search->mac))
			return ip_be;
		if (++asked == TAKEN_MAX)
			return 0;
	}
	return 0;
}

/* The address of a client that the longest unused. 0: all are in use. */
static uint32_t recycled_be(const struct search *search)
{
	struct dhcp_lease *lease;

	while ((lease = oldest(search, false))) {
		uint32_t ip_be = lease->ip_be;
		clear(lease);
		if (is_usable(search, ip_be))
			return ip_be;
	}
	return 0;
}

static uint32_t choose_be(const struct search *search, uint32_t wanted_be)
{
	uint32_t ip_be = bound_be(search->lan, search->port);

	if (ip_be)
		return ip_be;
	if (wanted_be && is_usable(search, wanted_be))
		return wanted_be;
	ip_be = next_free_be(search);
	return ip_be ? ip_be : recycled_be(search);
}

/* May the client keep what it was given before? */
static bool is_kept(const struct search *search, const struct dhcp_lease *lease)
{
	return is_allowed(search->lan, search->port, lease->ip_be) &&
	       (bound_be(search->lan, search->port) ||
		       !is_taken(search->lan, lease->ip_be, search->mac));
}

int dhcp_lease_choose(struct dhcp_table *table, const struct dhcp_lan *lan, uint16_t port,
	const uint8_t mac[DHCP_MAC_LENGTH], uint32_t wanted_be, uint32_t now_s,
	struct dhcp_lease **ret_lease)
{
	const struct search search = {
		.table = table, .lan = lan, .port = port, .mac = mac, .now_s = now_s};
	struct dhcp_lease fresh = {.port = port};
	struct dhcp_lease *lease = dhcp_lease_find(table, mac);

	if (lease && is_kept(&search, lease)) {
		move(lease, port);
		*ret_lease = lease;
		return 0;
	}
	if (lease)
		clear(lease);
	/* What is bound to the port belongs to whatever MAC asks there. */
	lease = find_ip(table, bound_be(lan, port));
	if (lease)
		clear(lease);
	int error = find_room(&search, &lease);
	if (error)
		return error;
	fresh.ip_be = choose_be(&search, wanted_be);
	if (!fresh.ip_be)
		return -ENOSPC;
	memcpy(fresh.mac, mac, DHCP_MAC_LENGTH);
	store(lease, &fresh);
	*ret_lease = lease;
	return 0;
}
