/* SPDX-License-Identifier: BSD-3-Clause */
/* A route netlink socket of libnl, and its errors as negative errno values. */
#pragma once

struct nl_sock;

/*
 * Opens a route netlink socket (close-on-exec) in the caller's network namespace, to which it stays
 * bound. The caller frees it with netlink_close(). Returns 0 or a negative errno.
 */
int netlink_open(struct nl_sock **ret_socket);

/* Closes the socket; NULL is allowed. */
void netlink_close(struct nl_sock *socket);

/* Turns an error of libnl (-NLE_*, or 0 and above for success) into a negative errno (or 0). */
int netlink_errno(int error);
