/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/forward_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend/options_value.h"
#include "control/host/port_use.h"

static int refuse(
	const struct host_forward *forward, uint16_t port, int cause, char *error, size_t size)
{
	const char *protocol = forward->protocol == IPPROTO_TCP ? "tcp" : "udp";
	char address[INET_ADDRSTRLEN];

	options_show_ipv4(forward->listen_be.s_addr, address);
	if (cause == -EADDRINUSE)
		snprintf(error, size,
			"--forward %s:%u: port %u is in use by a program of the host: stop that, "
			"or forward another port",
			protocol, forward->listen_port, port);
	else if (cause == -EADDRNOTAVAIL)
		snprintf(error, size,
			"--forward %s:%s:%u: the host has no address %s: take one of its own, or "
			"leave the address out",
			protocol, address, forward->listen_port, address);
	else
		snprintf(error, size, "--forward %s:%u: cannot look whether port %u is free: %s",
			protocol, forward->listen_port, port, strerror(-cause));
	return cause;
}

int forward_check_one(const struct host_forward *forward, bool is_present, char *error, size_t size)
{
	for (uint32_t i = 0; i < forward->count; i++) {
		uint16_t port = (uint16_t)(forward->listen_port + i);
		int result =
			port_use_check(forward->listen_be, port, forward->protocol, is_present);
		if (result)
			return refuse(forward, port, result, error, size);
	}
	return 0;
}

int forward_check(const struct options *options, char *error, size_t size)
{
	int result = 0;

	for (unsigned int i = 0; !result && i < options->forward_count; i++) {
		const struct host_forward *forward = &options->forwards[i];
		/* The gateway's address comes with the TAP. */
		bool is_present = forward->listen_be.s_addr != options->host_ip_be;
		result = forward_check_one(forward, is_present, error, size);
	}
	return result;
}
