/* SPDX-License-Identifier: BSD-3-Clause */
/* What killed networks left in a run directory and on the host, and what `chnet setup` made. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Takes away everything that belongs to no live process: TAPs, rules, files, the changed sysctl. A
 * network that is set up stays, unless its name is `kept` (NULL: none). Each thing taken away is a
 * line on `file` (NULL: nowhere), counted in *ret_count. Returns 0; -EBUSY when a VM runs on the
 * network `kept`; or the first error, with one line in `error` (`size` bytes), after the rest was
 * done.
 */
int leftovers_remove(const char *directory, const char *kept, FILE *file, unsigned int *ret_count,
	char *error, size_t size);
