/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/outbox.h"

#include <errno.h>

#include "nat/table_memory.h"

int outbox_init(struct outbox *outbox)
{
	*outbox = (struct outbox){
		.frames = table_memory_new(OUTBOX_FRAMES * sizeof(*outbox->frames)),
		.free_head = OUTBOX_NONE,
		.ready_head = OUTBOX_NONE,
		.ready_tail = OUTBOX_NONE,
		.lent_head = OUTBOX_NONE,
	};
	return outbox->frames == NULL ? -ENOMEM : 0;
}

void outbox_fini(struct outbox *outbox)
{
	table_memory_free(outbox->frames, OUTBOX_FRAMES * sizeof(*outbox->frames));
	outbox->frames = NULL;
}

uint16_t outbox_new(struct outbox *outbox)
{
	uint16_t frame = outbox->free_head;

	if (frame != OUTBOX_NONE)
		outbox->free_head = outbox->frames[frame].next;
	else if (outbox->high < OUTBOX_FRAMES)
		frame = outbox->high++;
	return frame;
}

uint16_t outbox_copy(struct outbox *outbox, const struct packet *p)
{
	uint16_t frame = outbox_new(outbox);
	struct outbox_frame *f;

	if (frame == OUTBOX_NONE)
		return OUTBOX_NONE;
	f = &outbox->frames[frame];
	if (packet_store(p, f->data, OUTBOX_DATA, &f->packet, &f->segment) < 0) {
		outbox_free(outbox, frame);
		return OUTBOX_NONE;
	}
	return frame;
}

void outbox_free(struct outbox *outbox, uint16_t frame)
{
	outbox->frames[frame].next = outbox->free_head;
	outbox->free_head = frame;
}

void outbox_send(struct outbox *outbox, uint16_t frame, enum nat_verdict verdict)
{
	outbox->frames[frame].verdict = verdict;
	outbox->frames[frame].next = OUTBOX_NONE;
	if (outbox->ready_head == OUTBOX_NONE)
		outbox->ready_head = frame;
	else
		outbox->frames[outbox->ready_tail].next = frame;
	outbox->ready_tail = frame;
}

uint16_t outbox_take(
	struct outbox *outbox, struct packet *packets[], enum nat_verdict verdicts[], uint16_t max)
{
	uint16_t n;

	for (n = 0; n < max && outbox->ready_head != OUTBOX_NONE; n++) {
		uint16_t frame = outbox->ready_head;
		struct outbox_frame *f = &outbox->frames[frame];

		packets[n] = &f->packet;
		verdicts[n] = f->verdict;
		outbox->ready_head = f->next;
		f->next = outbox->lent_head;
		outbox->lent_head = frame;
	}
	return n;
}

void outbox_reclaim(struct outbox *outbox)
{
	while (outbox->lent_head != OUTBOX_NONE) {
		uint16_t frame = outbox->lent_head;

		outbox->lent_head = outbox->frames[frame].next;
		outbox_free(outbox, frame);
	}
}
