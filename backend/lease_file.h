/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory of the leases as a file, NAME.leases in the run directory, so that guests find their
 * addresses again when a network is stopped and started.
 *
 * Theory of operation
 *
 * The table of dhcp_lease.h needs no more than memory that outlives its writer, and a file on a
 * tmpfs is that, whoever is killed. So the monitor maps it in place of anonymous memory; the data
 * plane inherits the mapping and no descriptor, its worker writes a lease as before, and nobody has
 * anything to copy or to flush. What was half written is told by the records' sequence numbers.
 *
 * A run directory lasts until the host is restarted, and so does CLOCK_MONOTONIC, by which leases
 * are timed. The file has one size, whatever guests do. Its lock says that a network uses it;
 * `chnet cleanup` removes what nobody has locked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "backend/shared_memory.h"

/* How the file's name ends; the network's name stands before it. */
#define LEASE_FILE_SUFFIX ".leases"

struct lease_file {
	char *path; /* owned; NULL when not open */
	int fd;	    /* locked; close-on-exec */
};

/*
 * Opens, locks and maps the file of the network `name` in `directory`, making it (mode 0600, zeros)
 * if need be; one of another size is begun anew. Returns 0; -EWOULDBLOCK when another network has
 * it; or a negative errno.
 */
int lease_file_open(const char *directory, const char *name, size_t size,
	struct shared_memory *ret_memory, struct lease_file *ret_file);

/* Closes the file, after removing it when asked to; the mapping is the caller's. */
void lease_file_close(struct lease_file *file, bool remove);
