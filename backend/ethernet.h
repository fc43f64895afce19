/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ethernet addresses as numbers, so that tables compare them at once: the 6 bytes as they lie in
 * the frame, in the low 48 bits of a little-endian word. Zero is no station's address.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "backend/packet.h"

#define ETHERNET_SOURCE_OFFSET 6

static inline uint64_t ethernet_load(const uint8_t address[ETHERNET_ADDRESS_LENGTH])
{
	uint32_t low;
	uint16_t high;

	memcpy(&low, address, sizeof(low));
	memcpy(&high, address + sizeof(low), sizeof(high));
	return low | (uint64_t)high << 32;
}

static inline void ethernet_store(uint8_t address[ETHERNET_ADDRESS_LENGTH], uint64_t number)
{
	memcpy(address, &number, ETHERNET_ADDRESS_LENGTH);
}

static inline uint64_t ethernet_destination(const struct packet *p)
{
	return ethernet_load(p->head);
}

static inline uint64_t ethernet_source(const struct packet *p)
{
	return ethernet_load(p->head + ETHERNET_SOURCE_OFFSET);
}

/* Whether one station can have the address: no group address (IEEE 802), and not zero. */
static inline bool ethernet_is_station(uint64_t number)
{
	return number != 0 && (number & 1) == 0;
}
