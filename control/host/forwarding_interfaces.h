/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forwarding of single interfaces, which a host may have switched on while net.ipv4.ip_forward is
 * 0. The kernel switches it off for all of them when that becomes 0 again.
 */
#pragma once

#include <stddef.h>

/* How a line with the name of an interface begins; the name of a network does not. */
#define FORWARDING_INTERFACE '+'

/*
 * Writes a line "+NAME" for each interface that forwards ("default", those to come, among them), a
 * newline before and behind it, terminated, as far as they fit; others are left out and not
 * put back (docs/host.md). Returns their length.
 */
size_t forwarding_interfaces_list(char *lines, size_t size);

/* Switches forwarding on for those of the lines that begin so; what has gone is left out. Returns 0
 * or the first negative errno. */
int forwarding_interfaces_restore(const char *lines);
