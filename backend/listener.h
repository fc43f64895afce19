/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The listening socket that librte_vhost made for a path. The library keeps it to itself and closes
 * it while its own thread may still poll it, and a socket listens as long as anyone polls it: a
 * front end would connect to nobody. So it is shut down first. Nor does the library show the
 * connections that it accepts there.
 */
#pragma once

/* The descriptor of this process that listens at `path`, or -1. */
int listener_find(const char *path);

/*
 * Makes the connection that was accepted last at `path` non-blocking; to be called for each. The
 * library reads the rest of a message, and writes its answers, in the one thread that serves every
 * front end: one that sends half a message, or asks and takes no answers, would stop that thread
 * for all. Now it loses its connection, or its answers. (A front end writes a message by one call,
 * so the rest is there when the header is.) 0, -ENOENT, or -errno of fcntl().
 */
int listener_unblock(const char *path);

/*
 * The same for the connection that this thread has just made (vhost_dial.h). The library shows as
 * little of it, and the name at its other end is whatever the VMM called it: so every stream of
 * this process to another Unix socket that has no name and blocks is meant. The only others of that
 * kind are what front ends pass in messages, which must not block either. 0 or -errno.
 */
int listener_unblock_dialled(void);

/* Refuses connections from now on. -1 is allowed. */
void listener_shut(int fd);
