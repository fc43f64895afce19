/* SPDX-License-Identifier: BSD-3-Clause */
/* One request to the program's API (docs/api.md), on a connection of its own. */
#pragma once

#include <stddef.h>

/*
 * Sends `method` `path` with the body `sent` (NULL: none) to the socket at `socket_path` and copies
 * the answer's body to `body` (terminated, cut to `size`; may be where `sent` was). Returns the
 * HTTP status, or negative errno.
 */
int api_request(const char *socket_path, const char *method, const char *path, const char *sent,
	char *body, size_t size);
