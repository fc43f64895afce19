/* SPDX-License-Identifier: BSD-3-Clause */
/* The DNS server as a process of the monitor's: its birth, its deaths, its end. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "backend/dns_listen.h"
#include "backend/foundation.h"
#include "backend/options.h"
#include "backend/restart.h"

struct dns_child {
	pid_t pid;		  /* 0: none */
	struct dns_listen listen; /* outlives the process */
	struct restart restart;
	struct foundation *foundation; /* what it inherits and must not keep; its leases */
	uint32_t host_be;	       /* the host's address, network byte order */
};

/*
 * Opens the sockets and starts the process, when `options` ask for it and there is a TAP. Logs what
 * stands in the way, which is no reason not to start the network: *ret_dns_be is the DNS server
 * that guests are to be told (0: none). dns_child_stop() is due in any case.
 */
void dns_child_start(struct dns_child *dns, struct foundation *foundation,
	const struct options *options, uint32_t *ret_dns_be);

/* Some child has died: if it is this one, starts another, unless that goes on and on. */
void dns_child_reap(struct dns_child *dns, uint64_t now_ns);

/* Ends the process and closes the sockets. */
void dns_child_stop(struct dns_child *dns);
