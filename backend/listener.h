/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The listening socket that librte_vhost made for a path. The library keeps it to itself and closes
 * it while its own thread may still poll it, and a socket listens as long as anyone polls it: a
 * front end would connect to nobody. So it is shut down first.
 */
#pragma once

/* The descriptor of this process that listens at `path`, or -1. */
int listener_find(const char *path);

/* Refuses connections from now on. -1 is allowed. */
void listener_shut(int fd);
