/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <netinet/in.h>
#include <stddef.h>

/* Reads the first IPv4 name server of a resolv.conf(5). Returns 0, or -ENOENT when it has none. */
int name_server_first(const char *path, struct in_addr *ret_server_be);

/*
 * Asks the server for the root's name servers (RFC 1035), over UDP, and waits `limit_ms`. Returns 0
 * for an answer of any kind, -ETIMEDOUT, or a negative errno.
 */
int name_server_ask(struct in_addr server_be, int limit_ms);
