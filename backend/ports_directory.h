/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A directory for the sockets of ports that are added while a network runs: ports/NAME in the run
 * directory. It is there from the start, because a data plane may make files only in directories
 * that were named when its sandbox closed (sandbox_files.h).
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "backend/run_directory.h"

#define PORTS_DIRECTORY_CAPACITY (RUN_DIRECTORY_CAPACITY + 64)

struct ports_directory {
	char path[PORTS_DIRECTORY_CAPACITY]; /* empty: there is none */
};

/*
 * Makes it, for a data plane with those ids, and removes the sockets of a network of that name that
 * was killed; the caller has the name for itself (api_socket.h). 0, or a negative errno with one
 * line in `error` (size bytes).
 */
int ports_directory_open(struct ports_directory *directory, const struct run_directory *parent,
	const char *name, uid_t uid, gid_t gid, char *error, size_t size);

/* Removes it, when it is empty. */
void ports_directory_close(struct ports_directory *directory, const struct run_directory *parent);
