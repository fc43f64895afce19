/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/vhost_driver.h"

#include <errno.h>

#include <rte_vhost.h>

#include "backend/vhost_events.h"
#include "backend/vhost_message.h"

/* Of the protocol features that this library has, those whose requests we let through. */
static int limit_protocol(const char *path)
{
	uint64_t features;
	int error = rte_vhost_driver_get_protocol_features(path, &features);
	return error ? error
		     : rte_vhost_driver_set_protocol_features(
			       path, features & VHOST_MESSAGE_PROTOCOL_FEATURES);
}

int vhost_driver_register(struct vhost_port *port, const struct rte_vhost_device_ops *ops)
{
	uint64_t flags = port->dials ? RTE_VHOST_USER_CLIENT | RTE_VHOST_USER_NO_RECONNECT : 0;

	if (rte_vhost_driver_register(port->path, flags))
		return -EINVAL;
	port->registered = true;
	if (!rte_vhost_driver_set_features(port->path, port->offered) &&
		!limit_protocol(port->path) && !rte_vhost_driver_callback_register(port->path, ops))
		return 0;
	vhost_driver_unregister(port);
	return -EINVAL;
}

int vhost_driver_start(const struct vhost_port *port)
{
	/* Of the library's thread, which all ports share. */
	static int pipe = -EAGAIN;
	int before = pipe == -EAGAIN ? vhost_events_before() : -EALREADY;

	int result = rte_vhost_driver_start(port->path);
	if (pipe == -EAGAIN)
		pipe = vhost_events_find(before);
	vhost_events_wake(pipe);
	return result;
}

void vhost_driver_unregister(struct vhost_port *port)
{
	if (port->registered)
		rte_vhost_driver_unregister(port->path);
	port->registered = false;
}
