/* SPDX-License-Identifier: BSD-3-Clause */
/* Which frames can be joined, and what a joined frame's headers say. For coalesce.c only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "backend/coalesce.h"

/* Where an IPv4 header has its two addresses, bytes. */
#define COALESCE_ADDRESSES 12

/*
 * The length of the headers of a frame that can be joined with others of its flow, in bytes, when
 * TCP or UDP may be; 0 when it cannot. Sums the payload when the frame says that its checksum is
 * complete.
 */
uint32_t coalesce_headers(const struct packet *p, bool tcp, bool udp);

/* Whether `p`, any frame, has what tells its flow: IPv4 addresses, protocol and ports. */
static inline bool coalesce_has_flow(const struct packet *p)
{
	const uint16_t wanted = PACKET_IPV4 | PACKET_L4;
	return (p->flags & (wanted | PACKET_FRAGMENT)) == wanted;
}

/* Of the flow that `p` has. */
static inline uint8_t coalesce_hash(const struct packet *p)
{
	uint64_t addresses;
	uint32_t ports;
	memcpy(&addresses, p->head + p->l3_offset + COALESCE_ADDRESSES, sizeof(addresses));
	memcpy(&ports, p->head + p->l4_offset, sizeof(ports));
	/* Odd numbers without a pattern; a product's high bits depend on all bits of its factor. */
	uint64_t sum = addresses * 0x9e3779b97f4a7c15 +
		       ((uint64_t)p->l4_protocol << 32 | ports) * 0xc2b2ae3d27d4eb4f;
	_Static_assert(COALESCE_HEADS == 1 << 8, "the hash is a byte");
	return (uint8_t)(sum >> 56);
}

/* Whether `p`, any IPv4 frame, goes between the addresses of `entry`, which has headers. */
static inline bool coalesce_same_addresses(const struct packet *entry, const struct packet *p)
{
	/* Those of `p` may lie behind a tag and options. */
	return !memcmp(entry->head + entry->l3_offset + COALESCE_ADDRESSES,
		p->head + p->l3_offset + COALESCE_ADDRESSES, 8);
}

/* Whether `p`, which has one, is of the flow of `entry`, which has headers. */
static inline bool coalesce_same_flow(const struct packet *entry, const struct packet *p)
{
	return coalesce_same_addresses(entry, p) && p->l4_protocol == entry->l4_protocol &&
	       !memcmp(entry->head + entry->l4_offset, p->head + p->l4_offset, 4);
}

/* Whether `p`, of the entry's flow and with headers, may be joined to its end. */
bool coalesce_follows(const struct coalesce_entry *entry, const struct packet *p);

/* Remembers in the entry what `p`, now its last frame, means for the next. */
void coalesce_note(struct coalesce_entry *entry, const struct packet *p);

/* Whether another frame may follow `p`, the entry's last. */
bool coalesce_may_grow(const struct coalesce_entry *entry, const struct packet *p);

/* Makes an entry of several frames a GSO frame: lengths, checksums, virtio-net header. */
void coalesce_finish(struct coalesce_entry *entry);
