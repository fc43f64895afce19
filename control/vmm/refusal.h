/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Why Cloud Hypervisor ended, by its last words. Pure.
 *
 * Its final error is the last line that is not indented, with the indented lines below it: since
 * v46 "Error: …" and a chain of causes, before that one line. What it logged earlier (a back end
 * that was away for a while, say) is not why it ended.
 */
#pragma once

#include <stdbool.h>

/*
 * Is a vhost-user device the reason? Seen with v53: "Cannot create vhost-user-net device", "Using
 * vhost-user requires using shared memory or huge pages", "Rate limiting is not supported with
 * vhost-user". `complaints` is the end of its standard error, terminated.
 */
bool refusal_is_of_vhost_user(const char *complaints);
