/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/neighbour.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "backend/ethernet.h"

#define NS_PER_S UINT64_C(1000000000)
#define ASK_INTERVAL_NS NS_PER_S
#define PORT_SHIFT 48
#define MAC_MASK ((UINT64_C(1) << PORT_SHIFT) - 1)
#define SLOT_NONE UINT8_MAX

_Static_assert(NEIGHBOUR_WAITING_MAX < SLOT_NONE, "slot numbers fit into a byte");
_Static_assert(NEIGHBOUR_QUESTIONS_MAX < UINT8_MAX, "question numbers + 1 fit into a byte");

/* See neighbour.h for what each state allows. */
enum entry_state {
	ENTRY_UNKNOWN,
	ENTRY_KNOWN,
	ENTRY_STATIC,
	ENTRY_RESERVED,
};

struct entry {
	uint64_t key;	  /* MAC (ethernet.h) in the low 48 bits, port above; with KNOWN, STATIC */
	uint32_t seen_s;  /* last frame from it, CLOCK_MONOTONIC seconds; with KNOWN */
	uint8_t state;	  /* enum entry_state */
	uint8_t question; /* index + 1 of the question about it, 0: none */
};

_Static_assert(sizeof(struct entry) == 16, "an entry lies in one cache line");

/* A queue of slots, linked by slot.next. */
struct slot_queue {
	uint8_t first; /* SLOT_NONE: empty */
	uint8_t last;
};

/* A packet that waits, is ready, was taken, or nothing: each slot is in one queue. */
struct slot {
	struct packet packet;
	struct iovec segment; /* of packet: describes bytes */
	uint16_t port;	      /* where it goes, once it is ready */
	uint8_t next;	      /* in the queue, or SLOT_NONE */
	uint8_t bytes[NEIGHBOUR_WAITING_BYTES];
};

struct question {
	struct slot_queue waiting; /* packets for the address */
	uint64_t next_ns;	   /* when to ask next, or to give up */
	uint32_t host;		   /* index of the address in entries */
	uint8_t asked;		   /* how often neighbour_ask() has named it */
	uint8_t packets;	   /* in waiting */
	bool live;
};

struct neighbour_table {
	uint32_t network;   /* first address of the LAN, host byte order */
	uint32_t hosts;	    /* number of entries: addresses of the LAN */
	uint32_t questions; /* live ones */
	struct slot_queue free;
	struct slot_queue ready; /* address learnt, not taken yet */
	struct slot_queue taken; /* the caller's until the next neighbour_take() */
	struct neighbour_counters counters;
	struct question question[NEIGHBOUR_QUESTIONS_MAX];
	struct slot slots[NEIGHBOUR_WAITING_MAX];
	struct entry entries[];
};

static void queue_init(struct slot_queue *queue)
{
	queue->first = SLOT_NONE;
	queue->last = SLOT_NONE;
}

static void queue_put(struct neighbour_table *table, struct slot_queue *queue, uint8_t slot)
{
	table->slots[slot].next = SLOT_NONE;
	if (queue->first == SLOT_NONE)
		queue->first = slot;
	else
		table->slots[queue->last].next = slot;
	queue->last = slot;
}

static uint8_t queue_get(struct neighbour_table *table, struct slot_queue *queue)
{
	uint8_t slot = queue->first;

	if (slot != SLOT_NONE)
		queue->first = table->slots[slot].next;
	return slot;
}

/* The entry of an address, or NULL outside of the LAN. */
static struct entry *entry_of(struct neighbour_table *table, uint32_t ip_be)
{
	uint32_t host = ntohl(ip_be) - table->network;

	return host < table->hosts ? &table->entries[host] : NULL;
}

int neighbour_new(const struct neighbour_config *config, struct neighbour_table **ret_table)
{
	struct neighbour_table *table;
	uint32_t hosts;
	size_t size;

	if (config->prefix < 16 || config->prefix > 30)
		return -EINVAL;
	hosts = UINT32_C(1) << (32 - config->prefix);
	size = sizeof(*table) + hosts * sizeof(table->entries[0]);
	size = (size + _Alignof(struct neighbour_table) - 1) &
	       ~(_Alignof(struct neighbour_table) - 1);
	table = aligned_alloc(_Alignof(struct neighbour_table), size);
	if (table == NULL)
		return -ENOMEM;

	memset(table, 0, size);
	table->network = ntohl(config->lan_be) & ~(hosts - 1);
	table->hosts = hosts;
	table->entries[0].state = ENTRY_RESERVED;
	table->entries[hosts - 1].state = ENTRY_RESERVED;
	for (uint16_t i = 0; i < config->reserved_count; i++) {
		struct entry *entry = entry_of(table, config->reserved_be[i]);

		if (entry != NULL)
			entry->state = ENTRY_RESERVED;
	}
	queue_init(&table->free);
	queue_init(&table->ready);
	queue_init(&table->taken);
	for (uint8_t i = 0; i < NEIGHBOUR_WAITING_MAX; i++)
		queue_put(table, &table->free, i);
	*ret_table = table;
	return 0;
}

