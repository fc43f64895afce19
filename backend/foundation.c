/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/foundation.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/dns_counters.h"
#include "backend/forward_check.h"
#include "backend/log.h"
#include "backend/memory_available.h"
#include "backend/way_out.h"
#include "control/host/host.h"
#include "guest/services/dhcp_lease.h"

#define WAY_OUT_SIZE 4096

static int claim_sockets(struct foundation *foundation, const struct options *options, char *error)
{
	const char *paths[OPTIONS_SOCKETS_MAX];
	uint64_t of_vmms = 0;

	for (unsigned int i = 0; i < options->socket_count; i++) {
		paths[i] = options->sockets[i].path;
		of_vmms |= (uint64_t)options->sockets[i].vmm_listens << i;
	}
	return socket_claim_take(foundation->run_directory.fd, paths, options->socket_count,
		of_vmms, &foundation->claim, error, FOUNDATION_ERROR_CAPACITY);
}

/* Notes a directory, once. 0 or -ENOMEM. */
static int note_directory(struct foundation *foundation, const char *path)
{
	for (unsigned int i = 0; i < foundation->directory_count; i++)
		if (strcmp(foundation->directories[i], path) == 0)
			return 0;
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	foundation->directories[foundation->directory_count++] = copy;
	return 0;
}

/* What changes while the network runs: who may ask for it, and where new sockets go. */
static int open_control(struct foundation *foundation, const struct options *options, char *error)
{
	const char *const *paths = socket_claim_directories(foundation->claim);
	uid_t uid = socket_claim_owner(foundation->claim);
	gid_t gid = socket_claim_group(foundation->claim);

	int result = api_socket_open(&foundation->api, &foundation->run_directory, options->api,
		options->name, gid, error, FOUNDATION_ERROR_CAPACITY);
	if (result)
		return result;
	result = ports_directory_open(&foundation->ports_directory, &foundation->run_directory,
		options->name, uid, gid, error, FOUNDATION_ERROR_CAPACITY);
	if (result)
		return result;
	result = note_directory(foundation, foundation->ports_directory.path);
	for (unsigned int i = 0; !result && i < socket_claim_count(foundation->claim); i++)
		result = note_directory(foundation, paths[i]);
	if (result)
		snprintf(error, FOUNDATION_ERROR_CAPACITY, "out of memory");
	return result;
}

/* The host's side also checks the rules of others, with this address as the guests' example. */
static uint32_t example_be(const struct options *options)
{
	uint32_t highest_be = htonl((ntohl(options->lan_be) | UINT32_MAX >> options->prefix) - 1);
	uint32_t lowest_be = htonl(ntohl(options->lan_be) + 1);

	if (options->outside_be)
		return options->outside_be;
	return highest_be == options->host_ip_be ? lowest_be : highest_be;
}

static int build_host(struct foundation *foundation, const struct options *options, char *error)
{
	const struct host_config config = {
		.tap = options->tap,
		.queues = 1,
		.address_be.s_addr = options->host_ip_be,
		.prefix_length = options->prefix,
		.outside_be.s_addr = example_be(options),
		.nat = options->nat == OPTIONS_NAT_KERNEL ? NFT_NAT_KERNEL : NFT_NAT_USER,
		.run_directory = foundation->run_directory.path,
		.forwards = options->forwards,
		.forward_count = options->forward_count,
		.outside_low = options->outside_low,
		.outside_high = options->outside_high,
	};

	if (options->uplink == OPTIONS_UPLINK_NONE)
		return 0;
	int result = forward_check(options, error, FOUNDATION_ERROR_CAPACITY);
	if (result)
		return result;
	result = host_up(&config, &foundation->host, error, FOUNDATION_ERROR_CAPACITY);
	if (result)
		return result;
	const char *warning;
	for (size_t i = 0; (warning = host_warning(foundation->host, i)); i++)
		log_warning("%s", warning);
	return 0;
}

/*
 * Memory is taken as sessions come; without this look, a table that never fits would end in the
 * kernel killing something, some day. The index in private memory is as large again at the most.
 */
static int check_memory(const struct options *options, size_t flow_size, char *error)
{
	uint64_t free = memory_available(), need = flow_size * UINT64_C(2);

	if (need <= free)
		return 0;
	snprintf(error, FOUNDATION_ERROR_CAPACITY,
		"cannot get memory for %u sessions: they can need %" PRIu64 " MiB and %" PRIu64
		" MiB are free: take fewer with --sessions",
		options->sessions, need >> 20, free >> 20);
	return -ENOMEM;
}

