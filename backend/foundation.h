/* SPDX-License-Identifier: BSD-3-Clause */
/* What data planes stand on and what outlives each of them: built once, by the monitor. */
#pragma once

#include "backend/api_socket.h"
#include "backend/lease_file.h"
#include "backend/options.h"
#include "backend/ports_directory.h"
#include "backend/run_directory.h"
#include "backend/shared_memory.h"
#include "backend/socket_claim.h"

struct host;

#define FOUNDATION_ERROR_CAPACITY 2048

struct foundation {
	struct run_directory run_directory;
	struct socket_claim *claim;
	struct api_socket api;
	struct ports_directory ports_directory;
	/* Where data planes may make and use sockets: those of the start, and ports_directory;
	 * owned. */
	char *directories[OPTIONS_SOCKETS_MAX + 1];
	unsigned int directory_count;
	struct host *host;	    /* NULL without a TAP uplink */
	struct shared_memory flows; /* none without a user-space NAT */
	struct shared_memory stats;
	struct shared_memory way_out; /* one word, see way_out.h; none without such a NAT */
	struct shared_memory leases;  /* none without DHCP */
	struct lease_file lease_file; /* where they lie; or nowhere, for this network's life */
	struct shared_memory dns;     /* struct dns_counters; none without TAP or DNS */
};

/*
 * Builds everything, or nothing. `flow_size` and `stats_size` are in bytes. Returns 0, or a
 * negative errno with one line in `error` (FOUNDATION_ERROR_CAPACITY bytes) for the user.
 */
int foundation_init(struct foundation *foundation, const struct options *options, size_t flow_size,
	size_t stats_size, char *error);

/* Tells data planes how the host reaches the world now: after host_refresh(). */
void foundation_tell_way_out(struct foundation *foundation);

/* Takes it all down, when no data plane is left. Allowed after foundation_init() failed. */
void foundation_fini(struct foundation *foundation);
