/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that outlives a data plane: mapped by the monitor, inherited by each child. Its size is
 * sealed, so that no process can turn an access into a SIGBUS by cutting the file.
 */
#pragma once

#include <stddef.h>

struct shared_memory {
	void *address; /* page aligned, all zero at first; NULL when there is none */
	size_t size;   /* bytes */
};

/* Makes `size` (not 0) bytes; `name` shows in /proc/PID/maps. 0 or a negative errno. */
int shared_memory_init(struct shared_memory *ret_memory, const char *name, size_t size);

/* Unmaps it from this process. NULL, and memory never made, are allowed. */
void shared_memory_fini(struct shared_memory *memory);
