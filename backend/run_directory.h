/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The directory for what all networks of this machine's user share: locks, the value of ip_forward
 * to go back to, later the API's sockets. /run/chnet for root, $XDG_RUNTIME_DIR/chnet otherwise.
 */
#pragma once

#include <stddef.h>

#define RUN_DIRECTORY_CAPACITY 256

struct run_directory {
	char path[RUN_DIRECTORY_CAPACITY]; /* absolute, zero terminated */
	int fd;				   /* close-on-exec; -1 when not open */
};

/*
 * Makes it (mode 0755) unless it is there, and opens it. Refuses one that someone else could write
 * to. Returns 0, or a negative errno with one line in `error` (size bytes) for the user.
 */
int run_directory_open(struct run_directory *ret_directory, char *error, size_t size);

/* Closes it; it stays, for others may be using it. NULL and fd -1 are allowed. */
void run_directory_close(struct run_directory *directory);
