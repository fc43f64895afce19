/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The contract between the monitor and the data plane, its child.
 *
 * The monitor makes everything that needs rights or must outlive a data plane, forks (no exec),
 * enters the sandbox (backend/sandbox.h: no capability, the wide system call filter) and calls
 * dataplane_main(). Every descriptor and mapping in the configuration belongs to the monitor's
 * child from then on, the data plane ends with its process and gives nothing back.
 *
 * SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGCHLD are blocked when dataplane_main() is called, so that
 * every thread inherits that; SIGTERM (to be taken from a signalfd) means: close the sockets, give
 * the guests' buffers back, return 0. SIGINT from a terminal reaches both processes and is the
 * monitor's to act on. When the monitor dies, the kernel kills the data plane.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dhcp_table;
struct dns_counters;
struct host_forward;
struct options;
struct stats;

struct dataplane_config {
	const struct options *options;
	const int *tap_fds;	 /* one for each worker (now one); NULL without a TAP uplink */
	uint8_t tap_mac[6];	 /* the gateway's MAC; zeros without a TAP uplink */
	uint32_t tap_offloads;	 /* TUN_F_* (linux/if_tun.h) that the kernel took */
	bool tap_tso;		 /* the kernel takes TSO frames that we write */
	bool tap_uso;		 /* likewise USO frames */
	void *flow_memory;	 /* MAP_SHARED, page aligned; all zero when the monitor started;
				  * NULL without a user-space NAT (no uplink, or --nat kernel) */
	size_t flow_memory_size; /* bytes: nat_memory_size() of options_nat_config() */
	const uint64_t *way_out; /* MAP_SHARED, see way_out.h: the monitor writes it at any time;
				  * NULL without a user-space NAT */
	const struct host_forward *forwards; /* ports that lead to guests; what the flow memory has
					      * besides is removed */
	size_t forward_count;
	int api_fd;		   /* listening socket of the API, or -1 */
	int control_fd;		   /* to the monitor (control_message.h), or -1 */
	uint64_t started_ns;	   /* when the network was, CLOCK_MONOTONIC */
	uint64_t restarts;	   /* data planes before this one */
	uint32_t dns_be;	   /* the DNS server that guests are told; 0: none */
	struct dhcp_table *leases; /* MAP_SHARED, as the last data plane left it; NULL without */
	const struct dns_counters *dns; /* MAP_SHARED, the DNS server's; NULL without one */
	struct stats *stats; /* MAP_SHARED; counters go on where the last data plane stopped */
	int ready_fd; /* write one byte when guests can connect to every socket, then close */
};

/*
 * Runs the data plane until SIGTERM. Returns the process' exit code: 0 after SIGTERM; anything else
 * after it has logged, in one line, what was wrong. A data plane that ends before it wrote to
 * ready_fd in the monitor's first attempt is a failed start, and is not tried again.
 */
int dataplane_main(const struct dataplane_config *config);
