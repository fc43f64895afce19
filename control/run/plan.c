/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * Two readings of one command line. The first, with sockets but without addresses of ours, gives
 * the LAN and what the environment says of the first guest. Then addresses that nobody has are
 * chosen, and the second reading, of the whole line, judges everything together.
 */
#include "control/run/plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend/options_value.h"
#include "control/host/run_path.h"

/* The first guest's MAC address; further ones count up from it. */
static const uint8_t first_mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
/* Addresses that can be counted up in the last three bytes of a MAC. */
#define MAC_COUNT 0x1000000U

/* What of a plan is being decided. */
struct decision {
	const struct plan_wishes *wishes;
	const char *backend_path;
	const struct plan_taken *taken;
	size_t taken_count;
	struct plan *plan;
	char *error;
};

/* Builds chnet-vhost's command line; with the addresses in plan->options unless `bare`. */
static void build(const struct decision *decision, bool bare)
{
	const struct plan_wishes *wishes = decision->wishes;
	struct arguments *line = &decision->plan->backend;
	char mac[sizeof(",mac=") + OPTIONS_MAC_TEXT], ip[sizeof(",ip=") + INET_ADDRSTRLEN];
	char text[OPTIONS_MAC_TEXT > INET_ADDRSTRLEN ? OPTIONS_MAC_TEXT : INET_ADDRSTRLEN];

	arguments_fini(line);
	arguments_add(line, "%s", decision->backend_path);
	arguments_add(line, "--name");
	arguments_add(line, "%s", wishes->network);
	for (size_t i = 0; i < decision->plan->nic_count; i++) {
		const struct options_socket *socket = &decision->plan->options.sockets[i];

		mac[0] = ip[0] = '\0';
		if (socket->has_mac)
			snprintf(mac, sizeof(mac), ",mac=%s", options_show_mac(socket->mac, text));
		if (socket->ip_be && !bare)
			snprintf(ip, sizeof(ip), ",ip=%s", options_show_ipv4(socket->ip_be, text));
		arguments_add(line, "--socket");
		/* The name is the machine's, at its first device. */
		arguments_add(line, "%s/%s.%zu.vhost%s%s%s%s", decision->plan->directory,
			wishes->network, i, mac, ip, i == 0 && wishes->hostname ? ",hostname=" : "",
			i == 0 && wishes->hostname ? wishes->hostname : "");
	}
	if (wishes->tap) {
		arguments_add(line, "--tap");
		arguments_add(line, "%s", wishes->tap);
	}
	if (wishes->host_ip) {
		arguments_add(line, "--host-ip");
		arguments_add(line, "%s", wishes->host_ip);
	}
	for (unsigned int i = 0; i < wishes->forward_count; i++) {
		arguments_add(line, "--forward");
		arguments_add(line, "%s", wishes->forwards[i]);
	}
}

/* Reads what was built. */
static int read_back(const struct decision *decision)
{
	struct plan *plan = decision->plan;
	enum options_action action;

	if (plan->backend.failed) {
		snprintf(decision->error, PLAN_ERROR_SIZE, "out of memory");
		return -ENOMEM;
	}
	return options_parse((int)plan->backend.count, plan->backend.words, &plan->options, &action,
		decision->error, PLAN_ERROR_SIZE);
}

/* Whether a guest of the network, or another device of this VM, has the MAC address. */
static bool has_mac(const struct decision *decision, const uint8_t mac[6])
{
	const struct plan *plan = decision->plan;

	for (size_t i = 0; i < decision->taken_count; i++)
		if (decision->taken[i].has_mac && memcmp(decision->taken[i].mac, mac, 6) == 0)
			return true;
	for (size_t i = 0; i < plan->nic_count; i++)
		if (plan->options.sockets[i].has_mac &&
			memcmp(plan->options.sockets[i].mac, mac, 6) == 0)
			return true;
	return false;
}

static bool has_ip(const struct decision *decision, uint32_t ip_be)
{
	const struct options *options = &decision->plan->options;

	if (ip_be == options->host_ip_be || ip_be == options->outside_be)
		return true;
	for (size_t i = 0; i < decision->taken_count; i++)
		if (decision->taken[i].ip_be == ip_be)
			return true;
	for (size_t i = 0; i < decision->plan->nic_count; i++)
		if (options->sockets[i].ip_be == ip_be)
			return true;
	return false;
}

static void choose_mac(const struct decision *decision, struct options_socket *socket)
{
	uint32_t start = (uint32_t)first_mac[3] << 16 | (uint32_t)first_mac[4] << 8 | first_mac[5];
	uint8_t mac[6];

	memcpy(mac, first_mac, sizeof(mac));
	/* Fewer guests than addresses: one of them is free. */
	for (uint32_t i = 0; i < MAC_COUNT; i++) {
		uint32_t number = start + i;

		mac[3] = (uint8_t)(number >> 16);
		mac[4] = (uint8_t)(number >> 8);
		mac[5] = (uint8_t)number;
		if (!has_mac(decision, mac))
			break;
	}
	memcpy(socket->mac, mac, sizeof(mac));
	socket->has_mac = true;
}

static int choose_ip(const struct decision *decision, struct options_socket *socket)
{
	const struct options *options = &decision->plan->options;
	uint32_t lan = ntohl(options->lan_be), hosts = UINT32_MAX >> options->prefix;

	for (uint32_t host = 1; host < hosts; host++) {
		if (has_ip(decision, htonl(lan + host)))
			continue;
		socket->ip_be = htonl(lan + host);
		return 0;
	}
	snprintf(decision->error, PLAN_ERROR_SIZE,
		"every address of the guests' LAN is taken: choose a larger one with --host-ip");
	return -ENOSPC;
}

/* Addresses for all devices that have none. */
static int choose(const struct decision *decision)
{
	struct plan *plan = decision->plan;

	for (size_t i = 0; i < plan->nic_count; i++) {
		struct options_socket *socket = &plan->options.sockets[i];
		int r = 0;

		if (!socket->has_mac)
			choose_mac(decision, socket);
		if (!socket->ip_be)
			r = choose_ip(decision, socket);
		if (r < 0)
			return r;
	}
	return 0;
}

int plan_make(const struct plan_wishes *wishes, const char *backend_path,
	const struct plan_taken *taken, size_t taken_count, struct plan *ret_plan, char *error)
{
	struct plan plan = {.nic_count = wishes->request->nic_count};
	const struct decision decision = {
		.wishes = wishes,
		.backend_path = backend_path,
		.taken = taken,
		.taken_count = taken_count,
		.plan = &plan,
		.error = error,
	};
	int r = run_path(plan.directory, sizeof(plan.directory), error, PLAN_ERROR_SIZE);

	for (size_t i = 0; i < plan.nic_count; i++) {
		const struct cloud_hypervisor_nic *nic = &wishes->request->nics[i];

		plan.options.sockets[i].has_mac = nic->has_mac;
		memcpy(plan.options.sockets[i].mac, nic->mac, sizeof(nic->mac));
	}
	if (r == 0) {
		build(&decision, true);
		r = read_back(&decision);
	}
	if (r == 0)
		r = choose(&decision);
	if (r == 0) {
		build(&decision, false);
		r = read_back(&decision);
	}
	if (r < 0) {
		plan_fini(&plan);
		return r;
	}
	*ret_plan = plan;
	return 0;
}

void plan_fini(struct plan *plan)
{
	arguments_fini(&plan->backend);
}
