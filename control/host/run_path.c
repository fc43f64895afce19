/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/run_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int run_path(char *path, size_t capacity, char *error, size_t size)
{
	const char *base = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");

	if (!base || base[0] != '/') {
		snprintf(error, size,
			"XDG_RUNTIME_DIR names no directory: log in as a user with a session, set "
			"it, or "
			"start as root");
		return -ENOENT;
	}
	if ((size_t)snprintf(path, capacity, "%s/chnet", base) >= capacity) {
		snprintf(error, size, "XDG_RUNTIME_DIR is too long: take a shorter directory");
		return -ENAMETOOLONG;
	}
	return 0;
}
