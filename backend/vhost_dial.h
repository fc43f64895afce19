/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation: ports whose VMM listens (`mode=server`), so that we connect
 *
 * Goal: a connection whenever a VMM listens, from the first one on and after each hang-up; for the
 * VMM a connection like any other, and for everybody else no cost when a VMM plays with it.
 *
 * librte_vhost connects when it is told (RTE_VHOST_USER_CLIENT). It would also try again by itself,
 * once a second in a thread of its own; that is switched off (RTE_VHOST_USER_NO_RECONNECT):
 *  - a socket that waits in the list of that thread, put there by a hang-up while its port is being
 *    unregistered, is used after it was freed;
 *  - a connection that our hook turns away, or for which the library has no number, is never tried
 *    again;
 *  - a VMM that accepts and hangs up keeps the thread that serves everybody busy: it connects
 *    again at once, without end;
 *  - a VMM that comes is found up to a second later.
 * So whoever owns the port tries (guests.h), at most every VHOST_DIAL_INTERVAL_NS: one attempt is
 * unregistering what the last one left, registering and starting. A Unix socket connects at once or
 * not at all, so no attempt waits. Nothing is registered before: the library makes the descriptor
 * when it is told of the socket, and closes it only after it was started.
 *
 * Threads. vhost_dial_try() runs in the thread that owns the ports: the main one at the start, the
 * control thread later. new_connection() is called within it, so for these ports it runs beside the
 * hooks of the library's thread. It touches the tables of vhost_connection.h, which have a lock,
 * and descriptors. An attempt that fails in the library at the last step calls destroy_connection()
 * within it, too; otherwise that hook, as the others, is the library's thread's.
 *
 * The library shows a new connection to its thread before it is on its own list. When it hangs up
 * in between, it is taken from a list that it is not on. So destroy_connection(), which comes
 * before that, waits until the attempt that goes on has returned: vhost_dial_settle(). Nothing that
 * an attempt waits for is held by that hook.
 *
 * The connection's end wakes the owner (`ended_fd`), which then tries again. In between it
 * unregisters the old socket, which waits until the hook is through.
 *
 * A VMM's socket is never made and never removed here.
 */
#pragma once

#include "backend/vhost_port.h"

/* Between two attempts of a port; Cloud Hypervisor, when it is the one who connects, takes as long.
 */
#define VHOST_DIAL_INTERVAL_NS UINT64_C(100000000)

/*
 * Tries to connect, when there is no connection. 0: there is one. Else what is in the way:
 * -ENOENT: nothing is there; -ENOTSOCK: something that is no socket, or a link; -EACCES: this
 * process may not connect to it; -ECONNREFUSED: no connection came about: nobody listens there, it
 * takes no more, or has hung up already; -EINVAL: librte_vhost refuses it.
 */
int vhost_dial_try(struct vhost_port *port);

/* In destroy_connection(): waits for an attempt that goes on. */
void vhost_dial_settle(void);
