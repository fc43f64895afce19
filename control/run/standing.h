/* SPDX-License-Identifier: BSD-3-Clause */
/* What of a network that is there already is decided: no wish of a later guest changes it. */
#pragma once

#include <netinet/in.h>

#include "control/run/plan.h"

struct standing {
	char tap[OPTIONS_TAP_CAPACITY];		       /* its TAP; "": it has none */
	char host_ip[INET_ADDRSTRLEN + sizeof("/32")]; /* ADDRESS/LEN of the gateway */
};

/*
 * The wishes with TAP and gateway as they are; they point into `standing`. Returns 0; or -EEXIST
 * with one line in `error` (PLAN_ERROR_SIZE bytes), when an option or TAP_NAME or HOST_IP in the
 * environment says otherwise.
 */
int standing_adopt(const struct standing *standing, const struct plan_wishes *wishes,
	struct plan_wishes *ret_wishes, char *error);