static uint32_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)now.tv_sec;
}

/* Guests of a network that cannot remember its leases are served all the same. */
static int make_leases(struct foundation *foundation, const struct options *options)
{
	const char *directory = foundation->run_directory.path;

	int result = lease_file_open(directory, options->name, sizeof(struct dhcp_table),
		&foundation->leases, &foundation->lease_file);
	if (!result) {
		dhcp_table_reopen(foundation->leases.address, now_s());
		return 0;
	}
	log_warning("DHCP: %s/%s" LEASE_FILE_SUFFIX ": %s: the next start will not know the "
		    "leases of this one",
		directory, options->name, strerror(-result));
	return shared_memory_init(&foundation->leases, "chnet-leases", sizeof(struct dhcp_table));
}

static int make_memory(struct foundation *foundation, const struct options *options,
	size_t flow_size, size_t stats_size, char *error)
{
	bool nat = options->uplink == OPTIONS_UPLINK_TAP && options->nat == OPTIONS_NAT_USER;
	int result = nat ? check_memory(options, flow_size, error) : 0;
	if (result)
		return result;
	result = shared_memory_init(&foundation->stats, "chnet-stats", stats_size);
	if (!result && nat)
		result = shared_memory_init(&foundation->way_out, "chnet-way-out", WAY_OUT_SIZE);
	if (!result && nat)
		result = shared_memory_init(&foundation->flows, "chnet-flows", flow_size);
	if (!result && options->dhcp)
		result = make_leases(foundation, options);
	if (!result && options->dns && options->uplink == OPTIONS_UPLINK_TAP)
		result = shared_memory_init(
			&foundation->dns, "chnet-dns", sizeof(struct dns_counters));
	if (result)
		snprintf(error, FOUNDATION_ERROR_CAPACITY,
			"cannot get memory for %u sessions (%zu bytes): %s: take fewer with "
			"--sessions",
			options->sessions, flow_size, strerror(-result));
	return result;
}

void foundation_tell_way_out(struct foundation *foundation)
{
	const struct host *host = foundation->host;
	uint64_t *word = foundation->way_out.address;

	if (!host || !word)
		return;
	uint32_t mtu = host_path_mtu(host);
	struct way_out way = {
		.address_be = host_egress_address_be(host).s_addr,
		.mtu = mtu < UINT16_MAX ? (uint16_t)mtu : UINT16_MAX,
		.owns_ports = host_is_stateless(host),
	};
	/* Between two networks it has none; the last one may well come back. */
	if (!way.address_be)
		way.address_be = way_out_unpack(way_out_read(word)).address_be;
	way_out_write(word, way);
}

int foundation_init(struct foundation *foundation, const struct options *options, size_t flow_size,
	size_t stats_size, char *error)
{
	*foundation = (struct foundation){.run_directory.fd = -1, .api.fd = -1};
	int result =
		run_directory_open(&foundation->run_directory, error, FOUNDATION_ERROR_CAPACITY);
	if (!result)
		result = claim_sockets(foundation, options, error);
	if (!result)
		result = open_control(foundation, options, error);
	if (!result)
		result = make_memory(foundation, options, flow_size, stats_size, error);
	if (!result)
		result = build_host(foundation, options, error);
	if (result)
		foundation_fini(foundation);
	else
		foundation_tell_way_out(foundation);
	return result;
}

void foundation_fini(struct foundation *foundation)
{
	host_down(foundation->host);
	foundation->host = NULL;
	shared_memory_fini(&foundation->flows);
	shared_memory_fini(&foundation->way_out);
	shared_memory_fini(&foundation->stats);
	lease_file_close(&foundation->lease_file,
		foundation->leases.address && dhcp_table_is_empty(foundation->leases.address));
	shared_memory_fini(&foundation->leases);
	shared_memory_fini(&foundation->dns);
	socket_claim_release(foundation->claim);
	foundation->claim = NULL;
	ports_directory_close(&foundation->ports_directory, &foundation->run_directory);
	api_socket_close(&foundation->api);
	for (unsigned int i = 0; i < foundation->directory_count; i++)
		free(foundation->directories[i]);
	foundation->directory_count = 0;
	run_directory_close(&foundation->run_directory);
}
