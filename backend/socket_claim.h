/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The right to make the guests' sockets: one claim for each path, so that two networks never fight
 * over one, and nobody's live socket is ever removed.
 *
 * A claim is a locked file in the run directory, named after the socket's directory (device and
 * inode) and file name. Monitor and data plane share the lock (flock belongs to the open file,
 * which a child inherits), so a claim ends when both are gone. The file holds both process ids: who
 * finds the lock taken while the monitor in it is dead waits for the data plane, which the kernel
 * is about to kill, instead of refusing to start.
 *
 * A socket at which the VMM listens (mode=server) is the VMM's: it has a number here, its directory
 * counts like others, and it is neither claimed nor made nor removed. Who else connects to it is
 * the VMM's business.
 *
 * A socket file that nobody listens on is stale and is removed. One that answers, or any other
 * file, is somebody else's and is left alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct socket_claim;

/* The most paths of one claim. */
#define SOCKET_CLAIM_MAX 64

/*
 * Claims `count` paths, 1 to SOCKET_CLAIM_MAX, under the numbers from 0 on, but not those that bit
 * n of `of_vmms` says to be a VMM's. `directory_fd` is the run directory (borrowed). On success
 * returns 0 and *ret_claim, to be released by socket_claim_release(). Otherwise returns a negative
 * errno with one line in `error` (size bytes) for the user; nothing is then claimed or changed, but
 * for stale socket files, which are gone. -EADDRINUSE: somebody else has it; -ENOENT: no such
 * directory; -ENOTSOCK: another kind of file is there.
 */
int socket_claim_take(int directory_fd, const char *const paths[], unsigned int count,
	uint64_t of_vmms, struct socket_claim **ret_claim, char *error, size_t size);

/*
 * The same for one more path, a VMM's or one of ours, under a number below SOCKET_CLAIM_MAX that is
 * free. Errors as above, and nothing is changed then.
 */
int socket_claim_add(struct socket_claim *claim, unsigned int index, const char *path, bool is_vmms,
	char *error, size_t size);

/* Gives one path up, and removes its socket unless somebody listens there. Harmless for a number
 * that is free. */
void socket_claim_drop(struct socket_claim *claim, unsigned int index);

/* Removes the socket files that a dead data plane has left. Errors as above. */
int socket_claim_clear(struct socket_claim *claim, char *error, size_t size);

/* Notes who holds the claim: this process, and its data plane. */
void socket_claim_note(struct socket_claim *claim, pid_t data_plane);

/*
 * Whether this process can make the sockets with the rights that it has now; for the data plane,
 * which has dropped its own. 0, or a negative errno with one line in `error`.
 */
int socket_claim_check_rights(const struct socket_claim *claim, char *error, size_t size);

/*
 * Whose the sockets will be: in a directory of root's root's and, after sudo, the group's of the
 * user who called it; elsewhere the (first) directory's owner's and group's. And the directories of
 * all paths, as given: socket_claim_count() of them by number, NULL for numbers that are free.
 */
uid_t socket_claim_owner(const struct socket_claim *claim);
gid_t socket_claim_group(const struct socket_claim *claim);
const char *const *socket_claim_directories(const struct socket_claim *claim);

/* The descriptors that a data plane must keep open, by number; -1 for numbers that are free. */
const int *socket_claim_fds(const struct socket_claim *claim);

/* Numbers in use are below it. */
unsigned int socket_claim_count(const struct socket_claim *claim);

/* Removes the sockets, once the data plane is gone, and gives the claims up. NULL is allowed. */
void socket_claim_release(struct socket_claim *claim);
