/* SPDX-License-Identifier: BSD-3-Clause */
/* A set of ports, and the text that the kernel writes for one: "1000-1999,8080". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the longest text that is read or written, terminator included. */
#define PORT_SET_TEXT_SIZE 4096

struct port_set {
	uint64_t words[65536 / 64]; /* a bit for each port, host byte order; all zero = none */
};

/* Adds the ports from `low` to `high`, both included. */
void port_set_add(struct port_set *set, uint16_t low, uint16_t high);

bool port_set_has(const struct port_set *set, uint16_t port);

/* Adds every port of `other`; removes every port of it; tells whether both have one in common. */
void port_set_join(struct port_set *set, const struct port_set *other);
void port_set_remove(struct port_set *set, const struct port_set *other);
bool port_set_meets(const struct port_set *set, const struct port_set *other);

/* Reads text up to its end or a newline. Returns 0 or -EINVAL, after which the set is unchanged. */
int port_set_parse(const char *text, struct port_set *ret_set);

/* Writes the text without newline, terminated. Returns 0 or -ENOSPC when it does not fit. */
int port_set_format(const struct port_set *set, char *text, size_t size);
