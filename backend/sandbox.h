/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the data plane gives up, in three stages.
 *
 * 1. sandbox_enter(), after fork and before the first thread: the invoking user's group, no
 *    capability in any set, no new privileges, no core dumps, SIGKILL when the monitor dies, and
 *    the wide system call filter. All threads inherit all of it.
 * 2. sandbox_settle(), right after rte_eal_init() and before any worker calls sandbox_worker(): no
 *    thread opens a file or maps code any more; sockets may still be made, bound and unlinked.
 *    (Threads name themselves then: naming another thread opens a file of /proc.)
 * 3. sandbox_worker(), in each worker before it touches a guest's bytes: reading and writing open
 *    descriptors, waiting, and mapping memory (the SIGBUS handler's), nothing else.
 *
 * A system call that no honest data plane makes kills the process (SIGSYS); the monitor says so and
 * starts another. Calls that libraries try but can do without fail with an error instead.
 *
 * The user id stays: without capabilities root may still make and remove sockets in root's own
 * directories, and what else a root's process could do to files ends with stage 2.
 *
 * Built with a sanitizer (CHNET_SANITIZE), stages keep everything but the filters, since sanitizers
 * make system calls of their own: sandbox_has_filters() tells.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * Stage 1, in the child. `parent` is the monitor's process id as seen before fork. The file mode
 * mask becomes 0117, so that sockets get mode 0660. Returns 0, or a negative errno with *ret_step
 * (static text) naming what failed, for "cannot %s"; the process must then end. -ESRCH: the monitor
 * died in between. Without the rights to give up, as when not started by root, that is no error.
 */
int sandbox_enter(pid_t parent, const char **ret_step);

/* Stage 2, for all threads of the process. 0 or a negative errno. */
int sandbox_settle(void);

/* Stage 3, for the calling thread. 0 or a negative errno. */
int sandbox_worker(void);

/* False in builds with a sanitizer. */
bool sandbox_has_filters(void);
