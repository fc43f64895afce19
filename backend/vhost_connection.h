/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which connection speaks for which port. librte_vhost's hooks get a connection's number and
 * nothing else; ports come and go on the control thread while the library's thread serves others.
 * A lock of its own guards the tables, and `vid` and `closing` of each port; it is held around no
 * call.
 *
 * Life of a connection
 *
 *   waiting  --its first message, the port is free-->  the port's
 *   waiting  --its first message, the port is taken--> waiting; the message is refused
 *   both     --hang-up, or the port goes-->            unknown
 *
 * One device, one driver: a second front end is turned away. But whether it is the second shows
 * only with its first message: when a VMM hangs up and connects again at once, the library may
 * accept before it reads the hang-up (it looks at its descriptors in the order in which it got
 * them).
 */
#pragma once

#include <stdbool.h>

#include "backend/vhost_port.h"

/* From now on connections may wait for the port, by its path and index. */
void vhost_connection_open(struct vhost_port *port);
/* No connection may wait for it any more; those that are there stay. */
void vhost_connection_close(struct vhost_port *port);
/* Nothing leads to the port any more. */
void vhost_connection_forget(const struct vhost_port *port);

/* Leaves a new connection with the port of that path. 0 and whether it was we who connected, or -1
 * to turn it away. */
int vhost_connection_wait(int vid, const char *path, bool *ret_dialled);
/* The connection has a message. The port that it speaks for; NULL when that is another's. */
struct vhost_port *vhost_connection_claim(int vid);
/* The port that a connection speaks for; NULL when it has not come to that. */
struct vhost_port *vhost_connection_port(int vid);
/* The connection has ended; its port is free for another one. Returns the port's `ended_fd`. */
int vhost_connection_end(int vid);
/* Is there a connection, whether or not it has said anything? */
bool vhost_connection_exists(const struct vhost_port *port);

/* Has the port a front end, which has said something? */
bool vhost_connection_is_made(const struct vhost_port *port);
