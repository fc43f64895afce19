/* SPDX-License-Identifier: BSD-3-Clause */
/* Which files the data plane may change: none but its sockets (Landlock, Linux 5.13). */
#pragma once

/*
 * From now on this thread, and those that it starts later, can write to no file that is not open
 * yet, and make or remove nothing, but sockets in `directories` (NULL entries are left out), which
 * it may also remove.
 * Reading is not restricted. Returns 0; -EOPNOTSUPP when the kernel has no Landlock or it is
 * switched off; or another negative errno. Needs no_new_privs.
 */
int sandbox_files_restrict(const char *const directories[], unsigned int count);
