/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lock files in the run directory, for socket_claim.c: a name is taken as long as any process has
 * its file open and locked. Who gives one up removes the file first. Files of processes that were
 * killed are nobody's, and the next start removes them: starts take turns (a lock on the directory
 * itself), or one would sweep away what another is about to lock.
 */
#pragma once

#include <sys/types.h>

/* How every lock file's name begins. */
#define CLAIM_LOCK_PREFIX "socket-"

/* Waits for its turn, and removes what was left. 0 or a negative errno. */
int claim_lock_begin(int directory_fd);

/* Ends the turn; harmless without one. */
void claim_lock_end(int directory_fd);

/*
 * Takes `name`, during a turn. On success returns 0 and *ret_fd, close-on-exec; closing the last
 * copy of it gives the name up. -EADDRINUSE with *ret_holder, the monitor that has it (0: not
 * known), or another negative errno.
 */
int claim_lock_take(int directory_fd, const char *name, int *ret_fd, pid_t *ret_holder);
