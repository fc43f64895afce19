/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/port_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PORTS 65536
#define WORDS (PORTS / 64)

void port_set_add(struct port_set *set, uint16_t low, uint16_t high)
{
	for (uint32_t port = low; port <= high; port++)
		set->words[port / 64] |= UINT64_C(1) << port % 64;
}

bool port_set_has(const struct port_set *set, uint16_t port)
{
	return set->words[port / 64] >> port % 64 & 1;
}

void port_set_join(struct port_set *set, const struct port_set *other)
{
	for (size_t i = 0; i < WORDS; i++)
		set->words[i] |= other->words[i];
}

void port_set_remove(struct port_set *set, const struct port_set *other)
{
	for (size_t i = 0; i < WORDS; i++)
		set->words[i] &= ~other->words[i];
}

bool port_set_meets(const struct port_set *set, const struct port_set *other)
{
	for (size_t i = 0; i < WORDS; i++)
		if (set->words[i] & other->words[i])
			return true;
	return false;
}

/* Reads a port and moves behind it. Returns 0 or -EINVAL. */
static int port_set_number(const char **text, uint16_t *ret_port)
{
	char *end;
	unsigned long port;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	port = strtoul(*text, &end, 10);
	if (port >= PORTS)
		return -EINVAL;
	*text = end;
	*ret_port = (uint16_t)port;
	return 0;
}

int port_set_parse(const char *text, struct port_set *ret_set)
{
	struct port_set set = {0};

	while (*text != '\0' && *text != '\n') {
		uint16_t low = 0, high;
		int r = port_set_number(&text, &low);

		high = low;
		if (r == 0 && *text == '-') {
			text++;
			r = port_set_number(&text, &high);
		}
		if (r < 0 || high < low)
			return -EINVAL;
		port_set_add(&set, low, high);
		if (*text == ',')
			text++;
		else if (*text != '\0' && *text != '\n')
			return -EINVAL;
	}
	*ret_set = set;
	return 0;
}

int port_set_format(const struct port_set *set, char *text, size_t size)
{
	size_t length = 0;
	uint32_t port = 0;

	if (size == 0)
		return -ENOSPC;
	text[0] = '\0';
	while (port < PORTS) {
		uint32_t low = port;
		int written;

		if (!port_set_has(set, (uint16_t)port)) {
			port++;
			continue;
		}
		while (port < PORTS && port_set_has(set, (uint16_t)port))
			port++;
		written = snprintf(text + length, size - length,
			low + 1 == port ? "%s%u" : "%s%u-%u", length > 0 ? "," : "", low, port - 1);
		if (written < 0 || (size_t)written >= size - length)
			return -ENOSPC;
		length += (size_t)written;
	}
	return 0;
}
