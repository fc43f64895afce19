/* SPDX-License-Identifier: BSD-3-Clause */
/* Lock files that come and go: whoever removes one holds its lock. */
#pragma once

#include <stdbool.h>

/*
 * Opens the file at `path` and locks it; the lock lasts as long as a copy of the descriptor, which
 * is the caller's. `make`: a missing one is made (mode 0644) and may be written; otherwise it need
 * only be readable. `wait`: for others to give it up. Returns 0; -ENOENT; -EWOULDBLOCK when
 * somebody else holds it; or a negative errno.
 */
int lock_file_open(const char *path, bool make, bool wait, int *ret_fd);

/* Removes the file that `fd` has locked, and closes it. */
void lock_file_remove(const char *path, int fd);
