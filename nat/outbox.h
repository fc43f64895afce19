/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that the NAT itself holds: fragments that wait for their first one, and what nat_take()
 * hands out. A pool of fixed size; a frame is
 *
 *   free -> held by who allocated it -> ready (in the order of outbox_send) -> lent -> free
 *                                  `-> free
 *
 * Lent frames are the caller's to read until its next nat_* call.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "nat/nat.h"

#define OUTBOX_FRAMES 256
#define OUTBOX_DATA 2048 /* bytes of a frame behind its head */
#define OUTBOX_NONE UINT16_MAX

struct outbox_frame {
	struct packet packet;
	struct iovec segment; /* describes data */
	uint8_t data[OUTBOX_DATA];
	enum nat_verdict verdict; /* of a ready frame */
	uint16_t next;		  /* in whatever list it is; OUTBOX_NONE ends it */
};

struct outbox {
	struct outbox_frame *frames; /* OUTBOX_FRAMES */
	uint16_t high;		     /* frames from here on were never used */
	uint16_t free_head;
	uint16_t ready_head, ready_tail;
	uint16_t lent_head;
};

/* 0 or -ENOMEM. */
int outbox_init(struct outbox *outbox);
void outbox_fini(struct outbox *outbox);

/* A frame to fill in, or OUTBOX_NONE when all are in use. */
uint16_t outbox_new(struct outbox *outbox);
/* A frame with a copy of `p`, or OUTBOX_NONE, also when it is too long. */
uint16_t outbox_copy(struct outbox *outbox, const struct packet *p);
void outbox_free(struct outbox *outbox, uint16_t frame);

/* Makes a frame ready for nat_take(). */
void outbox_send(struct outbox *outbox, uint16_t frame, enum nat_verdict verdict);

/* The work of nat_take(). */
uint16_t outbox_take(
	struct outbox *outbox, struct packet *packets[], enum nat_verdict verdicts[], uint16_t max);

/* Frees what was lent. */
void outbox_reclaim(struct outbox *outbox);
