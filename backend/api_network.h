/* SPDX-License-Identifier: BSD-3-Clause */
/* The data plane as the API sees it (control/api/network.h). All of it is the control thread's. */
#pragma once

#include "backend/dataplane.h"
#include "backend/guests.h"
#include "control/api/network.h"

struct api_view {
	const struct dataplane_config *config;
	struct guests *guests;
	struct worker *worker;
};

/* `view` is borrowed. */
struct api_network api_network_of(struct api_view *view);
