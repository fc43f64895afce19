/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * struct host has the list of forwards, the rules (nft_forward.c) are a picture of it: each change
 * makes a new list, has the rules follow in one transaction, and only then keeps the list.
 *
 * route_localnet of the TAP is on while a forward listens on a loopback address: it is switched on
 * behind the rules that keep guests from the host's loopback, and off before they go. It is a
 * property of the TAP and ends with it.
 */
#include "control/host/host_forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/host/address.h"
#include "control/host/host_build.h"
#include "control/host/sysctl.h"

/* Highest port. */
#define PORT_MAX 65535

/* Is it complete, and does it lead to a guest's address? */
static bool host_forward_is_valid(const struct host *host, const struct host_forward *forward)
{
	uint32_t mask_be = address_netmask_be(host->prefix_length).s_addr;
	uint32_t to_be = forward->to_be.s_addr;

	return (forward->protocol == IPPROTO_TCP || forward->protocol == IPPROTO_UDP) &&
	       forward->count > 0 && forward->listen_port > 0 && forward->to_port > 0 &&
	       forward->listen_port + forward->count - 1 <= PORT_MAX &&
	       forward->to_port + forward->count - 1 <= PORT_MAX &&
	       ((to_be ^ host->address_be.s_addr) & mask_be) == 0 &&
	       to_be != host->address_be.s_addr && to_be != host->outside_be.s_addr;
}

/* Do both take the same port of the same address? */
static bool host_forward_overlap(const struct host_forward *a, const struct host_forward *b)
{
	return a->protocol == b->protocol && a->listen_port < b->listen_port + b->count &&
	       b->listen_port < a->listen_port + a->count &&
	       (a->listen_be.s_addr == b->listen_be.s_addr || a->listen_be.s_addr == INADDR_ANY ||
		       b->listen_be.s_addr == INADDR_ANY);
}

static bool host_forward_equal(const struct host_forward *a, const struct host_forward *b)
{
	return a->listen_be.s_addr == b->listen_be.s_addr && a->to_be.s_addr == b->to_be.s_addr &&
	       a->listen_port == b->listen_port && a->to_port == b->to_port &&
	       a->count == b->count && a->protocol == b->protocol;
}

uint64_t host_forward_digest(const struct host_forward *forwards, size_t count)
{
	uint64_t digest = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < count; i++) {
		/* Field by field: what lies between them means nothing. */
		const uint32_t fields[] = {forwards[i].listen_be.s_addr, forwards[i].to_be.s_addr,
			forwards[i].listen_port, forwards[i].to_port, forwards[i].count,
			forwards[i].protocol};

		for (size_t j = 0; j < sizeof(fields) / sizeof(fields[0]); j++)
			digest = (digest ^ fields[j]) * UINT64_C(0x100000001b3);
	}
	return digest;
}

/* Does one of the forwards take a port of it already? */
static bool host_forward_is_taken(
	const struct host_forward *forwards, size_t count, const struct host_forward *forward)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (host_forward_overlap(&forwards[i], forward))
			return true;
	return false;
}

/* Are they more than there may be? */
static bool host_forward_are_too_many(
	enum nft_nat nat, const struct host_forward *forwards, size_t count)
{
	size_t shifted = 0;
	size_t i;

	if (count > HOST_FORWARDS_MAX)
		return true;
	for (i = 0; i < count; i++)
		if (forwards[i].listen_port != forwards[i].to_port)
			shifted += forwards[i].count;
	return nat == NFT_NAT_KERNEL && shifted > HOST_FORWARD_SHIFTED_MAX;
}

int host_forward_loopback(const struct host *host, bool on)
{
	char name[sizeof("net/ipv4/conf//route_localnet") + IFNAMSIZ];

	snprintf(name, sizeof(name), "net/ipv4/conf/%s/route_localnet", host->tap.name);
	return sysctl_write(name, on ? "1" : "0");
}

int host_forward_check(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	char listen[INET_ADDRSTRLEN], to[INET_ADDRSTRLEN];
	size_t i;

	if (host_forward_are_too_many(config->nat, config->forwards, config->forward_count))
		return host_fail(error, -ENOSPC,
			"there may be %d port forwards, and with the kernel's NAT %d ports that "
			"lead to ports with other numbers: leave some out",
			HOST_FORWARDS_MAX, HOST_FORWARD_SHIFTED_MAX);
	for (i = 0; i < config->forward_count; i++) {
		const struct host_forward *forward = &config->forwards[i];
		const char *protocol = forward->protocol == IPPROTO_UDP ? "udp" : "tcp";

		inet_ntop(AF_INET, &forward->listen_be, listen, sizeof(listen));
		inet_ntop(AF_INET, &forward->to_be, to, sizeof(to));
		if (!host_forward_is_valid(host, forward))
			return host_fail(error, -EINVAL,
				"the port forward %s:%s:%u=%s:%u of %u ports does not lead from "
				"ports 1 "
				"to 65535 to such ports of a guest",
				protocol, listen, forward->listen_port, to, forward->to_port,
				forward->count);
		if (host_forward_is_taken(config->forwards, i, forward))
			return host_fail(error, -EEXIST,
				"the port forward %s:%s:%u=%s:%u takes a port that another one "
				"takes",
				protocol, listen, forward->listen_port, to, forward->to_port);
		host->forwards[i] = *forward;
	}
	host->forward_count = config->forward_count;
	return 0;
}

/* Makes these the forwards of the host. */
static int host_forward_replace(
	struct host *host, const struct host_forward *forwards, size_t count)
{
	bool before = nft_forward_needs_loopback(host->forwards, host->forward_count);
	bool after = nft_forward_needs_loopback(forwards, count);
	int r = host_outside_change(host, forwards, count);

	if (r < 0)
		return r;
	if (before && !after)
		r = host_forward_loopback(host, false);
	if (r == 0)
		r = nft_set_forwards(host->nft, forwards, count);
	if (r == 0 && !before && after)
		r = host_forward_loopback(host, true);
	if (r < 0)
		goto fail;
	memcpy(host->forwards, forwards, count * sizeof(*forwards));
	host->forward_count = count;
	return 0;
fail:
	nft_set_forwards(host->nft, host->forwards, host->forward_count);
	if (before)
		host_forward_loopback(host, true);
	host_outside_change(host, host->forwards, host->forward_count);
	return r;
}

int host_forward_add(struct host *host, const struct host_forward *forward)
{
	struct host_forward forwards[HOST_FORWARDS_MAX];
	size_t count = host->forward_count;

	if (!host_forward_is_valid(host, forward) || !host_outside_allows(host, forward))
		return -EINVAL;
	if (host_forward_is_taken(host->forwards, count, forward))
		return -EEXIST;
	if (count == HOST_FORWARDS_MAX)
		return -ENOSPC;
	memcpy(forwards, host->forwards, count * sizeof(forwards[0]));
	forwards[count] = *forward;
	if (host_forward_are_too_many(host->nat, forwards, count + 1))
		return -ENOSPC;
	return host_forward_replace(host, forwards, count + 1);
}

int host_forward_remove(struct host *host, const struct host_forward *forward)
{
	struct host_forward forwards[HOST_FORWARDS_MAX];
	size_t count = 0;
	size_t i;

	for (i = 0; i < host->forward_count; i++)
		if (!host_forward_equal(&host->forwards[i], forward))
			forwards[count++] = host->forwards[i];
	if (count == host->forward_count)
		return -ENOENT;
	return host_forward_replace(host, forwards, count);
}
