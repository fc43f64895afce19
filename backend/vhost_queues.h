/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rings of a guest's port, as control starts and stops them (vhost_port.h has their life). All
 * under the port's lock.
 */
#pragma once

#include "backend/vhost_port.h"

/* Withdraws both rings from the worker; it uses nothing of the guest's memory when this returns. */
void vhost_queues_park(struct vhost_port *port);

/* Starts every ring that has all that it needs; none of a port that is closing. */
void vhost_queues_resume(struct vhost_port *port);

/* Forgets what is known of parked rings: the device was reset, or the connection is another. */
void vhost_queues_reset(struct vhost_port *port);

/* Makes the library answer GET_VRING_BASE with where our ring, parked, has come to. `index` may be
 * of a queue that the device does not have. */
void vhost_queues_tell_base(struct vhost_port *port, unsigned int index);
