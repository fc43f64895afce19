/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the probe guest talks to: UDP echo, and a TCP server that sends it the test pattern or takes
 * and compares it, on one port of the gateway's address (guest/probe/check_tcp.c has the requests).
 *
 * One descriptor for poll(2); everything is done in probe_server_serve(), which never waits. Few
 * connections at a time, none for longer than the guest runs.
 */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

struct probe_server;

/*
 * Opens it at the address, which need not be there yet. Returns 0 or a negative errno;
 * probe_server_close() frees.
 */
int probe_server_open(struct in_addr address_be, struct probe_server **ret_server);

/* The port, host byte order, and the descriptor that is readable when there is something to do. */
uint16_t probe_server_port(const struct probe_server *server);
int probe_server_fd(const struct probe_server *server);

/* Does what there is to do. `context` is the server. */
void probe_server_serve(void *context);

/* NULL is allowed. */
void probe_server_close(struct probe_server *server);
