/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether the host itself uses a port. A forward of that port would take it away from whoever
 * listens there, and a rule of the kernel gives no error for that.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Tries to take the port (host byte order) of TCP or UDP (IPPROTO_*) at the host's address, or at
 * any with 0.0.0.0, and lets it go again. `present`: the address must be one of the host's now; it
 * may also come later otherwise. Returns 0 when the port is free, -EADDRINUSE, -EADDRNOTAVAIL (no
 * address of the host), -EACCES (no right to ports below 1024), or what the kernel said. Only a
 * listener is in the way of TCP, connections that are ending are not.
 */
int port_use_check(struct in_addr address_be, uint16_t port, uint8_t protocol, bool present);
