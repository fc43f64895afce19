/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/run/tap_network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/options_value.h"
#include "control/command.h"
#include "control/host/host.h"
#include "control/host/host_record.h"
#include "control/host/nft_view.h"
#include "control/host/run_path.h"
#include "control/number.h"
#include "control/run/standing.h"

uid_t tap_network_owner(void)
{
	const char *sudo = getenv("SUDO_UID");
	uint32_t uid;

	if (geteuid() == 0 && sudo && number_read(sudo, 0, UINT32_MAX - 1, &uid) == 0)
		return uid;
	return getuid();
}

/*
 * An address that stands for the guests where the rules of others are judged, and is none of
 * theirs: the highest of the LAN, or the lowest when the gateway has that.
 */
static uint32_t example_be(const struct options *options)
{
	uint32_t lan = ntohl(options->lan_be), last = lan | UINT32_MAX >> options->prefix;

	return htonl(last - 1) == options->host_ip_be ? htonl(lan + 1) : htonl(last - 1);
}

static struct host_config make_config(const struct plan *plan)
{
	const struct options *options = &plan->options;

	return (struct host_config){
		.tap = options->tap,
		.address_be.s_addr = options->host_ip_be,
		.prefix_length = options->prefix,
		.outside_be.s_addr = example_be(options),
		.nat = NFT_NAT_KERNEL,
		.run_directory = plan->directory,
		.forwards = options->forwards,
		.forward_count = options->forward_count,
		.for_vmm = true,
		.owner = tap_network_owner(),
		.network = options->name,
	};
}

/* Tells what does not stop the network. */
static void warn(const struct host *host)
{
	const char *line;

	for (size_t i = 0; (line = host_warning(host, i)); i++)
		fprintf(stderr, "chnet: warning: %s\n", line);
}

/* Whether an interface of that name is up, under the number that the record has. */
static bool is_there(const struct host_record *record)
{
	return if_nametoindex(record->tap) == (unsigned int)record->index;
}

/* Takes a network that is set up. 1: it is ours now; 0: there is none; or a negative errno. */
static int take_kept(
	const struct plan *plan, const char *directory, struct tap_network *network, char *error)
{
	const char *name = plan->options.name;
	struct host_record record;
	int fd = -1, r = host_record_open(directory, name, false, &fd);

	if (r == -ENOENT)
		return 0;
	if (r == -EWOULDBLOCK) {
		snprintf(error, PLAN_ERROR_SIZE,
			"the network %s has a VM on its TAP already: take another --name, TAP and "
			"--host-ip",
			name);
		return -EBUSY;
	}
	if (r == 0)
		r = host_record_read(fd, &record);
	if (r == 0 && record.kept && is_there(&record) && plan->options.forward_count) {
		snprintf(error, PLAN_ERROR_SIZE,
			"the network %s is set up already: give --forward to 'chnet setup'", name);
		r = -EEXIST;
	} else if (r == 0 && record.kept && is_there(&record)) {
		memcpy(network->tap, record.tap, sizeof(network->tap));
		network->record_fd = fd;
		return 1;
	} else if (r == -ENOENT || r == -EBADMSG) {
		r = 0;
	} else if (r < 0) {
		snprintf(error, PLAN_ERROR_SIZE, "cannot read the record of the network %s: %s",
			name, strerror(-r));
	}
	if (fd >= 0)
		close(fd);
	return r;
}

