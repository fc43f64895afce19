/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network device (virtio 1.2, 5.1) with one pair of rings, polled, without any offload: every
 * frame is whole, and so is every checksum. Merged receive buffers are accepted where they are
 * offered, although every frame fits into one: who accepts nothing at all is taken for RedoxOS by
 * chnet-vhost, and sent no frame of 1514 bytes (backend/withhold.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/probe/ring.h"
#include "guest/probe/virtio_pci.h"

#define VIRTIO_NET_RING_RX 0
#define VIRTIO_NET_RING_TX 1
#define VIRTIO_NET_F_MAC (1ULL << 5)
#define VIRTIO_NET_F_MRG_RXBUF (1ULL << 15)

/* An Ethernet header and 1500 bytes. */
#define VIRTIO_NET_FRAME_MAX 1514
/* The smallest Ethernet frame that is one: its header. */
#define VIRTIO_NET_FRAME_MIN 14
#define VIRTIO_NET_RX_BUFFERS 128
#define VIRTIO_NET_TX_BUFFERS 64

/* virtio 1.2, 5.1.6.1: of version 1 always twelve bytes. */
struct virtio_net_header {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t header_length;
	uint16_t gso_size;
	uint16_t checksum_start;
	uint16_t checksum_offset;
	uint16_t buffer_count;
};

struct virtio_net_buffer {
	struct virtio_net_header header;
	uint8_t frame[VIRTIO_NET_FRAME_MAX];
};

/* What the device did wrong. */
struct virtio_net_faults {
	uint32_t used;	 /* named a buffer that it did not have, or wrote more than fits */
	uint32_t length; /* a frame that is none */
	uint32_t header; /* an offload that nobody asked for, or a frame in several buffers */
};

struct virtio_net {
	struct virtio_pci pci;
	struct ring rx;
	struct ring tx;
	uint8_t mac[6];
	uint64_t offered;  /* features */
	uint64_t accepted; /* likewise */
	struct virtio_net_faults faults;
	uint32_t received;  /* frames */
	uint32_t sent;	    /* frames */
	uint32_t completed; /* of those, frames that the device has taken */
	uint32_t kicks;
	uint16_t held;	 /* number of the receive buffer that the caller looks at */
	bool interrupts; /* the receive ring has one */
	bool sent_new;	 /* transmit buffers were posted since the last kick */
	bool gave_new;	 /* receive buffers likewise */
};

/* Negotiates. 0; -ETIMEDOUT: no reset; -EOPNOTSUPP: it does not offer or want what we must have. */
int virtio_net_negotiate(struct virtio_net *net);

/* Sets the rings up, posts receive buffers, and starts. Errors of virtio_pci_add_ring(). */
int virtio_net_start(struct virtio_net *net);

/* Room for a frame of VIRTIO_NET_FRAME_MAX bytes, or NULL while the device has all of it. */
uint8_t *virtio_net_room(struct virtio_net *net);

/* Sends the frame that was written to virtio_net_room(). */
void virtio_net_send(struct virtio_net *net, size_t length);

/*
 * The next frame that came in, NULL when there is none; it is the caller's until
 * virtio_net_release(). What was wrong is counted and left out.
 */
const uint8_t *virtio_net_receive(struct virtio_net *net, size_t *ret_length);
void virtio_net_release(struct virtio_net *net);

/* Kicks for what was sent and released, if the device wants that. */
void virtio_net_flush(struct virtio_net *net);
