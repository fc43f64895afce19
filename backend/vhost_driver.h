/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port's socket at librte_vhost: known to it, at work, forgotten. Which side connects is the
 * port's `dials`; a socket that connects is used up by one attempt (vhost_dial.h).
 */
#pragma once

#include "backend/vhost_port.h"

struct rte_vhost_device_ops;

/* Makes the socket known, with what is offered there. `ops` is borrowed. 0 or -EINVAL. */
int vhost_driver_register(struct vhost_port *port, const struct rte_vhost_device_ops *ops);

/* Listens, or connects, and has the library's thread serve it from now on. 0, or -1: it cannot.
 * One thread at a time. */
int vhost_driver_start(const struct vhost_port *port);

/* Ends connections and forgets the socket. Not from a hook, and with no lock that hooks take. A
 * port that the library does not know is allowed. */
void vhost_driver_unregister(struct vhost_port *port);
