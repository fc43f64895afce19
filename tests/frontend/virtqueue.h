/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver's side of a split virtqueue (virtio 1.2, 2.7), in the memory of a guest that is not
 * there.
 *
 * The honest calls below keep the rules of the specification and check that the device does: an id
 * in the used ring must be a head that is outstanding, and (chnet's own promise) heads come back in
 * the order in which they were made available. Hostile tests write through `desc` and `avail`
 * directly.
 *
 * Nothing that the device could write is believed: the private copy of the chains is what is freed.
 */
#pragma once

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/frontend/guest_ram.h"

/* When the driver kicks after making buffers available. */
enum virtqueue_kick {
	VIRTQUEUE_KICK_AS_ASKED, /* by avail_event (EVENT_IDX), else by used.flags */
	VIRTQUEUE_KICK_ALWAYS,	 /* RedoxOS: looks at nothing */
};

/* What the driver tells the device about interrupts. */
enum virtqueue_interrupt {
	VIRTQUEUE_INTERRUPT_WAITING, /* wanted only while it waits; arms, looks again, then sleeps
				      */
	VIRTQUEUE_INTERRUPT_ALWAYS,  /* RedoxOS: avail.flags 0, used_event never written */
	VIRTQUEUE_INTERRUPT_POLLED,  /* never: avail.flags says so, and there is no descriptor */
};

struct virtqueue_options {
	uint16_t size; /* entries: a power of two, 1 to 32768 */
	bool event_idx;
	enum virtqueue_kick kick;
	enum virtqueue_interrupt interrupt;
};

/* One stretch of a buffer: what one descriptor describes. */
struct virtqueue_piece {
	uint64_t guest;	 /* guest physical address */
	uint32_t length; /* bytes */
	bool writable;	 /* by the device */
};

struct virtqueue {
	struct virtqueue_options options;
	struct guest_ram *ram;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint64_t desc_guest; /* guest physical addresses of the same */
	uint64_t avail_guest;
	uint64_t used_guest;

	uint16_t avail_idx;  /* free running: the next entry to fill; not yet shown to the device */
	uint16_t kicked_idx; /* avail_idx when the device was last told, or told not to be told */
	uint16_t used_idx;   /* free running: the next used entry to look at */
	uint16_t free_head;  /* first free descriptor, linked through `chain` */
	uint16_t free_count;
	uint16_t *chain;  /* private: the descriptor that follows, of free ones and of chains */
	uint16_t *length; /* private: how many descriptors the chain at this head has */
	uint16_t *order;  /* private: the head made available at avail_idx % size */
	uint32_t *cookie; /* private: the caller's number for the chain at this head */

	int kick_fd; /* eventfd; -1 for none */
	int call_fd; /* eventfd; -1 when polled */
	uint64_t kicks;
	uint64_t interrupts; /* taken from call_fd */
};

/* 0 or negative errno; virtqueue_fini() is due either way. */
int virtqueue_init(
	struct virtqueue *queue, struct guest_ram *ram, const struct virtqueue_options *options);
void virtqueue_fini(struct virtqueue *queue);

/* Empties the ring, as a driver does when it starts: all zero, indices 0, all descriptors free. */
void virtqueue_clear(struct virtqueue *queue);

/* The driver's own state becomes that of a driver of the same options whose memory was copied. */
void virtqueue_adopt(struct virtqueue *queue, const struct virtqueue *from);

/*
 * Puts a chain of `count` pieces into the ring; virtqueue_publish() shows it to the device. With
 * `table` not 0, that is the guest physical address of room for `count` descriptors, and the chain
 * is an indirect one. 0 or -ENOSPC.
 */
int virtqueue_add(struct virtqueue *queue, const struct virtqueue_piece *pieces, uint16_t count,
	uint64_t table, uint32_t cookie);

/* Shows what was added to the device, and kicks it by the policy. */
void virtqueue_publish(struct virtqueue *queue);
/* Kicks whatever the policy says. */
void virtqueue_kick(struct virtqueue *queue);

/* Is there a used entry that was not taken yet? */
bool virtqueue_has_used(const struct virtqueue *queue);

/*
 * Takes the next used entry and frees its chain. 0, -EAGAIN when there is none, -EPROTO when the
 * device broke a rule.
 */
int virtqueue_take(struct virtqueue *queue, uint32_t *ret_cookie, uint32_t *ret_length);

/*
 * Waits for a used entry as the interrupt policy says. 0, -ETIMEDOUT when none came up to the
 * deadline, -ENOMSG when one came but the interrupt that was due did not: a lost wake-up.
 */
int virtqueue_wait(struct virtqueue *queue, uint64_t deadline_ns);

/* Asks for an interrupt with the next used entry, and stops asking: virtqueue_wait() for those that
 * wait for other things too. One more look at the ring is due after the first. */
void virtqueue_arm(struct virtqueue *queue);
void virtqueue_disarm(struct virtqueue *queue);

/* Takes what call_fd holds; returns how many interrupts that were. */
uint64_t virtqueue_drain(struct virtqueue *queue);

/* Where the device reads up to which entry the driver has seen (EVENT_IDX, virtio 1.2, 2.7.7). */
static inline uint16_t *virtqueue_used_event(const struct virtqueue *queue)
{
	return &queue->avail->ring[queue->options.size];
}

/* Where the driver reads up to which entry it need not kick (EVENT_IDX, virtio 1.2, 2.7.10). */
static inline const uint16_t *virtqueue_avail_event(const struct virtqueue *queue)
{
	return (const uint16_t *)(const void *)&queue->used->ring[queue->options.size];
}
