/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A network served by chnet-vhost, as one `chnet run` uses it: started when none of that name runs,
 * joined otherwise, and left again.
 *
 * Files in the run directory, for a network NAME: NAME.lock (who starts, joins or leaves; they take
 * turns), NAME.users (a FIFO that every user holds open for writing: chnet-vhost ends when the last
 * one lets go, however that happened), NAME.log (what chnet-vhost said), NAME.N.vhost (socket of
 * the guest at port N). The last user removes them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "control/run/plan.h"

struct supervise;

struct vhost_network {
	char directory[PLAN_PATH_SIZE]; /* the run directory */
	char name[OPTIONS_NAME_CAPACITY];
	char sockets[CLOUD_HYPERVISOR_NICS_MAX][OPTIONS_PATH_CAPACITY]; /* one for each device */
	unsigned int ports[CLOUD_HYPERVISOR_NICS_MAX];			/* their numbers */
	size_t port_count;						/* devices of this VM */
	int users_fd;  /* our hold on the network; -1: none, it is not ours to end */
	pid_t monitor; /* chnet-vhost; 0: not known */
	bool joined;   /* it was there before us */
};

/*
 * Takes this network's turn: nobody else starts, joins or leaves it until vhost_network_unlock().
 * Returns 0 with the lock's descriptor, or a negative errno with a line in `error`.
 */
int vhost_network_lock(const char *directory, const char *name, int *ret_fd, char *error);
void vhost_network_unlock(const char *directory, const char *name, int fd);

/*
 * Starts chnet-vhost as planned and waits until guests can connect. During a turn. Returns 0;
 * -EINTR when somebody wants us to end; or another negative errno with the reason, one line, in
 * `error` (PLAN_ERROR_SIZE bytes). Nothing is left behind then.
 */
int vhost_network_start(const struct plan *plan, struct supervise *supervise,
	struct vhost_network *ret_network, char *error);

/*
 * Joins the network, which runs: adds a port for each device of the plan. `monitor` is its process,
 * 0 when not known. During a turn. Errors as above.
 */
int vhost_network_join(
	const struct plan *plan, pid_t monitor, struct vhost_network *ret_network, char *error);

/*
 * Leaves it: takes our ports away, or, when nobody else uses the network, waits until it has ended
 * and removes its files. Takes a turn of its own. NULL is allowed.
 */
void vhost_network_leave(struct vhost_network *network);

/* Removes what killed users left of a network that does not run. During a turn. */
void vhost_network_sweep(const char *directory, const char *name);
