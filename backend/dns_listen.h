/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/* The DNS server's sockets. */
struct dns_listen {
	int udp_fd; /* bound; -1: none */
	int tcp_fd; /* listening; -1: none */
};

/*
 * Opens UDP and TCP port 53 of `address_be` on the interface `tap`, both or none. Returns 0 or a
 * negative errno; -EADDRINUSE when a DNS server of the host's listens there already.
 */
int dns_listen_open(uint32_t address_be, const char *tap, struct dns_listen *ret_listen);
void dns_listen_close(struct dns_listen *listen);