/* Reads what is set up under that name in the run directory; false: nothing is. */
static bool read_kept(const char *directory, const char *name, struct host_record *ret_record)
{
	char path[PLAN_PATH_SIZE];
	FILE *file;
	bool set_up;

	/* Without the lock: a VM may be running on it. */
	snprintf(path, sizeof(path), "%.400s/%.40s" HOST_RECORD_SUFFIX, directory, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	set_up = host_record_read(fileno(file), ret_record) == 0 && ret_record->kept &&
		 is_there(ret_record);
	fclose(file);
	return set_up;
}

bool tap_network_is_set_up(const char *directory, const char *name)
{
	struct host_record record;

	return read_kept(directory, name, &record);
}

int tap_network_plan(const struct plan_wishes *wishes, struct plan *ret_plan, char *error)
{
	char directory[PLAN_PATH_SIZE], address[INET_ADDRSTRLEN];
	struct plan_wishes there;
	struct standing standing = {0};
	struct host_record record;
	int r = run_path(directory, sizeof(directory), error, PLAN_ERROR_SIZE);

	if (r < 0)
		return r;
	if (!read_kept(directory, wishes->network, &record) &&
		!read_kept(RUN_PATH_ROOT, wishes->network, &record))
		return plan_make(wishes, "chnet-vhost", NULL, 0, ret_plan, error);
	memcpy(standing.tap, record.tap, sizeof(standing.tap));
	snprintf(standing.host_ip, sizeof(standing.host_ip), "%s/%u",
		options_show_ipv4(record.address_be.s_addr, address), record.prefix_length);
	r = standing_adopt(&standing, wishes, &there, error);
	return r < 0 ? r : plan_make(&there, "chnet-vhost", NULL, 0, ret_plan, error);
}

int tap_network_open(const struct plan *plan, struct tap_network *ret_network, char *error)
{
	struct tap_network network = {.record_fd = -1};
	const struct host_config config = make_config(plan);
	int r = take_kept(plan, plan->directory, &network, error);

	/* Root may have set it up for this user. */
	if (r == 0 && strcmp(plan->directory, RUN_PATH_ROOT) != 0)
		r = take_kept(plan, RUN_PATH_ROOT, &network, error);
	if (r == 0) {
		r = host_up(&config, &network.host, error, PLAN_ERROR_SIZE);
		if (r == 0) {
			memcpy(network.tap, plan->options.tap, sizeof(network.tap));
			warn(network.host);
		}
	}
	if (r == -EPERM || r == -EACCES)
		snprintf(error, PLAN_ERROR_SIZE,
			"making TAP %s is not permitted: run as root, or set it up once with 'sudo "
			"chnet setup'",
			plan->options.tap);
	if (r < 0)
		return r;
	*ret_network = network;
	return 0;
}

void tap_network_close(struct tap_network *network)
{
	if (!network)
		return;
	host_down(network->host);
	if (network->record_fd >= 0)
		close(network->record_fd);
}

/* Whether its rules let guests out. */
static bool has_rules(const char *tap)
{
	struct nft_view view;

	return nft_view_read(tap, &view) == 0 && view.masquerades && view.accepts;
}

/* Whether the record is of just this network, and all of it is there. */
static bool is_whole(const struct host_record *record, const struct host_config *config)
{
	return record->kept && strcmp(record->tap, config->tap) == 0 &&
	       record->owner == config->owner &&
	       record->address_be.s_addr == config->address_be.s_addr &&
	       record->prefix_length == config->prefix_length &&
	       record->forwards == host_forward_digest(config->forwards, config->forward_count) &&
	       is_there(record) && has_rules(record->tap);
}

/*
 * Looks at what is set up under that name. 1: it is just that; 0: there is none, any more; or a
 * negative errno with a line.
 */
static int replace(const struct host_config *config, char *error)
{
	struct host_record record;
	int fd, r = host_record_open(config->run_directory, config->network, false, &fd);

	if (r == -ENOENT || r == -EWOULDBLOCK)
		return 0; /* host_up() says so */
	if (r == 0) {
		r = host_record_read(fd, &record);
		if (r == 0 && is_whole(&record, config))
			r = 1;
		else if (r == 0)
			r = host_record_undo(config->run_directory, config->network, &record);
		if (r == 0 || r == -ENOENT || r == -EBADMSG) {
			host_record_remove(config->run_directory, config->network, fd);
			return 0;
		}
		close(fd);
	}
	if (r < 0)
		snprintf(error, PLAN_ERROR_SIZE, "cannot replace the network %s: %s",
			config->network, strerror(-r));
	return r;
}

int tap_network_setup(const struct plan *plan, char *error)
{
	struct host_config config = make_config(plan);
	struct host *host;

	/* Nobody will be there to follow the default route: any interface is a way out. */
	config.egress = "";
	config.keep = true;
	int r = replace(&config, error);
	if (r != 0)
		return r < 0 ? r : 0;
	r = host_up(&config, &host, error, PLAN_ERROR_SIZE);
	if (r < 0)
		return r;
	warn(host);
	host_leave(host);
	return 1;
}
