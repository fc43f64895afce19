/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The key that a packet is looked up by, packed into two words so that building, hashing and
 * comparing it costs a few instructions.
 *
 * "Local" is the guest's side as the packet shows it: inside address and port for packets from the
 * guest (FLOW_OUT), outside address and port for packets from the world (FLOW_IN). Since an outside
 * address is never a guest's, keys of the two directions cannot be equal. ICMP queries have their
 * identifier as local port and remote port 0; protocols without ports have 0 for both.
 */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

enum flow_direction {
	FLOW_OUT, /* guest to world */
	FLOW_IN,  /* world to guest */
};
#define FLOW_DIRECTION_COUNT 2

struct flow_key {
	uint64_t addresses; /* local address in the low half, remote address in the high half,
			     * each as it lies in the packet (network byte order) */
	uint64_t ports;	    /* bits 0-15 local port, 16-31 remote port, each as it lies in the
			     * packet; bits 32-39 the IPv4 protocol number */
};

static inline struct flow_key flow_key(uint32_t local_be, uint16_t local_port_be,
	uint32_t remote_be, uint16_t remote_port_be, uint8_t protocol)
{
	return (struct flow_key){
		.addresses = local_be | (uint64_t)remote_be << 32,
		.ports = local_port_be | (uint32_t)remote_port_be << 16 | (uint64_t)protocol << 32,
	};
}

static inline uint32_t flow_local(const struct flow_key *key)
{
	return (uint32_t)key->addresses;
}

static inline uint32_t flow_remote(const struct flow_key *key)
{
	return (uint32_t)(key->addresses >> 32);
}

static inline uint16_t flow_local_port(const struct flow_key *key)
{
	return (uint16_t)key->ports;
}

static inline uint16_t flow_remote_port(const struct flow_key *key)
{
	return (uint16_t)(key->ports >> 16);
}

static inline uint8_t flow_protocol(const struct flow_key *key)
{
	return (uint8_t)(key->ports >> 32);
}

/* The whole 128-bit product of two words, folded. */
static inline uint64_t flow_fold(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*
 * Mixes every bit of two words into every bit of the result. One round is not enough: flows that
 * differ in their ports alone are multiples of one word then, and with one seed in fifty that word
 * sends most of them to a few values.
 */
static inline uint64_t flow_mix(uint64_t a, uint64_t b)
{
	return flow_fold(flow_fold(a, b) ^ a, UINT64_C(0x9e3779b97f4a7c15));
}

/* `seed` is secret, so that nobody outside can aim keys at one bucket. */
static inline uint64_t flow_hash(const struct flow_key *key, const uint64_t seed[2])
{
	return flow_mix(key->addresses ^ seed[0], key->ports ^ seed[1]);
}
