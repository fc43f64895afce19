/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The API's listening socket: made by the monitor, so that it outlives data planes, and served by
 * whichever data plane there is. While there is none, clients wait in its queue.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "backend/run_directory.h"
#include "backend/socket_claim.h"

struct api_socket {
	struct socket_claim *claim; /* of its path; NULL when there is no socket */
	int fd;			    /* listening, close-on-exec; -1 when there is no socket */
};

/*
 * Binds `path`, or NAME.sock in the run directory when that is empty, with mode 0660 and `gid` as
 * its group (when the caller may give it away), in place of a stale one. 0, or a negative errno
 * with one line in `error` (size bytes): -EADDRINUSE when another network has it.
 */
int api_socket_open(struct api_socket *socket, const struct run_directory *directory,
	const char *path, const char *name, gid_t gid, char *error, size_t size);

/* Closes and removes it. A zeroed structure with fd -1 is allowed. */
void api_socket_close(struct api_socket *socket);
