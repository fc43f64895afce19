/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the NAT must know of the host's way to the world. It changes while guests talk: a laptop
 * moves to another network, a VPN comes up. The monitor follows it and leaves word for the worker,
 * which looks there at each tick and whenever it wakes: one word of shared memory, so that nothing
 * is locked and no half of a change is seen.
 *
 *   bits 0-31   the host's address, as it lies in a packet; 0: not known
 *   bits 32-47  the longest IPv4 packet on the way, bytes; 0: not known
 *   bit  48     the host leaves its block of ports to the NAT (--outside-ports)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct way_out {
	uint32_t address_be; /* the host's address there; 0: not known */
	uint16_t mtu;	     /* bytes; 0: not known */
	bool owns_ports;     /* the block of --outside-ports belongs to the NAT there */
};

static inline uint64_t way_out_pack(struct way_out way)
{
	return way.address_be | (uint64_t)way.mtu << 32 | (uint64_t)way.owns_ports << 48;
}

static inline struct way_out way_out_unpack(uint64_t word)
{
	return (struct way_out){
		.address_be = (uint32_t)word,
		.mtu = (uint16_t)(word >> 32),
		.owns_ports = word >> 48 & 1,
	};
}

/* The monitor writes, any process of its children reads. */
static inline void way_out_write(uint64_t *word, struct way_out way)
{
	__atomic_store_n(word, way_out_pack(way), __ATOMIC_RELEASE);
}

static inline uint64_t way_out_read(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
