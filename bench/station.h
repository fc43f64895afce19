/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest of a benchmark: the vhost-user front end of tests/frontend/ for the protocol and the
 * memory, with the hot loops of sender.h and sink.h on its rings instead of its own driver.
 *
 * Stations work in pairs: 2k sends to 2k + 1 and, both ways, back. Or all of them send to one place
 * beyond the gateway.
 */
#pragma once

#include <stdint.h>

#include "bench/sender.h"
#include "bench/sink.h"
#include "bench/workload.h"
#include "tests/frontend/frontend.h"

/* The most of one run. */
#define STATIONS_MAX 64

struct station {
	unsigned int index; /* decides MAC and IPv4 address */
	uint64_t optional;  /* features that are done without when the back end lacks them */
	struct frontend frontend;
	struct sender sender;
	struct sink sink;
};

/* Makes memory, rings and frames, which go to the station's partner, or to `target` unless it is
 * NULL. 0 or negative errno; station_fini() is due either way. */
int station_init(struct station *station, const struct workload *workload, unsigned int index,
	const struct frames_end *target);
void station_fini(struct station *station);

/* Connects to the back end's socket, agrees on features and starts the rings, with every receive
 * buffer posted. Offloads that the back end lacks are done without. 0 or negative errno. */
int station_connect(struct station *station, const char *path);

/* The same without a back end, for bare_device.h. */
void station_start_bare(struct station *station);
