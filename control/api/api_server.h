/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The API's server: HTTP on a listening local socket, through libmicrohttpd, without a thread of
 * its own. Whoever owns it polls its descriptor and calls api_server_run().
 */
#pragma once

#include "control/api/network.h"

struct api_server;

/* Connections at a time; further ones wait in the socket's queue. */
#define API_CONNECTIONS_MAX 16
/* How long a connection may say nothing, seconds. */
#define API_IDLE_S 10

/*
 * Serves `network` (copied; its context is borrowed) on `listen_fd`, which stays the caller's and
 * open. 0 with *ret_server, to be freed with api_server_free(), or a negative errno.
 */
int api_server_new(
	int listen_fd, const struct api_network *network, struct api_server **ret_server);

/* Ends all connections. NULL is allowed. */
void api_server_free(struct api_server *server);

/* Readable when there is work. */
int api_server_fd(const struct api_server *server);

/* How long until there is work anyhow, milliseconds; -1: for ever. */
int api_server_timeout_ms(const struct api_server *server);

/* Serves what is there, without waiting. */
void api_server_run(struct api_server *server);
