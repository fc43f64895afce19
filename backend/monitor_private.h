/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of monitor.h: what it knows, and its data plane's life. For monitor.c and
 * monitor_child.c only.
 *
 * States of the data plane (enum monitor_state), and what leads to the next one:
 *
 *   STARTING  its byte     READY; the first time, the world is told (sd_notify, --ready-fd)
 *   STARTING  its death    when none was ever ready: done, a failed start, everything undone;
 *                          otherwise STARTING, another one at once, unless that goes on and on
 *                          (restart.h)
 *   READY     its death    STARTING, another one at once
 *   both      SIGTERM, SIGINT, SIGHUP    STOPPING: it is told to stop
 *   both      the lifeline's end         likewise: its last user has gone
 *   STOPPING  another signal, or 2 s     STOPPING: it is killed
 *   STOPPING  its death    done
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "backend/change.h"
#include "backend/dns_child.h"
#include "backend/foundation.h"
#include "backend/monitor.h"
#include "backend/options.h"
#include "backend/restart.h"

enum monitor_state {
	MONITOR_STARTING,
	MONITOR_READY,
	MONITOR_STOPPING,
	MONITOR_DONE, /* no data plane is left, and none will be started */
};

struct monitor {
	const struct monitor_config *config;
	struct options options; /* of the network as it is now; changed through the API */
	struct change change;
	struct foundation foundation;
	struct dns_child dns;
	uint32_t dns_be; /* the DNS server that guests are told, network byte order; 0: none */
	struct restart restart;
	enum monitor_state state;
	bool was_ready;	     /* some data plane was; the world knows */
	bool failed;	     /* the exit code says so */
	bool insisted;	     /* a second signal asked for an end at once; timeout(1) sends two */
	pid_t child;	     /* the data plane; valid unless MONITOR_DONE */
	int ready_fd;	     /* its end of the ready pipe is ours to read; -1: nothing to come */
	int control_fd;	     /* to the data plane; -1: none */
	uint64_t started_ns; /* CLOCK_MONOTONIC */
	uint64_t deaths;     /* of data planes */
	int signal_fd;	     /* signalfd; -1 before setup */
	int deadline_fd;     /* timerfd, armed while MONITOR_STOPPING; -1 before setup */
};

/* CLOCK_MONOTONIC. */
uint64_t monitor_now_ns(void);

/* Tells systemd, when it wants to know. */
void monitor_tell(const char *state);

/* Starts a data plane: STARTING. 0, or a negative errno after a line in the log. */
int monitor_child_start(struct monitor *monitor);

/* The ready pipe has a byte, or its other end is closed. */
void monitor_child_on_ready(struct monitor *monitor);

/* The data plane asks for something. It is not waited for, whatever it does. */
void monitor_child_on_control(struct monitor *monitor);

/* It has ended, with this wait status. */
void monitor_child_on_death(struct monitor *monitor, int status);
