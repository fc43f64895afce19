/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the networks of a user keep what lives as long as they do (locks, API sockets):
 * /run/chnet for root, $XDG_RUNTIME_DIR/chnet for others.
 */
#pragma once

#include <stddef.h>

/* That directory of root's networks. */
#define RUN_PATH_ROOT "/run/chnet"

/*
 * Writes the path of this process' user, terminated, into `path` (capacity bytes); nothing is made.
 * Returns 0, or -ENOENT (there is no XDG_RUNTIME_DIR) or -ENAMETOOLONG with one line in `error`
 * (size bytes) for the user.
 */
int run_path(char *path, size_t capacity, char *error, size_t size);