void neighbour_free(struct neighbour_table *table)
{
	free(table);
}

/* Returns the question about `entry`, a new one if need be; NULL when there are too many. */
static struct question *question_raise(
	struct neighbour_table *table, struct entry *entry, uint64_t now_ns)
{
	if (entry->question != 0)
		return &table->question[entry->question - 1];
	if (table->questions == NEIGHBOUR_QUESTIONS_MAX)
		return NULL;
	for (uint8_t i = 0; i < NEIGHBOUR_QUESTIONS_MAX; i++) {
		struct question *question = &table->question[i];

		if (question->live)
			continue;
		*question = (struct question){
			.next_ns = now_ns,
			.host = (uint32_t)(entry - table->entries),
			.live = true,
		};
		queue_init(&question->waiting);
		entry->question = (uint8_t)(i + 1);
		table->questions++;
		return question;
	}
	return NULL;
}

/* Ends the question about `entry`, if any. Its packets go on to where `entry` says now, or are
 * dropped when it does not say. */
static void question_end(struct neighbour_table *table, struct entry *entry)
{
	bool known = entry->state == ENTRY_KNOWN || entry->state == ENTRY_STATIC;
	struct question *question;
	uint8_t i;

	if (entry->question == 0)
		return;
	question = &table->question[entry->question - 1];
	while ((i = queue_get(table, &question->waiting)) != SLOT_NONE) {
		struct slot *slot = &table->slots[i];

		if (known) {
			ethernet_store(slot->packet.head, entry->key & MAC_MASK);
			slot->port = (uint16_t)(entry->key >> PORT_SHIFT);
			queue_put(table, &table->ready, i);
		} else {
			queue_put(table, &table->free, i);
			table->counters.wait_expired++;
		}
	}
	question->live = false;
	entry->question = 0;
	table->questions--;
}

int neighbour_lookup(struct neighbour_table *table, uint32_t ip_be, uint64_t now_ns,
	uint64_t *ret_mac, uint16_t *ret_port)
{
	struct entry *entry = entry_of(table, ip_be);

	if (entry == NULL || entry->state == ENTRY_RESERVED)
		return -EHOSTUNREACH;
	if (entry->state == ENTRY_UNKNOWN)
		return -ENOENT;
	if (entry->state == ENTRY_KNOWN && entry->question == 0 &&
		(uint32_t)(now_ns / NS_PER_S) - entry->seen_s >= NEIGHBOUR_STALE_S)
		question_raise(table, entry, now_ns);
	*ret_mac = entry->key & MAC_MASK;
	*ret_port = (uint16_t)(entry->key >> PORT_SHIFT);
	return 0;
}

/* Whether a frame may set the entry to `key` at all; counts what it changes. */
static bool may_learn(
	struct neighbour_table *table, const struct entry *entry, uint64_t key, bool may_move)
{
	if (entry->state == ENTRY_UNKNOWN) {
		table->counters.learnt++;
		return true;
	}
	if (entry->state != ENTRY_KNOWN)
		return false;
	if (entry->key == key)
		return true;
	table->counters.moved += may_move;
	return may_move;
}

static void learn(struct neighbour_table *table, uint32_t ip_be, uint64_t mac, uint16_t port,
	uint64_t now_ns, bool may_move)
{
	uint32_t now_s = (uint32_t)(now_ns / NS_PER_S);
	uint64_t key = mac | (uint64_t)port << PORT_SHIFT;
	struct entry *entry = entry_of(table, ip_be);

	if (entry == NULL)
		return;
	/* By far the most frequent: nothing new. */
	if (entry->key == key && entry->seen_s == now_s && entry->question == 0)
		return;
	if (!ethernet_is_station(mac) || !may_learn(table, entry, key, may_move))
		return;
	entry->key = key;
	entry->seen_s = now_s;
	entry->state = ENTRY_KNOWN;
	question_end(table, entry);
}

void neighbour_learn_arp(
	struct neighbour_table *table, uint32_t ip_be, uint64_t mac, uint16_t port, uint64_t now_ns)
{
	learn(table, ip_be, mac, port, now_ns, true);
}

