/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guests' ports of a data plane: those of the start, and those that come and go while the
 * worker runs. One thread at a time calls this: the main one until the control thread runs, then
 * that one.
 *
 * A port whose VMM listens is connected when that is there: guests_dial() has to be called, which
 * also registers it (vhost_dial.h).
 *
 * A port that comes is registered with librte_vhost, given to the worker in a worker_call(), and
 * listens last. A port that goes is parked for good, taken from the worker, and then unregistered,
 * by a thread that is not the library's and holds no lock (vhost_port_fini()).
 */
#pragma once

#include <stddef.h>

#include "backend/dialler.h"
#include "backend/low_descriptors.h"
#include "backend/options.h"
#include "backend/quiesce.h"
#include "backend/stats.h"
#include "backend/vhost_port.h"
#include "backend/worker.h"

struct guests {
	struct options options; /* sockets[n] describes ports[n]; the rest is as at the start */
	struct quiesce *quiesce;
	struct stats *stats;
	struct worker *worker;
	struct dialler dialler;
	struct low_descriptors low; /* held while librte_vhost makes listening sockets */
	struct vhost_port ports[OPTIONS_SOCKETS_MAX]; /* zeros where there is none */
};

/*
 * Makes the ports of `options` (copied) and gives them to the worker, whose thread does not run
 * yet. Logs what goes wrong. 0 with *ret_guests, or a negative errno.
 */
int guests_new(const struct options *options, struct quiesce *quiesce, struct stats *stats,
	struct worker *worker, struct guests **ret_guests);

/* Lets the guests of the start connect, and connects to VMMs that listen. Logs what goes wrong; 0
 * or a negative errno. */
int guests_start(struct guests *guests);

/*
 * Connects to VMMs that have come. To be called again when it says so, or when guests_dial_fd() can
 * be read: returns milliseconds; -1: only then.
 */
int guests_dial(struct guests *guests);
int guests_dial_fd(const struct guests *guests);

/* Ends all ports; the worker's thread runs no more. NULL is allowed. */
void guests_free(struct guests *guests);

/*
 * While the worker runs: adds the port that `spec` describes, whose number must come out as
 * `index`. 0, or a negative errno with one line in `error` (size bytes), and nothing is changed.
 */
int guests_add(
	struct guests *guests, const char *spec, unsigned int index, char *error, size_t size);

/* While the worker runs: ends the port of that number, which is there. */
void guests_remove(struct guests *guests, unsigned int index);
