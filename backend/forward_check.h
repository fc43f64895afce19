/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether the host can give the ports of its forwards away. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "backend/options.h"

/*
 * Looks at each port of each --forward: nobody on the host may use it, and an address that is named
 * must be the host's. Nothing is changed. Returns 0, or a negative errno with one line in `error`
 * (size bytes) that names the port.
 */
int forward_check(const struct options *options, char *error, size_t size);

/* The same for one forward; `is_present`: its address must be the host's already. */
int forward_check_one(
	const struct host_forward *forward, bool is_present, char *error, size_t size);
