/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of `chnet run` share: one VM that is to be started. */
#pragma once

#include <stdbool.h>

#include "control/run/plan.h"
#include "control/vmm/arguments.h"
#include "control/vmm/cloud_hypervisor.h"
#include "control/vmm/supervise.h"

enum run_mode {
	RUN_AUTO,	/* vhost-user, and a TAP when that cannot be had */
	RUN_VHOST_USER, /* or fail */
	RUN_TAP,
};

struct run {
	enum run_mode mode;
	struct plan_wishes wishes;
	struct cloud_hypervisor_request request; /* what the VMM's arguments ask for */
	char vmm[PLAN_PATH_SIZE];		 /* the VMM */
	int argc;				 /* its arguments, as the user wrote them */
	char **argv;
	struct supervise supervise;
	int output_fd;		       /* the VMM's standard output; -1: ours */
	bool quiet;		       /* what the VMM complains of is kept, and not shown */
	struct supervise_event beside; /* what is to be done while it runs; fd -1: nothing */
	enum run_mode taken;	       /* set by run_vm(): which way it went */
	bool no_tap;		       /* set with an error: it is none that a TAP would cure */
	char instead[PLAN_ERROR_SIZE]; /* why a TAP is taken, as long as nobody was told */
};

/* Why something could not be had, one line. */
struct run_reason {
	char text[PLAN_ERROR_SIZE];
};

/*
 * Runs the VM on a vhost-user network. Returns 0 with *ret_status, the VMM's wait status; -EINTR
 * when somebody wanted us to end before; -EINVAL for a bad value; or another negative errno when no
 * guest ran. A TAP may be tried unless run->no_tap is set: when the network runs already, and when
 * the VMM cannot be started. The reason comes with each of them.
 */
int run_vhost_user(struct run *run, int *ret_status, struct run_reason *reason);

/* Runs the VM on a TAP. As above. */
int run_tap(struct run *run, int *ret_status, struct run_reason *reason);

/*
 * Runs the VM in the first way that run->mode allows and that can be had; a line on standard error
 * says when that is a TAP although nobody asked for it. As above.
 */
int run_vm(struct run *run, int *ret_status, struct run_reason *reason);

/*
 * Finds the VMM: `wish`, CHNET_VMM, or cloud-hypervisor in PATH. Returns 0 with run->vmm, or a
 * negative errno with the reason.
 */
int run_find_vmm(const char *wish, struct run *run, struct run_reason *reason);

/*
 * Whether vhost-user can be had as far as one can tell without starting anything; the reason if
 * not. Writes the path of chnet-vhost (PLAN_PATH_SIZE bytes). 0 or a negative errno.
 */
int run_check_vhost_user(const struct run *run, char *backend, struct run_reason *reason);

/* The VMM's command line for the devices of the plan, on sockets (or, without any, on the TAP). */
void run_command(const struct run *run, const struct plan *plan,
	const char (*sockets)[OPTIONS_PATH_CAPACITY], const char *tap, struct arguments *ret_line);

/*
 * Prints what run_vhost_user() or run_tap() would do, as commands for a shell. 0 or a negative
 * errno with the reason.
 */
int run_print_vhost_user(struct run *run, struct run_reason *reason);
int run_print_tap(struct run *run, struct run_reason *reason);
