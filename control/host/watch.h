/* SPDX-License-Identifier: BSD-3-Clause */
/* Tells when links, IPv4 addresses or routes of the host may have changed. */
#pragma once

#include <stdbool.h>

struct nl_sock;

/*
 * Opens a socket whose descriptor (watch_fd) becomes readable when something changes. It belongs to
 * the caller, who closes it with netlink_close(). Returns 0 or a negative errno.
 */
int watch_open(struct nl_sock **ret_watch);

/* The descriptor to poll for reading. */
int watch_fd(const struct nl_sock *watch);

/* Throws away what has been reported. Returns whether there was anything. */
bool watch_drain(struct nl_sock *watch);
