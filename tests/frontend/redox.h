/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RedoxOS' virtio-netd, as it drives its rings (docs/guests.md), on the rings of a front end whose
 * driver (driver.h) is made but not used. Two versions:
 *
 *   redox-a  the stock driver. Looks at the newest used entry only, and never posts a buffer again.
 *   redox-b  patched: takes used entries in order, and posts each buffer again.
 *
 * What is odd is on purpose:
 *  - it acks MAC and VERSION_1, avail.flags is always 0, used.flags is not looked at;
 *  - unused entries of avail.ring are 0xffff, those of used.ring 0xffffffff;
 *  - after DRIVER_OK it posts buffers of 65,535 bytes, each shown and kicked by itself;
 *  - a transmitted frame is two descriptors, header and frame, each on a page of its own that is
 *    unmapped when the frame was used (here it is overwritten, so that who reads later reads
 *    nonsense);
 *  - one frame is in flight: kick, one look at used.ring[used.idx - 1], else sleep until an
 *    interrupt of either queue (they share a vector), without a time-out. Whatever breaks that
 *    would hang the driver; here it is an error;
 *  - a frame over 1,500 bytes, or a used length below the header's, aborts the driver: -EPROTO.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/frontend/frontend.h"

/* Its buffer for a received frame, Ethernet header included. */
#define REDOX_FRAME_MAX 1500
/* What it tells the stack above: bytes of an IP datagram. */
#define REDOX_MTU 1486
#define REDOX_RX_BUFFER 65535

struct redox {
	struct frontend *frontend; /* not owned; its rings and memory are used */
	bool recycles;		   /* redox-b */
	uint16_t size;		   /* of both queues, at least 2 */
	uint16_t recv_head;	   /* free running: used entries looked at */
	uint16_t sent;		   /* free running: frames sent, and so used.idx expected */
	uint64_t *rx_buffers;	   /* guest physical addresses, by descriptor; owned */
	uint64_t *tx_pages;	   /* likewise, of the transmit queue: a page for each */
	uint64_t interrupts[DRIVER_QUEUES]; /* taken from the call descriptors */
};

/* The options of a front end for it: queues of `size`. */
struct frontend_options redox_options(uint16_t size);

/* Takes the rings of `frontend`, made with redox_options(). 0 or -ENOMEM; redox_fini() is due. */
int redox_init(struct redox *redox, struct frontend *frontend, bool recycles);
void redox_fini(struct redox *redox);

/* Status 0: empties both rings. Before the front end activates the device. */
void redox_reset(struct redox *redox);
/* DRIVER_OK: posts every buffer. */
void redox_start(struct redox *redox);

/* The driver looks for a frame. 0, -EAGAIN, or -EPROTO (it aborts). */
int redox_poll(struct redox *redox, struct driver_frame *frame);

/*
 * Sends a frame and waits until it was used. 0, -ETIMEDOUT when it was not; -ENOMSG when it was but
 * no interrupt came; -EPROTO when used.idx is not one more than before, or the entry is another's.
 */
int redox_send(struct redox *redox, const struct driver_frame *frame, uint64_t deadline_ns);
/* The two halves: posts and kicks; waits for the frame that was posted last. */
int redox_post(struct redox *redox, const struct driver_frame *frame);
int redox_wait(struct redox *redox, uint64_t deadline_ns);

/* Waits for an interrupt of either queue. 0, or -ETIMEDOUT. */
int redox_sleep(struct redox *redox, uint64_t deadline_ns);
