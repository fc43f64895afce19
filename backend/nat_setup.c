/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forwards are kept in the flow memory, so that no packet finds them missing when a data plane is
 * replaced. The configuration may have changed in between: what is not in it goes, then what is
 * missing comes.
 */
#include "backend/nat_setup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "backend/log.h"
#include "backend/options.h"
#include "backend/options_value.h"
#include "backend/session_log.h"
#include "backend/stats.h"
#include "backend/way_out.h"
#include "control/host/host_forward.h"
#include "nat/nat.h"

struct nat_forward nat_setup_forward(const struct host_forward *forward)
{
	return (struct nat_forward){
		.inside_be = forward->to_be.s_addr,
		.inside_port = forward->to_port,
		.outside_port = forward->listen_port,
		.count = forward->count,
		.protocol = forward->protocol,
	};
}

static bool is_equal(const struct nat_forward *a, const struct nat_forward *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool is_wanted(const struct dataplane_config *config, const struct nat_forward *forward)
{
	for (size_t i = 0; i < config->forward_count; i++) {
		struct nat_forward wanted = nat_setup_forward(&config->forwards[i]);
		if (is_equal(&wanted, forward))
			return true;
	}
	return false;
}

static int add_forward(struct nat *nat, const struct host_forward *forward)
{
	struct nat_forward wanted = nat_setup_forward(forward);
	char guest[INET_ADDRSTRLEN];
	int error = nat_forward_add(nat, &wanted);

	if (error)
		log_error("forward of %s port %u to %s: the NAT refuses it: %s",
			forward->protocol == IPPROTO_TCP ? "tcp" : "udp", forward->listen_port,
			options_show_ipv4(forward->to_be.s_addr, guest),
			error == -EADDRINUSE ? "a session of another guest has that port"
					     : strerror(-error));
	/* Such a session ends some time; the others need not wait for it. */
	return error == -EADDRINUSE ? 0 : error;
}

static int match_forwards(struct nat *nat, const struct dataplane_config *config)
{
	struct nat_forward kept[HOST_FORWARDS_MAX];
	uint32_t count = nat_forward_list(nat, kept, HOST_FORWARDS_MAX);

	for (uint32_t i = 0; i < count; i++)
		if (!is_wanted(config, &kept[i]))
			nat_forward_remove(nat, &kept[i]);
	for (size_t i = 0; i < config->forward_count; i++) {
		struct nat_forward wanted = nat_setup_forward(&config->forwards[i]);
		bool present = false;
		for (uint32_t j = 0; j < count; j++)
			present |= is_equal(&wanted, &kept[j]);
		int error = present ? 0 : add_forward(nat, &config->forwards[i]);
		if (error)
			return error;
	}
	return 0;
}

static void tell(const struct dataplane_config *config, int adopted)
{
	if (adopted == -EPROTO)
		log_warning("flow memory is of another version or configuration: starting with no "
			    "sessions");
	else if (adopted)
		log_info("flow memory adopted with %" PRIu64 " sessions",
			config->stats->nat.sessions_live);
}

int nat_setup_new(const struct dataplane_config *config, struct session_log *log, uint64_t now_ns,
	struct nat **ret_nat)
{
	struct nat_config nat_config = options_nat_config(config->options);
	struct nat *nat;
	int adopted = 0;

	if (config->way_out) {
		struct way_out way = way_out_unpack(way_out_read(config->way_out));
		nat_config.alias_be = way.address_be;
		nat_config.alias_owns_range = way.owns_ports;
	}
	nat_config.counters = &config->stats->nat;
	nat_config.log = log ? session_log_put : NULL;
	nat_config.log_userdata = log;
	int error = nat_new(
		&nat_config, config->flow_memory, config->flow_memory_size, now_ns, &adopted, &nat);
	if (error) {
		log_error("no memory for the NAT's tables of %u sessions: %s: take fewer with "
			  "--sessions",
			config->options->sessions, strerror(-error));
		return error;
	}
	tell(config, adopted);
	error = match_forwards(nat, config);
	if (error) {
		nat_free(nat);
		return error;
	}
	*ret_nat = nat;
	return 0;
}
