/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <sys/types.h>

/*
 * Asks who may open TAP `index` of the caller's network namespace. Returns 0; -ENOENT when it has
 * no owner, so that rights are needed; -ENOTTY when the interface is no TAP; -ENODEV; or a negative
 * errno.
 */
int tap_owner(int index, uid_t *ret_owner);
