/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/vhost_dial.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/vhost_connection.h"
#include "backend/vhost_driver.h"

/* Held during an attempt. Recursive, because an attempt that fails in the library at the last step
 * calls destroy_connection() itself. */
static pthread_mutex_t attempt = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

/* What shows without connecting: an attempt costs the library work, and its VMM a connection. */
static int look(const char *path)
{
	struct stat status;

	if (lstat(path, &status))
		return errno == EACCES ? -EACCES : -ENOENT;
	if (!S_ISSOCK(status.st_mode))
		return -ENOTSOCK;
	return access(path, W_OK) ? -EACCES : 0;
}

int vhost_dial_try(struct vhost_port *port)
{
	if (vhost_connection_exists(port))
		return 0;
	int error = look(port->path);
	if (error)
		return error;
	/* That of the last attempt, if any. */
	vhost_driver_unregister(port);
	error = vhost_driver_register(port, &vhost_port_device_ops);
	if (error)
		return error;
	pthread_mutex_lock(&attempt);
	/* What comes of it shows in the connection: the library says as little as it can. */
	vhost_driver_start(port);
	pthread_mutex_unlock(&attempt);
	return vhost_connection_exists(port) ? 0 : -ECONNREFUSED;
}

void vhost_dial_settle(void)
{
	pthread_mutex_lock(&attempt);
	pthread_mutex_unlock(&attempt);
}
