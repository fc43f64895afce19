/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/outbox.h"

void outbox_put(struct outbox *box, struct packet *p)
{
	if (box->count == OUTBOX_CAPACITY)
		stats_drop(box->port->stats, DROP_PORT_FULL, 1);
	else
		box->packets[box->count++] = p;
}

/* May the box refer to one more slot? */
static bool may_hold(const struct outbox *box, const struct packet *p)
{
	return p->slot && !box->stalled && box->held + 1 < box->slots->free_count;
}

/* Gives back the slots of `count` held frames at the front. */
static void release(struct outbox *box, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++)
		slots_release(box->slots, box->packets[i]);
	box->held -= count;
}

/* Keeps what may be held of the frames behind the first `sent`, at the front of the box. */
static void keep(struct outbox *box, uint16_t sent, uint16_t was_held)
{
	uint16_t kept = 0;
	for (uint16_t i = sent; i < box->count; i++) {
		struct packet *p = box->packets[i];
		if (i >= was_held) {
			if (!may_hold(box, p)) {
				stats_drop(box->port->stats, DROP_PORT_FULL, 1);
				continue;
			}
			slots_hold(box->slots, p);
			box->held++;
		}
		box->packets[kept++] = p;
	}
	box->count = kept;
}

bool outbox_flush(struct outbox *box, uint64_t now_ns)
{
	if (!box->count)
		return true;
	uint16_t was_held = box->held;
	uint16_t sent = box->port->ops->tx_burst(box->port, box->packets, box->count);
	box->port->ops->tx_flush(box->port);

	if (sent)
		box->stalled = false;
	if (sent == box->count) {
		release(box, was_held);
		box->count = 0;
		return true;
	}
	if (sent || !was_held) {
		box->give_up_ns = now_ns + OUTBOX_HOLD_NS;
	} else if (now_ns >= box->give_up_ns) {
		box->stalled = true;
		release(box, was_held);
		stats_drop(box->port->stats, DROP_PORT_FULL, box->count);
		box->count = 0;
		return true;
	}
	release(box, sent < was_held ? sent : was_held);
	keep(box, sent, was_held);
	return !box->held;
}

void outbox_clear(struct outbox *box)
{
	if (!box->count)
		return;
	release(box, box->held);
	stats_drop(box->port->stats, DROP_PORT_DOWN, box->count);
	box->count = 0;
}
