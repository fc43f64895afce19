/* SPDX-License-Identifier: BSD-3-Clause */
/* A network of the kernel's, for one VM on a TAP: made for it, or found as `chnet setup` left it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "control/run/plan.h"

struct host;

struct tap_network {
	char tap[OPTIONS_TAP_CAPACITY]; /* name of the TAP */
	struct host *host;		/* what was made; NULL: it was there */
	int record_fd;			/* our hold on what was there; -1: none */
};

/*
 * plan_make() for a VM on a TAP: with the TAP and the address of the network when one of that name
 * is set up, and -EEXIST when the wishes contradict those.
 */
int tap_network_plan(const struct plan_wishes *wishes, struct plan *ret_plan, char *error);

/*
 * Makes the network of the plan, or takes the one of that name that is set up. Warnings go to
 * standard error. Returns 0, or a negative errno with one line in `error` (PLAN_ERROR_SIZE bytes).
 */
int tap_network_open(const struct plan *plan, struct tap_network *ret_network, char *error);

/* Whether a network of that name is set up in the run directory, to stay (tap_network_setup()). */
bool tap_network_is_set_up(const char *directory, const char *name);

/* Takes away what was made; leaves what was there. NULL is allowed. */
void tap_network_close(struct tap_network *network);

/*
 * Makes the network of the plan and leaves it there, for tap_network_open(). One of that name that
 * is different, or not whole any more, is replaced. Returns 1 when it was made, 0 when it was
 * there; or an error as above.
 */
int tap_network_setup(const struct plan *plan, char *error);

/* Who may open the TAP: who called sudo, or else whoever runs this. */
uid_t tap_network_owner(void);
