/* SPDX-License-Identifier: BSD-3-Clause */
/* The NAT of a new data plane: before its worker runs, so this file may allocate and log. */
#pragma once

#include <stdint.h>

#include "backend/dataplane.h"
#include "nat/nat.h"

struct host_forward;
struct nat;
struct session_log;

/* What the NAT is told of a forward: behind the outside address, a port has the number that it has
 * at the host. */
struct nat_forward nat_setup_forward(const struct host_forward *forward);

/*
 * Makes the NAT that the options ask for out of the flow memory, or adopts what a former data plane
 * left there; its forwards become those of the configuration. Sessions are told to `log`, which may
 * be NULL and must outlive the NAT. Logs what is worth knowing. Returns 0
 * and *ret_nat, to be freed with nat_free(), or a negative errno that has been logged.
 */
int nat_setup_new(const struct dataplane_config *config, struct session_log *log, uint64_t now_ns,
	struct nat **ret_nat);
