/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When to give up: a data plane that dies again and again without ever getting ready has a fault
 * that starting it once more does not mend. One that got ready is worth another start at once,
 * however often.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* More deaths than this within RESTART_WINDOW_NS, none ready in between, are too many. */
#define RESTART_DEATHS 10
#define RESTART_WINDOW_NS 10000000000ULL

/* All zero to begin with. */
struct restart {
	uint64_t deaths_ns[RESTART_DEATHS]; /* CLOCK_MONOTONIC; a ring, oldest at count % DEATHS */
	unsigned int count;		    /* deaths since the last one that got ready */
};

/* A data plane died before it was ready. False: do not start another. */
bool restart_after_death(struct restart *restart, uint64_t now_ns);

/* A data plane is ready. */
void restart_forget(struct restart *restart);
