/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/ports.h"

#include <errno.h>
#include <stddef.h>

#define WELL_KNOWN_END 1024
#define ALL_PORTS UINT64_MAX
#define EVEN_PORTS UINT64_C(0x5555555555555555)

void ports_init(struct ports *ports, uint16_t low, uint16_t high)
{
	*ports = (struct ports){.low = low, .high = high};
	for (int space = 0; space < PORT_SPACE_COUNT; space++)
		ports->available[space] = (uint32_t)high - low + 1;
}

static bool is_in_range(const struct ports *ports, uint16_t port)
{
	return port >= ports->low && port <= ports->high;
}

void ports_take(struct ports *ports, enum port_space space, uint16_t port)
{
	if (is_in_range(ports, port) && !ports_is_taken(ports, space, port))
		ports->available[space]--;
	ports->taken[space][port / 64] |= UINT64_C(1) << (port % 64);
}

void ports_give(struct ports *ports, enum port_space space, uint16_t port)
{
	if (is_in_range(ports, port) && ports_is_taken(ports, space, port))
		ports->available[space]++;
	ports->taken[space][port / 64] &= ~(UINT64_C(1) << (port % 64));
}

/* The lowest free port of `parity` in first .. last, or -1. */
static int find_free(const uint64_t *taken, uint32_t first, uint32_t last, uint64_t parity)
{
	for (uint32_t word = first / 64; word <= last / 64; word++) {
		uint64_t candidates = ~taken[word] & parity;

		if (word == first / 64)
			candidates &= UINT64_MAX << (first % 64);
		if (word == last / 64)
			candidates &= UINT64_MAX >> (63 - last % 64);
		if (candidates != 0)
			return (int)(word * 64 + (uint32_t)__builtin_ctzll(candidates));
	}
	return -1;
}

/* From a random place on to the end, then from the beginning. */
static int find_from_random(
	const uint64_t *taken, uint16_t low, uint16_t high, uint64_t parity, struct random *random)
{
	uint32_t start = low + random_below(random, (uint32_t)high - low + 1);
	int port = find_free(taken, start, high, parity);

	if (port < 0 && start > low)
		port = find_free(taken, low, start - 1, parity);
	return port;
}

int ports_choose(const struct ports *ports, enum port_space space, uint16_t wanted,
	struct random *random, uint16_t *ret_port)
{
	const uint64_t *taken = ports->taken[space];
	uint16_t low = ports->low, high = ports->high;
	uint64_t parity = ALL_PORTS;
	int port;

	if (is_in_range(ports, wanted) && !ports_is_taken(ports, space, wanted)) {
		*ret_port = wanted;
		return 0;
	}
	if (space != PORT_SPACE_ICMP && low < WELL_KNOWN_END && high >= WELL_KNOWN_END) {
		if (wanted < WELL_KNOWN_END)
			high = WELL_KNOWN_END - 1;
		else
			low = WELL_KNOWN_END;
	}
	if (space == PORT_SPACE_UDP)
		parity = wanted % 2 == 0 ? EVEN_PORTS : ~EVEN_PORTS;

	port = find_from_random(taken, low, high, parity, random);
	if (port < 0 && parity != ALL_PORTS)
		port = find_from_random(taken, low, high, ALL_PORTS, random);
	if (port < 0)
		return -EADDRNOTAVAIL;
	*ret_port = (uint16_t)port;
	return 0;
}
