/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker among ports that are test doubles: what goes out of each port is recorded, what comes in
 * is put there by the test, and a port has as much room as the test says. The test is the worker,
 * or has one in a thread: then what both touch is atomic.
 *
 * The LAN is 172.16.0.0/24. Guest N (from 0) has MAC 52:54:00:00:00:1N and 172.16.0.(10 + N); the
 * gateway is 172.16.0.1, the NAT's outside address 172.16.0.254.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/port.h"
#include "backend/slots.h"
#include "backend/worker.h"

#define WORLD_GUESTS 3
#define WORLD_SENT_MAX 512
#define WORLD_WAITING_MAX 256
#define WORLD_BURST 32
#define WORLD_FRAME_MAX 2048
#define WORLD_UNLIMITED UINT16_MAX

#define WORLD_LAN 0xac100000u
#define WORLD_GATEWAY_IP 0xac100001u
#define WORLD_OUTSIDE_IP 0xac1000feu
#define WORLD_REMOTE_IP 0xc6336402u /* 198.51.100.2 */
#define WORLD_GUEST_IP(n) (0xac10000au + (n))

/* In host byte order, the first byte of the address in the highest of 48 bits. */
#define WORLD_BROADCAST UINT64_C(0xffffffffffff)
#define WORLD_GATEWAY_MAC UINT64_C(0x0263686e6501)
#define WORLD_NAT_MAC UINT64_C(0x0263686e6581)
#define WORLD_GUEST_MAC(n) (UINT64_C(0x525400000010) + (n))
#define WORLD_STRANGER_MAC UINT64_C(0x525400000099)

struct world_frame {
	struct virtio_net_hdr_v1 vnet;
	uint8_t bytes[WORLD_FRAME_MAX];
	uint32_t length;
};

struct world_port {
	struct port port; /* first */
	struct world *world;
	/* going out */
	struct world_frame sent[WORLD_SENT_MAX];
	uint16_t sent_count;
	uint16_t room; /* frames that it takes before it is full; WORLD_UNLIMITED */
	unsigned int flushes;
	unsigned int settles;	   /* calls of tx_settle() */
	unsigned int settles_all;  /* of them, for everything */
	unsigned int settle_dones; /* guest 0's rx_done() calls before the first of them */
	uint64_t settle_due_ns;	   /* what tx_settle() returns, unless it is for everything */
	/* coming in; taken away by rx_done() */
	struct world_frame waiting[WORLD_WAITING_MAX];
	uint16_t waiting_count;
	struct iovec segments[WORLD_BURST];
	struct packet *borrowed[WORLD_BURST]; /* the uplink's */
	uint16_t borrowed_count;
	unsigned int dones;
	uint64_t disarms;
	uint64_t arms;
	uint64_t room_arms;
	bool readable; /* arm() says that there is work */
};

struct world {
	struct worker *worker;
	struct stats stats;
	struct world_port guests[WORLD_GUESTS];
	struct world_port uplink;
	void *flow_memory;
	struct quiesce *quiesce;
};

enum world_kind {
	WORLD_NONE,   /* no uplink: chnet is the router */
	WORLD_KERNEL, /* an uplink, and the host's NAT */
	WORLD_NAT,    /* an uplink, and a NAT of our own */
};

/* Makes a world; time begins at one second. Fails the test instead of returning an error. */
struct world *world_new(enum world_kind kind, struct quiesce *quiesce);
void world_free(struct world *world);

/* A frame in chnet from a guest's port or PORT_UPLINK, decided and flushed at once. */
void world_in(struct world *world, uint16_t port, const struct world_frame *frame);
/* The same for a burst. */
void world_in_burst(
	struct world *world, uint16_t port, const struct world_frame *frames, uint16_t count);

/* The port of this index. */
struct world_port *world_port(struct world *world, uint16_t index);

/* Frames that went out of each port since the last call of it; the guests' and the uplink's. */
void world_expect(struct world *world, unsigned int g0, unsigned int g1, unsigned int g2,
	unsigned int uplink);
/* The first frame that port `index` was sent since the last world_expect(). */
const struct world_frame *world_sent(struct world *world, uint16_t index);

/* Drops counted for a port. */
uint64_t world_drops(const struct world *world, uint16_t port, unsigned int reason);

/* Gives every guest's MAC and IP to the tables, by an announcement of each. */
void world_introduce(struct world *world);

/* Frames. Addresses in host byte order. */
struct world_frame world_udp(uint64_t to, uint64_t from, uint32_t source, uint32_t destination,
	uint16_t source_port, uint16_t destination_port);
struct world_frame world_arp(
	uint64_t to, uint64_t from, uint16_t operation, uint32_t sender, uint32_t target);
struct world_frame world_echo(uint64_t to, uint64_t from, uint32_t source, uint32_t destination);
struct world_frame world_other(uint64_t to, uint64_t from, uint16_t ethertype);
/* Puts a tag between addresses and type. */
struct world_frame world_tagged(const struct world_frame *frame, uint16_t type, uint16_t tag);

/* Fields of a frame, in host byte order. */
uint64_t world_destination_mac(const struct world_frame *frame);
uint64_t world_source_mac(const struct world_frame *frame);
uint32_t world_source_ip(const struct world_frame *frame);
uint32_t world_destination_ip(const struct world_frame *frame);
uint16_t world_load16(const struct world_frame *frame, unsigned int offset);
