/* SPDX-License-Identifier: BSD-3-Clause */
/* The inside of host.h: its parts, and how they are built. For host.c and host_build.c only. */
#pragma once

#include <stdbool.h>

#include "control/host/forwarding.h"
#include "control/host/host.h"
#include "control/host/host_record.h"
#include "control/host/netlink.h"
#include "control/host/route.h"

/* Most warnings, and bytes of each. */
#define WARNINGS_MAX 16
#define WARNING_SIZE 2048

struct reserved_ports;

struct host {
	struct tap tap;		    /* the TAP; no queues = none */
	struct nl_sock *socket;	    /* for links, addresses, routes; NULL = none */
	struct link_info link;	    /* of the TAP */
	struct nl_sock *watch;	    /* reports changes of links, addresses, routes; NULL = none */
	struct route_egress egress; /* the way out; empty name = none, or any */
	bool follow;		    /* the way out is that of the default route */
	uint16_t outside_low;	    /* ports of our NAT, both ends included, host byte order; */
	uint16_t outside_high;	    /* 0, 0 = none, or given up */
	struct reserved_ports *reserved; /* our hold of them; NULL = none */
	bool stateless;			 /* the rules keep no state for the outside ports */
	struct nft *nft;		 /* our rules; NULL = none */
	struct in_addr address_be;	 /* of the host on the TAP */
	struct in_addr outside_be;	 /* outside address of our NAT */
	uint8_t prefix_length;		 /* of the guests' LAN */
	enum nft_nat nat;		 /* whose packets leave */
	size_t forward_count;		 /* ports that lead to guests */
	struct host_forward forwards[HOST_FORWARDS_MAX];
	struct forwarding *forwarding; /* our hold of forwarding; NULL = none */
	char *run_directory;	       /* that of the configuration; owned */
	char *network;		       /* with for_vmm; owned; NULL = not for_vmm */
	int record_fd;		       /* the locked record, with for_vmm; -1 = none */
	bool recorded;		       /* something of ours is written in it */
	struct host_record record;     /* what is written there */
	size_t warning_count;
	char warnings[WARNINGS_MAX][WARNING_SIZE];
};

/* Where a line for a person goes. */
struct host_error {
	char *text;
	size_t size; /* bytes */
};

/*
 * Builds every part of `host`, which is all zero, in order. On failure the parts that exist already
 * stay for host_down(), and `error` holds the line. Returns 0 or a negative errno.
 */
int host_build(struct host *host, const struct host_config *config, const struct host_error *error);

/* Finds the way out; all zero when there is none. Returns 0 or a negative errno. */
int host_find_egress(const struct host *host, struct route_egress *ret_egress);

/* Ends a line about missing rights. */
#define HOST_NEED_RIGHTS "run as root or with CAP_NET_ADMIN"
/* The option that names the TAP: chnet-vhost's, and that of chnet's verbs, which have a flag --tap.
 */
#define HOST_TAP_OPTION "--tap (of chnet: --tap-name)"

/* Adds a warning. */
__attribute__((format(printf, 2, 3))) void host_warn(struct host *host, const char *format, ...);

/* Writes the line and returns `r`. */
__attribute__((format(printf, 3, 4))) int host_fail(
	const struct host_error *error, int r, const char *format, ...);

/*
 * Steps of host_build() (host_keep.c): the run directory; with for_vmm, the lock that says that the
 * network is in use (what a killed process left behind it goes); its record; and, when the TAP is
 * whole, the TAP for the VMM.
 */
int host_keep_directory(
	struct host *host, const struct host_config *config, const struct host_error *error);
int host_keep_open(
	struct host *host, const struct host_config *config, const struct host_error *error);
int host_keep_write(
	struct host *host, const struct host_config *config, const struct host_error *error);
int host_keep_hand_over(
	struct host *host, const struct host_config *config, const struct host_error *error);
/* Step of host_build() (host_forward.c): takes the port forwards over. */
int host_forward_check(
	struct host *host, const struct host_config *config, const struct host_error *error);

/* Steps of host_build() (host_outside.c): the block of outside ports, and that nobody else gets
 * them.
 */
int host_outside_check(
	struct host *host, const struct host_config *config, const struct host_error *error);
int host_outside_reserve(
	struct host *host, const struct host_config *config, const struct host_error *error);

/* May the forward be, beside the outside ports? */
bool host_outside_allows(const struct host *host, const struct host_forward *forward);

/* Reserves what these forwards want in place of what the present ones do. 0 or a negative errno. */
int host_outside_change(struct host *host, const struct host_forward *forwards, size_t count);

/* Does without outside ports: warns that `what` failed with the negative errno `r`. */
void host_outside_give_up(struct host *host, const char *what, int r);

/* Steps of host_build() (host_rules.c): our rules; warnings of what others' rules do to guests. */
int host_rules_make(
	struct host *host, const struct host_config *config, const struct host_error *error);
int host_rules_warn(
	struct host *host, const struct host_config *config, const struct host_error *error);

/* First address of the guests' LAN. */
struct in_addr host_network_be(const struct host_config *config);

/* Lets packets with loopback addresses pass the TAP, or not. Returns 0 or a negative errno. */
int host_forward_loopback(const struct host *host, bool on);
