/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/coalesce.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "backend/coalesce_match.h"

int coalesce_new(bool tcp, bool udp, struct coalesce **ret_coalesce)
{
	struct coalesce *coalesce = aligned_alloc(64, (sizeof(*coalesce) + 63) & ~(size_t)63);
	if (!coalesce)
		return -ENOMEM;
	memset(coalesce, 0, sizeof(*coalesce));
	coalesce->latest = &coalesce->entries[0];
	TAILQ_INIT(&coalesce->ready);
	TAILQ_INIT(&coalesce->by_first);
	TAILQ_INIT(&coalesce->by_last);
	coalesce->tcp = tcp;
	coalesce->udp = udp;
	coalesce->buffers = malloc((size_t)COALESCE_ENTRIES * PACKET_LENGTH_MAX);
	if (!coalesce->buffers) {
		free(coalesce);
		return -ENOMEM;
	}
	for (size_t i = 0; i < COALESCE_ENTRIES; i++) {
		coalesce->entries[i].buffer = coalesce->buffers + i * PACKET_LENGTH_MAX;
		coalesce->free[i] = &coalesce->entries[i];
	}
	coalesce->free_count = COALESCE_ENTRIES;
	*ret_coalesce = coalesce;
	return 0;
}

void coalesce_free(struct coalesce *coalesce)
{
	if (!coalesce)
		return;
	free(coalesce->buffers);
	free(coalesce);
}

static bool is_tcp(const struct coalesce_entry *entry)
{
	return entry->packet.l4_protocol == IPPROTO_TCP;
}

static void open_entry(struct coalesce *coalesce, struct coalesce_entry *entry)
{
	entry->open = true;
	entry->hash = coalesce_hash(&entry->packet);
	entry->next = coalesce->heads[entry->hash];
	coalesce->heads[entry->hash] = entry;
	coalesce->latest = entry;
	coalesce->open_count++;
	if (is_tcp(entry)) {
		TAILQ_INSERT_TAIL(&coalesce->by_first, entry, order);
		TAILQ_INSERT_TAIL(&coalesce->by_last, entry, silence);
	} else {
		TAILQ_INSERT_TAIL(&coalesce->ready, entry, order);
	}
}

static void close_entry(struct coalesce *coalesce, struct coalesce_entry *entry)
{
	struct coalesce_entry **link = &coalesce->heads[entry->hash];
	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	entry->open = false;
	coalesce->open_count--;
	if (is_tcp(entry)) {
		TAILQ_REMOVE(&coalesce->by_first, entry, order);
		TAILQ_REMOVE(&coalesce->by_last, entry, silence);
		TAILQ_INSERT_TAIL(&coalesce->ready, entry, order);
	}
}

/* The open entry of the frame's flow, or NULL. */
static struct coalesce_entry *find(const struct coalesce *coalesce, const struct packet *p)
{
	struct coalesce_entry *entry = coalesce->latest;
	if (entry->open && coalesce_same_flow(&entry->packet, p))
		return entry;
	entry = coalesce->heads[coalesce_hash(p)];
	while (entry && !coalesce_same_flow(&entry->packet, p))
		entry = entry->next;
	return entry;
}

/* A frame without ports, like a fragment, may be of any flow between its addresses. */
static void close_between_addresses(struct coalesce *coalesce, const struct packet *p)
{
	for (unsigned int i = 0; coalesce->open_count && i < COALESCE_HEADS; i++) {
		struct coalesce_entry *entry = coalesce->heads[i], *next;
		for (; entry; entry = next) {
			next = entry->next;
			if (coalesce_same_addresses(&entry->packet, p))
				close_entry(coalesce, entry);
		}
	}
}

static bool append(struct coalesce *coalesce, struct coalesce_entry *entry, const struct packet *p,
	uint64_t now_ns)
{
	uint32_t payload = p->length - entry->headers;
	if (!coalesce_follows(entry, p))
		return false;
	packet_read(p, entry->headers, entry->buffer + entry->segment.iov_len, payload);
	entry->segment.iov_len += payload;
	entry->packet.segments = &entry->segment;
	entry->packet.segment_count = 1;
	entry->packet.length += payload;
	entry->frames++;
	entry->last_ns = now_ns;
	coalesce->latest = entry;
	coalesce_note(entry, p);
	if (!coalesce_may_grow(entry, p)) {
		close_entry(coalesce, entry);
	} else if (is_tcp(entry) && TAILQ_NEXT(entry, silence)) {
		TAILQ_REMOVE(&coalesce->by_last, entry, silence);
		TAILQ_INSERT_TAIL(&coalesce->by_last, entry, silence);
	}
	return true;
}

