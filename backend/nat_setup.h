/* SPDX-License-Identifier: BSD-3-Clause */
/* The NAT of a new data plane: before its worker runs, so this file may allocate and log. */
#pragma once

#include <stdint.h>

#include "backend/dataplane.h"

struct nat;
struct session_log;

/*
 * Makes the NAT that the options ask for out of the flow memory, or adopts what a former data plane
 * left there; its forwards become those of the configuration. Sessions are told to `log`, which may
 * be NULL and must outlive the NAT. Logs what is worth knowing. Returns 0
 * and *ret_nat, to be freed with nat_free(), or a negative errno that has been logged.
 */
int nat_setup_new(const struct dataplane_config *config, struct session_log *log, uint64_t now_ns,
	struct nat **ret_nat);
