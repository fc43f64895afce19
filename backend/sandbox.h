/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the data plane gives up, in three stages.
 *
 * 1. sandbox_enter(), after fork and before the first thread: the user and group that the sockets
 *    belong to, no capability in any set, no new privileges, no core dumps, SIGKILL when the
 *    monitor dies, no changes to files but the sockets (where the kernel has Landlock), and the
 *    wide system call filter. All threads inherit all of it.
 * 2. sandbox_settle(), right after rte_eal_init() and before any worker calls sandbox_worker(): no
 *    thread opens a file or maps code any more; stream sockets may still be made and bound.
 *    (Threads name themselves then: naming another thread opens a file of /proc.)
 * 3. sandbox_worker(), in each worker before it touches a guest's bytes: reading and writing open
 *    descriptors, waiting, and mapping memory (the SIGBUS handler's), nothing else.
 *
 * Sockets connect to nobody, unless the configuration has one at which the VMM listens: filters see
 * no paths, so it is to any Unix socket that the user may write to then (docs/threat-model.md).
 *
 * A system call that no honest data plane makes kills the process (SIGSYS); the monitor says so and
 * starts another. Calls that libraries try but can do without fail with an error instead.
 *
 * Sockets in a directory of root's need root's user id, if without its capabilities. In any other
 * directory they belong to that directory's owner, and the data plane runs with that user's id.
 *
 * Built with a sanitizer (CHNET_SANITIZE), stages keep everything but the filters and the
 * restriction of files, since sanitizers make system calls of their own: sandbox_has_filters()
 * tells.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct sandbox_config {
	pid_t parent; /* the monitor, as seen before fork */
	/* For who may choose, that is root; others keep theirs. */
	uid_t uid;
	gid_t gid;
	const char *const *directories; /* where sockets may be made */
	unsigned int directory_count;
	bool connects; /* to sockets of VMMs; else to nobody */
	bool resolver; /* for the DNS server: its filter in place of the wide one */
};

/*
 * Stage 1, in the child. The file mode mask becomes 0117, so that sockets get mode 0660. Returns 0,
 * or a negative errno with *ret_step (static text) naming what failed, for "cannot %s"; the process
 * must then end. -ESRCH: the monitor died in between. Without the rights to give up, as when not
 * started by root, that is no error.
 */
int sandbox_enter(const struct sandbox_config *config, const char **ret_step);

/* Stage 2, for all threads of the process. 0 or a negative errno. */
int sandbox_settle(void);

/* Stage 3, for the calling thread. 0 or a negative errno. */
int sandbox_worker(void);

/* False in builds with a sanitizer. */
bool sandbox_has_filters(void);
