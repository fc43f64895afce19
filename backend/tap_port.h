/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The uplink to the host's kernel: one queue of a TAP with virtio-net headers (12 bytes,
 * IFF_VNET_HDR and TUNSETVNETHDRSZ). A frame is one system call, of up to 64 KiB.
 *
 * Reading: a frame is scattered by readv() into a slot's packet (header and head) and the rest into
 * its buffer. The slot is free again after rx_done(), unless an outbox holds it.
 * Writing: one writev() of the header, the head and the segments, wherever they lie. Large frames
 * go at once, out of their sender's memory. Small ones are copied (coalesce.h) and written by
 * tx_settle(), after their sender has its buffers back, several in one where they follow each
 * other.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/coalesce.h"
#include "backend/port.h"
#include "backend/slots.h"

/* Frames read at a time. */
#define TAP_BURST 32

struct tap_port {
	struct port port;	/* first: the worker's view */
	int fd;			/* not owned, non-blocking */
	bool tso;		/* the kernel takes TSO frames; else they are segmented here */
	bool uso;		/* likewise USO frames */
	const uint64_t *now_ns; /* not owned: the worker's time, CLOCK_MONOTONIC */
	struct slots *slots;	/* not owned: the worker's */
	struct coalesce *queue; /* small frames that wait for tx_settle(); owned */
	struct packet *borrowed[TAP_BURST]; /* the last burst */
	uint16_t borrowed_count;
};

struct tap_port_config {
	int fd;
	bool tso;
	bool uso;
	const uint64_t *now_ns;
	struct slots *slots;
	struct port_stats *stats;
};

/* 0 or -ENOMEM. */
int tap_port_init(struct tap_port *port, const struct tap_port_config *config);
/* Frees what the port owns; frames that still wait are lost. */
void tap_port_fini(struct tap_port *port);
