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

static void close_entry(struct coalesce *coalesce, struct coalesce_entry *entry)
{
	entry->open = false;
	for (uint16_t i = 0; i < coalesce->open_count; i++)
		if (coalesce->open[i] == entry)
			coalesce->open[i--] = coalesce->open[--coalesce->open_count];
}

/* No frame overtakes one of its flow that is still open. */
static void close_overtaken(struct coalesce *coalesce, const struct packet *p)
{
	if (!(p->flags & PACKET_IPV4))
		return;
	for (uint16_t i = coalesce->open_count; i-- > 0;)
		if (coalesce_same_flow(&coalesce->open[i]->packet, p))
			close_entry(coalesce, coalesce->open[i]);
}

/* The open entry of this flow, or NULL. */
static struct coalesce_entry *find(const struct coalesce *coalesce, const struct packet *p)
{
	for (uint16_t i = 0; i < coalesce->open_count; i++)
		if (coalesce_same_flow(&coalesce->open[i]->packet, p))
			return coalesce->open[i];
	return NULL;
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
	coalesce_note(entry, p);
	if (!coalesce_may_grow(entry, p))
		close_entry(coalesce, entry);
	return true;
}

bool coalesce_add(struct coalesce *coalesce, const struct packet *p, uint64_t now_ns)
{
	uint32_t headers = coalesce_headers(p, coalesce->tcp, coalesce->udp);
	if (headers) {
		struct coalesce_entry *entry = find(coalesce, p);
		if (entry && append(coalesce, entry, p, now_ns))
			return true;
	}
	if (!coalesce->free_count)
		return false;
	close_overtaken(coalesce, p);

	struct coalesce_entry *entry = coalesce->free[--coalesce->free_count];
	packet_store(p, entry->buffer, PACKET_LENGTH_MAX, &entry->packet, &entry->segment);
	entry->headers = (uint16_t)headers;
	entry->share = (uint16_t)(headers ? p->length - headers : 0);
	entry->frames = 1;
	entry->first_ns = entry->last_ns = now_ns;
	entry->open = false;
	if (headers) {
		coalesce_note(entry, p);
		entry->open =
			coalesce->open_count < COALESCE_OPEN_MAX && coalesce_may_grow(entry, p);
	}
	if (entry->open)
		coalesce->open[coalesce->open_count++] = entry;
	coalesce->queue[coalesce->queued++] = entry;
	return true;
}

/* When it is written at the latest; 0: now. */
static uint64_t due_ns(const struct coalesce_entry *entry)
{
	if (!entry->open || entry->packet.l4_protocol != IPPROTO_TCP)
		return 0;
	uint64_t gap = entry->last_ns + COALESCE_GAP_NS;
	uint64_t hold = entry->first_ns + COALESCE_HOLD_NS;
	return gap < hold ? gap : hold;
}

uint16_t coalesce_take(struct coalesce *coalesce, uint64_t now_ns, bool all,
	const struct packet *ready[], uint16_t frames[], uint16_t max)
{
	uint16_t taken = 0, kept = 0;
	for (uint16_t i = 0; i < coalesce->queued; i++) {
		struct coalesce_entry *entry = coalesce->queue[i];
		if (taken == max || (!all && due_ns(entry) > now_ns)) {
			coalesce->queue[kept++] = entry;
			continue;
		}
		if (entry->open)
			close_entry(coalesce, entry);
		if (entry->frames > 1)
			coalesce_finish(entry);
		ready[taken] = &entry->packet;
		frames[taken++] = entry->frames;
		coalesce->free[coalesce->free_count++] = entry;
	}
	coalesce->queued = kept;
	return taken;
}

uint64_t coalesce_due_ns(const struct coalesce *coalesce)
{
	uint64_t next = UINT64_MAX;
	for (uint16_t i = 0; i < coalesce->queued; i++) {
		uint64_t due = due_ns(coalesce->queue[i]);
		if (due < next)
			next = due;
	}
	return next;
}
