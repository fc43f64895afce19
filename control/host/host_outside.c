/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * The block of ports that belongs to our NAT alone: the kernel must not give one of them to a
 * program of the host (reserved_ports.h), and the rules must be able to leave them alone
 * (nft_stateless.c). When either cannot be had the block is given up with a warning, and the kernel
 * masquerades. Without a way out, or the host's address there, the rules masquerade until
 * host_refresh() finds them.
 *
 * Forwarded ports are rewritten in the same way, so they are reserved too; those of loopback
 * addresses are not.
 */
#include <errno.h>
#include <string.h>

#include "control/host/host_build.h"
#include "control/host/reserved_ports.h"

#define LOOPBACK_NET 127

int host_outside_check(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	uint16_t low = config->outside_low, high = config->outside_high;

	if (high == 0 && low == 0)
		return 0;
	if (low == 0 || low > high)
		return host_fail(error, -EINVAL,
			"the outside ports %u-%u are no range of ports from 1 to 65535: choose "
			"another with --outside-ports",
			low, high);
	if (config->nat != NFT_NAT_USER)
		return host_fail(error, -EINVAL,
			"outside ports belong to chnet's own NAT: leave out --outside-ports, or "
			"take --nat user");
	host->outside_low = low;
	host->outside_high = high;
	for (size_t i = 0; i < host->forward_count; i++)
		if (!host_outside_allows(host, &host->forwards[i]))
			return host_fail(error, -EINVAL,
				"port forward %zu listens on one address at port %u, but the "
				"outside "
				"ports %u-%u are reached at all of the way out: choose other ports",
				i + 1, host->forwards[i].listen_port, low, high);
	return 0;
}

bool host_outside_allows(const struct host *host, const struct host_forward *forward)
{
	return host->outside_high == 0 || forward->listen_be.s_addr == INADDR_ANY ||
	       forward->listen_port > host->outside_high ||
	       forward->listen_port + forward->count - 1 < host->outside_low;
}

/* The block, and the forwarded ports that are rewritten with it. */
static void host_outside_wanted(const struct host *host, const struct host_forward *forwards,
	size_t count, struct port_set *ret_wanted)
{
	struct port_set wanted = {0};

	port_set_add(&wanted, host->outside_low, host->outside_high);
	for (size_t i = 0; i < count; i++)
		if (ntohl(forwards[i].listen_be.s_addr) >> 24 != LOOPBACK_NET)
			port_set_add(&wanted, forwards[i].listen_port,
				(uint16_t)(forwards[i].listen_port + forwards[i].count - 1));
	*ret_wanted = wanted;
}

void host_outside_give_up(struct host *host, const char *what, int r)
{
	host_warn(host,
		"the outside ports %u-%u cannot be had (%s: %s): the kernel masquerades, and its "
		"filtering and its limit of connections hold for guests too",
		host->outside_low, host->outside_high, what, strerror(-r));
	reserved_ports_release(host->reserved);
	host->reserved = NULL;
	host->outside_low = 0;
	host->outside_high = 0;
}

int host_outside_reserve(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	struct port_set wanted;
	int r;

	if (host->outside_high == 0) {
		/* What cannot be mended now is left for the next start. */
		reserved_ports_mend(config->run_directory);
		return 0;
	}
	host_outside_wanted(host, host->forwards, host->forward_count, &wanted);
	r = reserved_ports_hold(config->run_directory, host->tap.name, &wanted, &host->reserved);
	if (r == -EADDRINUSE)
		return host_fail(error, r,
			"another network of chnet has some of the ports %u-%u, or of those that "
			"are "
			"forwarded: choose others with --outside-ports and --forward",
			host->outside_low, host->outside_high);
	if (r < 0)
		host_outside_give_up(host, "net.ipv4.ip_local_reserved_ports", r);
	return 0;
}

int host_outside_change(struct host *host, const struct host_forward *forwards, size_t count)
{
	struct port_set wanted;

	if (!host->reserved)
		return 0;
	host_outside_wanted(host, forwards, count, &wanted);
	return reserved_ports_change(host->reserved, &wanted);
}
