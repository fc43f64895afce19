/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which files the data plane may change: none; it may make its sockets (Landlock, Linux 5.13). The
 * monitor removes them: whoever may remove a file of /run may put a socket of his own in the place
 * of another service's.
 */
#pragma once

/*
 * From now on this thread, and those that it starts later, can write to no file that is not open
 * yet, make nothing but sockets in `directories` (NULL entries are left out) or below them, and
 * remove nothing. Reading is not restricted. Returns 0; -EOPNOTSUPP when the kernel has no Landlock
 * or it is switched off; or another negative errno. Needs no_new_privs.
 */
int sandbox_files_restrict(const char *const directories[], unsigned int count);
