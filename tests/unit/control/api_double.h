/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A network for tests of the API: two ports (0 and 3), as many flows and forwards as the test says,
 * and a note of the last change that was asked for.
 */
#pragma once

#include "control/api/request.h"

struct api_double {
	unsigned int flow_count;
	bool no_nat;
	int refuse;			    /* what changes return; 0: they are made */
	char asked[API_SPEC_CAPACITY + 64]; /* "port_add SPEC", "port_remove 3", … */
	char forward[API_SPEC_CAPACITY];    /* empty: there is none */
	char level[16];
};

struct api_network api_double_network(struct api_double *twin);
