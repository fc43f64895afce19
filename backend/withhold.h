/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is kept from a guest that has no use for it: RedoxOS (docs/guests.md).
 *
 * Its driver copies each frame into 1,500 bytes and aborts when one is longer. The stock driver has
 * each receive buffer once in its life, and the stack above it speaks IPv4 without fragments to one
 * address. So such a guest is sent
 *
 *   ARP    requests for its own address, replies to its own MAC
 *   IPv4   to its own MAC and address, whole datagrams; DHCP's answers to it
 *
 * of at most WITHHOLD_FRAME_MAX bytes, and nothing else: each frame withheld is counted under one
 * of the reasons withheld_* (drop.h). What is its own is what it speaks with (or was bound to). As
 * long as one of the two is not known, it is not asked for: a guest with a fixed address may say
 * nothing before it is spoken to.
 *
 * Such a driver is known by what it acked, VERSION_1 and MAC alone, and by that it waits for
 * interrupts: never says VRING_AVAIL_F_NO_INTERRUPT. Firmware and boot loaders (EDK2, iPXE, U-Boot)
 * ack no more, and take frames of 1,514 bytes, but poll. That is seen when the rings start under
 * Cloud Hypervisor, which gives queues without a vector no call descriptors. QEMU always gives
 * them, so there it is seen from the first frame on (vhost_io.c): EDK2 sets the flag after
 * DRIVER_OK.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/packet.h"

/* The longest frame, bytes, Ethernet header included. */
#define WITHHOLD_FRAME_MAX 1500
/* The longest IP datagram in it. */
#define WITHHOLD_MTU (WITHHOLD_FRAME_MAX - ETHERNET_HEADER_LENGTH)

enum withhold_when {
	WITHHOLD_AUTO, /* from a driver that looks like RedoxOS' */
	WITHHOLD_ALWAYS,
	WITHHOLD_NEVER,
};

/* Who the guest is. Plain data of one owner. */
struct withhold_guest {
	uint64_t mac;	/* ethernet.h; 0: not known */
	uint32_t ip_be; /* IPv4 address; 0: not known */
};

/* Is anything withheld from a driver that acked `features` and `polls`, that is, has no interrupt?
 */
bool withhold_applies(enum withhold_when when, uint64_t features, bool polls);

/* Takes the guest at its word: `p` is a frame of its own, not parsed. */
void withhold_learn(struct withhold_guest *guest, const struct packet *p);

/* May the guest have the parsed frame `p`? DROP_COUNT when it may, else the reason (enum drop). TCP
 * that is to be segmented (vnet.gso_type) has no length yet. */
unsigned int withhold_judge(const struct withhold_guest *guest, const struct packet *p);
