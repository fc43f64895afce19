/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The names of the network itself, in the domain `chnet`: host.chnet is the host, NAME.chnet the
 * guest with that hostname=, or the one that calls itself so by DHCP. A name that was set with
 * hostname= is that port's alone. Everything else belongs to other servers.
 *
 * Reads the leases of a worker that may be writing them (dhcp_lease.h).
 */
#pragma once

#include <stdint.h>

#include "guest/services/dhcp_lease.h"
#include "guest/services/dns_message.h"

enum dns_names_result {
	DNS_NAMES_FOREIGN, /* not in our domain */
	DNS_NAMES_FOUND,   /* a name with an address */
	DNS_NAMES_EMPTY,   /* a name of ours that has nothing of the type that was asked for */
	DNS_NAMES_UNKNOWN, /* there is no such name */
};

struct dns_names {
	const struct dhcp_table *table; /* shared memory; NULL without DHCP */
	uint32_t host_be;		/* the host's address */
};

/* Looks up what a question asks for. Time is CLOCK_MONOTONIC, seconds. */
enum dns_names_result dns_names_find(const struct dns_names *names,
	const struct dns_question *question, uint32_t now_s, uint32_t *ret_address_be);
