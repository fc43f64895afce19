/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs that `chnet run` starts: where they are. */
#pragma once

#include <stddef.h>

/*
 * Finds a program: `name` with a slash is a path, otherwise it is looked for in PATH. Returns 0
 * with its path; -ENOENT; -EACCES when it is there but cannot be executed; -ENAMETOOLONG.
 */
int program_find(const char *name, char *path, size_t size);

/* The same, but first beside this program itself. */
int program_find_beside(const char *name, char *path, size_t size);
