/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeps the ports connected whose VMM listens (vhost_dial.h), for whoever owns the ports: says when
 * it wants to be called again, and tells the log why there is no connection.
 *
 * A VMM that is not there yet, or not any more, is no fault: that is told once, and again after it
 * was there. A VMM may come and go as it likes, or put things in the place of its socket, so lines
 * are limited: DIALLER_LINES of a port at once, then one in DIALLER_LINE_NS.
 */
#pragma once

#include <stdint.h>

#include "backend/options.h"
#include "backend/vhost_port.h"

#define DIALLER_LINES 8
#define DIALLER_LINE_NS UINT64_C(10000000000)

struct dialler_port {
	uint64_t next_ns;  /* CLOCK_MONOTONIC: no attempt before */
	uint64_t lines_ns; /* when all the lines that were told are paid for */
	int told;	   /* what is in the way, as the log has it; 0: nothing */
};

struct dialler {
	int ended_fd; /* eventfd: a connection has ended; owned, -1 before dialler_init() */
	struct dialler_port ports[OPTIONS_SOCKETS_MAX];
};

/* 0 or -errno. */
int dialler_init(struct dialler *dialler);

/* A port of that number has come, in place of the last one. */
void dialler_begin(struct dialler *dialler, unsigned int index);

/*
 * Tries what is due at `now_ns`; `ports` has those of `options`. Returns how long there is nothing
 * to do unless `ended_fd` says something, in milliseconds; -1: for ever.
 */
int dialler_run(struct dialler *dialler, const struct options *options, struct vhost_port ports[],
	uint64_t now_ns);

/* Frees what dialler_init() made. */
void dialler_fini(struct dialler *dialler);
