/* SPDX-License-Identifier: BSD-3-Clause */
/* The small privileged parent of the data plane; see monitor.c. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "backend/dataplane.h"
#include "backend/options.h"

struct monitor_config {
	const struct options *options;
	int (*dataplane)(const struct dataplane_config *config); /* dataplane_main() */
	size_t flow_memory_size; /* bytes for the user-space NAT, when there is one */
	size_t stats_size;	 /* bytes: sizeof(struct stats) */
	/* stats_print(): what SIGUSR1 asks for */
	void (*print_stats)(const struct stats *stats, unsigned int ports, FILE *file);
};

/*
 * Builds the network, runs data planes until SIGTERM, SIGINT or SIGHUP, and takes everything down.
 * Logs what happens. Returns the process' exit code: 0 when it was asked to end, EXIT_FAILURE when
 * the network could not be started or kept alive. Single-threaded; leaves signals blocked.
 */
int monitor_run(const struct monitor_config *config);
