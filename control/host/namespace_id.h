/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * Identifies the caller's network namespace: by its cookie, which is never used twice until the
 * next boot, or before Linux 5.14 by its inode. Returns 0 or a negative errno.
 */
int namespace_id(uint64_t *ret_id);
