/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/outbox.h"

#include <string.h>

void outbox_put(struct outbox *box, struct packet *p)
{
	if (box->count == OUTBOX_CAPACITY)
		stats_drop(box->port->stats, DROP_PORT_FULL, 1);
	else
		box->packets[box->count++] = p;
}

bool outbox_flush(struct outbox *box, bool from_uplink, uint64_t now_ns)
{
	if (!box->count)
		return true;
	uint16_t sent = box->port->ops->tx_burst(box->port, box->packets, box->count);
	box->port->ops->tx_flush(box->port);

	uint16_t left = box->count - sent;
	uint16_t keep = box->held > sent ? box->held - sent : 0;
	if (sent)
		box->stalled = false;
	if (from_uplink && !box->stalled)
		keep = left;
	if (keep && (sent || !box->held))
		box->give_up_ns = now_ns + OUTBOX_HOLD_NS;
	else if (keep && now_ns >= box->give_up_ns) {
		box->stalled = true;
		keep = 0;
	}
	if (left > keep)
		stats_drop(box->port->stats, DROP_PORT_FULL, (uint64_t)(left - keep));
	if (sent && keep)
		memmove(box->packets, box->packets + sent, keep * sizeof(box->packets[0]));
	box->count = keep;
	box->held = keep;
	return !keep;
}
