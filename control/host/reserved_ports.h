/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports that the host's own programs are not given by chance: net.ipv4.ip_local_reserved_ports of
 * this network namespace, with those of each network added while it lives and taken out again when
 * it ends. Entries of others stay as they are.
 */
#pragma once

#include "control/host/port_set.h"

struct reserved_ports;

/*
 * Reserves `wanted` for the network whose TAP is `tap`. `run_directory` exists, belongs to us, and
 * is the same for every network; a small file in it remembers what to take out again. What killed
 * processes have left is mended first. The caller ends the hold with reserved_ports_release().
 *
 * Returns 0; -EADDRINUSE when a port is reserved for another live network of ours; -EROFS when
 * /proc/sys is read-only; -ENOSPC when the list gets too long; or a negative errno. Nothing is
 * changed then.
 */
int reserved_ports_hold(const char *run_directory, const char *tap, const struct port_set *wanted,
	struct reserved_ports **ret_ports);

/*
 * Mends what killed processes have left, and reserves nothing. A directory that is not there has
 * nothing to mend. Returns 0 or a negative errno.
 */
int reserved_ports_mend(const char *run_directory);

/* Reserves `wanted` in place of what was wanted before. Returns as reserved_ports_hold(). */
int reserved_ports_change(struct reserved_ports *ports, const struct port_set *wanted);

/*
 * Ends the hold. Returns 0, or a negative errno when the entries could not be taken out (the next
 * hold of any network tries again). NULL is allowed.
 */
int reserved_ports_release(struct reserved_ports *ports);

/* In a child of fork(): frees the child's copy and leaves the hold. NULL is allowed. */
void reserved_ports_close_in_child(struct reserved_ports *ports);