/* Takes a copy of the frame into an entry of its own; `headers` is 0 when it stays alone. */
static void add_entry(
	struct coalesce *coalesce, const struct packet *p, uint32_t headers, uint64_t now_ns)
{
	struct coalesce_entry *entry = coalesce->free[--coalesce->free_count];
	packet_store(p, entry->buffer, PACKET_LENGTH_MAX, &entry->packet, &entry->segment);
	entry->headers = (uint16_t)headers;
	entry->share = (uint16_t)(headers ? p->length - headers : 0);
	entry->frames = 1;
	entry->first_ns = entry->last_ns = now_ns;
	entry->open = false;
	if (headers)
		coalesce_note(entry, p);
	if (headers && coalesce_may_grow(entry, p))
		open_entry(coalesce, entry);
	else
		TAILQ_INSERT_TAIL(&coalesce->ready, entry, order);
}

/* No frame overtakes one of its flow that is still open: `same`, or NULL. */
static void close_overtaken(struct coalesce *coalesce, const struct packet *p, bool has_flow,
	struct coalesce_entry *same)
{
	if (same)
		close_entry(coalesce, same);
	else if (!has_flow && p->flags & PACKET_IPV4)
		close_between_addresses(coalesce, p);
}

void coalesce_close(struct coalesce *coalesce, const struct packet *p)
{
	if (!coalesce->open_count)
		return;
	bool has_flow = coalesce_has_flow(p);
	close_overtaken(coalesce, p, has_flow, has_flow ? find(coalesce, p) : NULL);
}

bool coalesce_add(struct coalesce *coalesce, const struct packet *p, uint64_t now_ns)
{
	uint32_t headers = coalesce_headers(p, coalesce->tcp, coalesce->udp);
	bool has_flow = coalesce_has_flow(p);
	struct coalesce_entry *same = has_flow ? find(coalesce, p) : NULL;

	if (same && headers && append(coalesce, same, p, now_ns))
		return true;
	if (!coalesce->free_count)
		return false;
	close_overtaken(coalesce, p, has_flow, same);
	add_entry(coalesce, p, headers, now_ns);
	return true;
}

/* When the next of the open TCP entries is due; UINT64_MAX when there is none. */
static uint64_t waiting_due_ns(const struct coalesce *coalesce)
{
	const struct coalesce_entry *silent = TAILQ_FIRST(&coalesce->by_last);
	const struct coalesce_entry *oldest = TAILQ_FIRST(&coalesce->by_first);
	if (!silent)
		return UINT64_MAX;
	uint64_t gap = silent->last_ns + COALESCE_GAP_NS;
	uint64_t hold = oldest->first_ns + COALESCE_HOLD_NS;
	return gap < hold ? gap : hold;
}

/* What is given out next, or NULL. */
static struct coalesce_entry *next_ready(struct coalesce *coalesce, uint64_t now_ns, bool all)
{
	struct coalesce_entry *entry = TAILQ_FIRST(&coalesce->ready);
	if (entry)
		return entry;
	entry = TAILQ_FIRST(&coalesce->by_last);
	if (entry && (all || entry->last_ns + COALESCE_GAP_NS <= now_ns))
		return entry;
	entry = TAILQ_FIRST(&coalesce->by_first);
	if (entry && entry->first_ns + COALESCE_HOLD_NS <= now_ns)
		return entry;
	return NULL;
}

uint16_t coalesce_take(struct coalesce *coalesce, uint64_t now_ns, bool all,
	const struct packet *ready[], uint16_t frames[], uint16_t max)
{
	struct coalesce_entry *entry;
	uint16_t taken = 0;
	while (taken < max && (entry = next_ready(coalesce, now_ns, all))) {
		if (entry->open)
			close_entry(coalesce, entry);
		TAILQ_REMOVE(&coalesce->ready, entry, order);
		if (entry->frames > 1)
			coalesce_finish(entry);
		ready[taken] = &entry->packet;
		frames[taken++] = entry->frames;
		coalesce->free[coalesce->free_count++] = entry;
	}
	return taken;
}

uint64_t coalesce_due_ns(const struct coalesce *coalesce)
{
	return TAILQ_EMPTY(&coalesce->ready) ? waiting_due_ns(coalesce) : 0;
}
