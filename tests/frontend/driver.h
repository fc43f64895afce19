/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio-net driver (virtio 1.2, 5.1) for a guest that is not there: one receive and one transmit
 * queue. How buffers are laid out in descriptors, when it kicks and how it waits are options, so
 * that it can behave as each real driver does.
 *
 * Buffers lie in slots of fixed size; the cookie of a chain is its slot's index.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/frontend/guest_ram.h"
#include "tests/frontend/virtqueue.h"

/* Every modern device has this one, mergeable or not (virtio 1.2, 5.1.6). */
#define DRIVER_HEADER_LENGTH 12
/* The longest frame: an IPv4 datagram of 65,535 bytes behind an Ethernet header. */
#define DRIVER_FRAME_MAX (65535 + 14)
/* The most descriptors that the driver puts into one chain. */
#define DRIVER_PIECES_MAX 1024

#define DRIVER_RX 0
#define DRIVER_TX 1
#define DRIVER_QUEUES 2

/* How one buffer (virtio-net header first) is cut into descriptors. */
struct driver_layout {
	bool header_apart; /* the header has a descriptor, and memory, of its own */
	uint32_t piece;	   /* no descriptor describes more bytes than this; 0: no limit */
	bool indirect;	   /* through an indirect table */
};

struct driver_options {
	struct virtqueue_options queues[DRIVER_QUEUES];
	struct driver_layout rx_layout;
	struct driver_layout tx_layout;
	uint32_t rx_buffer; /* bytes of one receive buffer, header included */
	uint16_t rx_slots;  /* receive buffers; 0: as many as the ring has room for */
	uint16_t tx_slots;  /* transmit buffers; 0: as many as the ring has room for, at most 64 */
	bool mergeable;	    /* MRG_RXBUF was acked: a frame may lie in several buffers */
	bool post_singly;   /* show and kick each receive buffer by itself, as RedoxOS does */
};

/* A frame as it was received, or as it is to be sent. */
struct driver_frame {
	struct virtio_net_hdr_v1 vnet;
	uint32_t length;  /* bytes of the frame, without the virtio-net header */
	uint16_t buffers; /* how many receive buffers it took */
	uint8_t bytes[DRIVER_FRAME_MAX];
};

struct driver {
	struct driver_options options;
	struct guest_ram *ram;
	struct virtqueue queues[DRIVER_QUEUES]; /* [DRIVER_RX] and [DRIVER_TX] */
	uint64_t
		*rx_headers; /* by slot: guest physical address of a header of its own; else NULL */
	uint64_t *rx_buffers; /* by slot: guest physical address of the buffer */
	uint64_t *rx_tables;  /* by slot: guest physical address of the indirect table, or NULL */
	uint64_t *tx_headers; /* the same for transmit slots */
	uint64_t *tx_buffers;
	uint64_t *tx_tables;
	uint16_t rx_slots;
	uint16_t tx_slots;
	uint16_t *tx_free; /* stack of free transmit slots */
	uint16_t tx_free_count;
	uint8_t *scratch; /* rx_buffer bytes: a received buffer, before it is taken apart */
};

/*
 * Makes queues and slots in `ram`; posts nothing yet. 0 or negative errno; driver_fini() is due
 * either way.
 */
int driver_init(struct driver *driver, struct guest_ram *ram, const struct driver_options *options);
void driver_fini(struct driver *driver);

/* As after a reset: both rings empty, every slot free. */
void driver_clear(struct driver *driver);

/* Goes on as the driver `from`, of the same options, whose memory was copied. */
void driver_adopt(struct driver *driver, const struct driver *from);

/* Posts every receive buffer: what a driver does at DRIVER_OK. 0 or negative errno. */
int driver_post_all(struct driver *driver);

/*
 * Takes the next frame and posts its buffers again. 0, -EAGAIN when there is none, -EPROTO when the
 * device broke a rule.
 */
int driver_poll(struct driver *driver, struct driver_frame *frame);
/* The same, waiting for one (see virtqueue_wait() for the errors). */
int driver_receive(struct driver *driver, struct driver_frame *frame, uint64_t deadline_ns);

/*
 * Sends a frame, waiting for a free slot; the device may not have read it yet. driver_queue() does
 * not show it to the device before driver_publish(), for bursts.
 */
int driver_send(struct driver *driver, const struct driver_frame *frame, uint64_t deadline_ns);
int driver_queue(struct driver *driver, const struct driver_frame *frame, uint64_t deadline_ns);
void driver_publish(struct driver *driver);

/* Waits until the device has given back every transmit buffer. 0 or an error of virtqueue_wait().
 */
int driver_drain(struct driver *driver, uint64_t deadline_ns);
