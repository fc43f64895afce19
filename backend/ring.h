/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device's side of a split virtqueue (virtio 1.2, 2.7), read and written where it lies in guest
 * memory. No DPDK here: a ring needs a region table and two event descriptors, so that tests and
 * fuzzers drive it without a front end.
 *
 * Names are the back end's: ring_rx takes frames out of the guest's transmit queue, ring_tx puts
 * frames into its receive queue.
 *
 * Goals and limits
 *  - Every guest byte that decides something is read once, into private memory, and checked there.
 *  - A refused chain (address, length, loop, direction, nested indirect table) costs a counter. In
 *    a transmit queue the chain is completed unused and the ring goes on; in a receive queue, and
 *    for an index that cannot be (a head beyond the table, an avail.idx more than the ring's size
 *    ahead), the ring is `broken` and stands still until the driver resets it. Nothing else
 *    suffers.
 *  - A burst ends early when its chains cost too much (RING_BURST_*): turns are fair.
 *  - used.idx advances in avail order: a ring is started at used.idx, so whatever was not completed
 *    is seen again by the next data plane after a crash, and nothing else is.
 *
 * Ownership: the worker that owns the port is the only one to call anything below while the ring is
 * published; before and after, the thread that serves the front end's messages.
 *
 * States: initialised -> running -> broken (only ring_init() leaves it).
 */
#pragma once

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "backend/dirty_log.h"
#include "backend/guest_memory.h"
#include "backend/packet.h"
#include "backend/port.h"
#include "backend/stats.h"

/* virtio 1.2, 2.7: the largest split ring. */
#define RING_SIZE_MAX 32768
/* Pieces of one chain that we follow; a longer one is refused. */
#define RING_CHAIN_MAX (PACKET_SEGMENTS_MAX + 2)
/* Room for the segments of one burst. */
#define RING_SEGMENTS 1536
/*
 * A guest's share of a breath is a burst of frames; of whatever costs more than a frame it is
 * bounded by these two, so that nobody waits longer for a guest that sends the largest frames or
 * the longest chains, refused ones above all. A burst may overrun each by one chain.
 */
#define RING_BURST_STEPS RING_SEGMENTS /* descriptors followed */
#define RING_BURST_BYTES (256u << 10)  /* of all its chains */
/* The most receive buffers that one frame may take (mergeable). */
#define RING_HEADS_MAX 256

struct ring {
	/* Where the ring lies in this process; all three inside one region, checked at start. */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	const struct guest_memory *memory; /* not owned; outlives the published ring */
	uint16_t size;			   /* entries, a power of two, 1 to RING_SIZE_MAX */
	uint16_t mask;			   /* size - 1 */
	uint16_t last_avail;		   /* free-running index of the next chain to take */
	uint16_t avail_idx;		   /* what avail.idx said when last read */
	uint16_t last_used;	  /* free-running: used.idx plus what is not yet published */
	uint16_t published_used;  /* what used.idx says */
	uint16_t signalled_used;  /* last_used at the last look whether to interrupt */
	uint16_t pending_count;	  /* chains borrowed by the last ring_rx_burst */
	uint32_t steps;		  /* descriptors that ring_chain_slow() followed in this burst */
	uint8_t header_length;	  /* virtio-net header in the ring: 12, or 10 (legacy) bytes */
	bool event_idx;		  /* VIRTIO_F_EVENT_IDX was negotiated */
	bool mergeable;		  /* VIRTIO_NET_F_MRG_RXBUF was negotiated */
	bool room_armed;	  /* ring_arm_room() asked for notifications */
	bool broken;		  /* refused for good */
	int call_fd;		  /* eventfd of the guest's interrupt, or -1; not owned */
	int kick_fd;		  /* eventfd of the guest's notifications; not owned */
	struct port_stats *stats; /* counts refusals and interrupts */
	struct worker_stats *worker_stats;

	/* Migration: where every write to guest memory is marked; NULL when nobody asked. Not
	 * owned; outlives the published ring. */
	const struct dirty_log *log;
	uint64_t used_guest; /* guest physical address of the used ring, for the log */

	uint16_t pending[PORT_BURST];	      /* heads borrowed by the last ring_rx_burst */
	struct iovec segments[RING_SEGMENTS]; /* pieces of the borrowed chains */
};

/* What ring_init() needs to know. Field meanings as in struct ring. */
struct ring_config {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	const struct guest_memory *memory;
	uint32_t size;
	bool event_idx;
	bool mergeable;
	bool version_1; /* VIRTIO_F_VERSION_1 was negotiated: the header has 12 bytes */
	const struct dirty_log *log;
	int call_fd;
	int kick_fd;
	struct port_stats *stats;
	struct worker_stats *worker_stats;
};

/*
 * Checks size, alignment and the whole extent of the three parts, event words included, and starts
 * the ring at used.idx, polling (the guest is asked not to notify). Returns 0; -EINVAL when
 * the ring cannot be served (nothing was touched).
 */
int ring_init(struct ring *ring, const struct ring_config *config);

/*
 * Takes up to `max` frames (at most PORT_BURST) out of a transmit queue: fills head, vnet, length
 * and segments of packets[]. They stay borrowed until ring_rx_done(). Returns how many.
 */
uint16_t ring_rx_burst(struct ring *ring, struct packet *packets, uint16_t max);

/* Completes the chains of the last ring_rx_burst in order and interrupts the guest if it asked. */
void ring_rx_done(struct ring *ring);

/*
 * Puts frames into a receive queue, each as it is (the caller has completed checksums and segmented
 * for a driver that cannot). Returns how many were taken; the next one found too few buffers. A
 * frame that can never fit is counted (DROP_TOO_LARGE) and taken. Published by ring_tx_flush().
 */
uint16_t ring_tx_burst(struct ring *ring, struct packet *const packets[], uint16_t count);

/* How many buffers of a receive queue were not used yet. Reads avail.idx. */
uint16_t ring_tx_room(struct ring *ring);

/* Publishes used entries and interrupts the guest once, if it asked for that. */
void ring_tx_flush(struct ring *ring);

/* Is there a chain that was not taken yet? Reads avail.idx. */
bool ring_has_work(struct ring *ring);

/*
 * Asks the driver to notify. Returns false, and goes back to polling, when a chain is there already
 * (also when it came in the meantime: the one look after the fence that loses no wake-up).
 */
bool ring_arm(struct ring *ring);
/* As ring_arm(), for buffers beyond those that ring_tx_burst() has seen. */
bool ring_arm_room(struct ring *ring);
/* Does the driver want no interrupts (avail.flags)? One of its flags, which it may change. */
bool ring_is_polled(const struct ring *ring);

/* Asks the driver not to notify. */
void ring_disarm(struct ring *ring);

/* Internal: counts and marks the ring broken. */
void ring_break(struct ring *ring, enum drop reason);
/* Internal: publishes last_used, and interrupts when due. */
void ring_publish(struct ring *ring);
/* Internal: writes the used entry at last_used. */
static inline void ring_use(struct ring *ring, uint16_t head, uint32_t length)
{
	/* The compiler makes one store of both words. */
	struct vring_used_elem entry = {.id = head, .len = length};
	memcpy(&ring->used->ring[ring->last_used & ring->mask], &entry, sizeof(entry));
	ring->last_used++;
}