void neighbour_learn_ipv4(
	struct neighbour_table *table, uint32_t ip_be, uint64_t mac, uint16_t port, uint64_t now_ns)
{
	learn(table, ip_be, mac, port, now_ns, false);
}

int neighbour_set_static(struct neighbour_table *table, uint32_t ip_be, uint64_t mac, uint16_t port)
{
	struct entry *entry = entry_of(table, ip_be);

	if (entry == NULL || entry->state == ENTRY_RESERVED || !ethernet_is_station(mac))
		return -EINVAL;
	entry->key = mac | (uint64_t)port << PORT_SHIFT;
	entry->state = ENTRY_STATIC;
	question_end(table, entry);
	return 0;
}

void neighbour_unset(struct neighbour_table *table, uint32_t ip_be)
{
	struct entry *entry = entry_of(table, ip_be);

	if (entry == NULL || entry->state == ENTRY_RESERVED)
		return;
	entry->key = 0;
	entry->state = ENTRY_UNKNOWN;
}

void neighbour_forget_port(struct neighbour_table *table, uint16_t port)
{
	for (uint32_t i = 0; i < table->hosts; i++) {
		struct entry *entry = &table->entries[i];

		if (entry->state != ENTRY_KNOWN || entry->key >> PORT_SHIFT != port)
			continue;
		entry->key = 0;
		entry->state = ENTRY_UNKNOWN;
	}
}

int neighbour_wait(
	struct neighbour_table *table, uint32_t ip_be, const struct packet *p, uint64_t now_ns)
{
	struct entry *entry = entry_of(table, ip_be);
	struct question *question;
	struct slot *slot;

	if (entry == NULL || entry->state != ENTRY_UNKNOWN || table->free.first == SLOT_NONE)
		goto full;
	question = question_raise(table, entry, now_ns);
	if (question == NULL || question->packets == NEIGHBOUR_WAITING_ADDRESS_MAX)
		goto full;
	slot = &table->slots[table->free.first];
	if (packet_store(p, slot->bytes, sizeof(slot->bytes), &slot->packet, &slot->segment) < 0)
		goto full;
	queue_put(table, &question->waiting, queue_get(table, &table->free));
	question->packets++;
	table->counters.waited++;
	return 0;

full:
	table->counters.wait_full++;
	return -ENOBUFS;
}

/* Nobody answered: what was known is so no more, and packets that wait are dropped. */
static void give_up(struct neighbour_table *table, struct entry *entry)
{
	if (entry->state == ENTRY_KNOWN) {
		entry->key = 0;
		entry->state = ENTRY_UNKNOWN;
	}
	question_end(table, entry);
}

uint16_t neighbour_ask(
	struct neighbour_table *table, uint64_t now_ns, uint32_t addresses_be[], uint16_t max)
{
	uint16_t n = 0;

	if (table->questions == 0)
		return 0;
	for (int i = 0; i < NEIGHBOUR_QUESTIONS_MAX && n < max; i++) {
		struct question *question = &table->question[i];

		if (!question->live || question->next_ns > now_ns)
			continue;
		if (question->asked == NEIGHBOUR_ASKS_MAX) {
			give_up(table, &table->entries[question->host]);
			continue;
		}
		question->asked++;
		question->next_ns = now_ns + ASK_INTERVAL_NS;
		addresses_be[n++] = htonl(table->network + question->host);
	}
	table->counters.asked += n;
	return n;
}

uint64_t neighbour_next_ns(const struct neighbour_table *table)
{
	uint64_t next_ns = UINT64_MAX;

	for (int i = 0; table->questions > 0 && i < NEIGHBOUR_QUESTIONS_MAX; i++) {
		const struct question *question = &table->question[i];

		if (question->live && question->next_ns < next_ns)
			next_ns = question->next_ns;
	}
	return next_ns;
}

uint16_t neighbour_take(
	struct neighbour_table *table, struct packet *packets[], uint16_t ports[], uint16_t max)
{
	uint16_t n = 0;
	uint8_t i;

	while ((i = queue_get(table, &table->taken)) != SLOT_NONE)
		queue_put(table, &table->free, i);
	for (; n < max && (i = queue_get(table, &table->ready)) != SLOT_NONE; n++) {
		queue_put(table, &table->taken, i);
		packets[n] = &table->slots[i].packet;
		ports[n] = table->slots[i].port;
	}
	return n;
}

const struct neighbour_counters *neighbour_counters(const struct neighbour_table *table)
{
	return &table->counters;
}
