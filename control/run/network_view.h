/* SPDX-License-Identifier: BSD-3-Clause */
/* A network that runs, as its API shows it to somebody who wants to join. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "control/run/plan.h"
#include "control/run/standing.h"

struct network_view {
	struct standing standing;		      /* its TAP and gateway */
	pid_t monitor;				      /* chnet-vhost; 0: it does not say */
	struct plan_taken taken[OPTIONS_SOCKETS_MAX]; /* what its guests have */
	size_t taken_count;
};

/*
 * Asks the network of that name. Returns 0; -ENOENT when none runs; or another negative errno with
 * a line in `error` (PLAN_ERROR_SIZE bytes).
 */
int network_view_read(const char *name, struct network_view *ret_view, char *error);

/* plan_make() for a guest that joins it; -EEXIST for what it cannot change of the network. */
int network_view_plan(const struct network_view *view, const struct plan_wishes *wishes,
	const char *backend_path, struct plan *ret_plan, char *error);
