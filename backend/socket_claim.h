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
 * A socket file that nobody listens on is stale and is removed. One that answers, or any other
 * file, is somebody else's and is left alone.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct socket_claim;

/*
 * Claims `count` paths. `directory_fd` is the run directory (borrowed). On success returns 0 and
 * *ret_claim, to be released by socket_claim_release(). Otherwise returns a negative errno with one
 * line in `error` (size bytes) for the user; nothing is then claimed or changed, but for stale
 * socket files, which are gone. -EADDRINUSE: somebody else has it; -ENOENT: no such directory;
 * -ENOTSOCK: another kind of file is there.
 */
int socket_claim_take(int directory_fd, const char *const paths[], unsigned int count,
	struct socket_claim **ret_claim, char *error, size_t size);

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
 * The owner of the first socket's directory, to whom the sockets will belong; and the directories
 * of all paths, as given (`count` of them, in the same order).
 */
uid_t socket_claim_owner(const struct socket_claim *claim);
gid_t socket_claim_group(const struct socket_claim *claim);
const char *const *socket_claim_directories(const struct socket_claim *claim);

/* The descriptors that a data plane must keep open: `count` of the claim's paths. */
const int *socket_claim_fds(const struct socket_claim *claim);

/* Removes the sockets, once the data plane is gone, and gives the claims up. NULL is allowed. */
void socket_claim_release(struct socket_claim *claim);
