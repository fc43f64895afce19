/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The uplink to the host's kernel: one queue of a TAP with virtio-net headers (12 bytes,
 * IFF_VNET_HDR and TUNSETVNETHDRSZ). A frame is one system call, of up to 64 KiB.
 *
 * Reading: each slot's frame is scattered by readv() into the packet's own header and head, and the
 * rest into the slot's buffer. The slots belong to the port and are free again after rx_done().
 * Writing: one writev() of the header, the head and the segments, wherever they lie.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/port.h"

/* Frames read at a time. */
#define TAP_SLOTS 32

struct tap_port {
	struct port port; /* first: the worker's view */
	int fd;		  /* not owned, non-blocking */
	bool gso;	  /* the kernel takes GSO frames; else they are segmented here */
	uint8_t *buffers; /* TAP_SLOTS buffers of PACKET_LENGTH_MAX bytes; owned */
	struct iovec segments[TAP_SLOTS]; /* what of each slot's buffer is in use */
};

struct tap_port_config {
	int fd;
	bool gso;
	struct port_stats *stats;
};

/* 0 or -ENOMEM. */
int tap_port_init(struct tap_port *port, const struct tap_port_config *config);
void tap_port_fini(struct tap_port *port);
