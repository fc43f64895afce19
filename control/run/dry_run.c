/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend/options_value.h"
#include "control/host/host_record.h"
#include "control/host/run_path.h"
#include "control/host/sysctl.h"
#include "control/run/network_view.h"
#include "control/run/run.h"
#include "control/run/tap_network.h"

/* One command on a line of its own, with `end` behind it. */
static void print_line(const struct arguments *line, const char *end)
{
	arguments_print(line, true, stdout);
	printf("%s\n", end);
}

/*
 * Joining, as somebody would type it: one port for each device, and its answer, which has the
 * port's number, kept for print_leave(). The sockets get names here, so that the VMM's line can
 * have them; else the network chooses them.
 */
static int print_join(const struct run *run, const struct plan *plan,
	char (*sockets)[OPTIONS_PATH_CAPACITY], struct run_reason *reason)
{
	char mac[OPTIONS_MAC_TEXT], ip[INET_ADDRSTRLEN];

	for (size_t i = 0; i < plan->nic_count; i++) {
		const struct options_socket *socket = &plan->options.sockets[i];
		struct arguments line = {0};

		options_show_ipv4(socket->ip_be, ip);
		if ((size_t)snprintf(sockets[i], OPTIONS_PATH_CAPACITY, "%s/ports/%s/%s.sock",
			    plan->directory, run->wishes.network, ip) >= OPTIONS_PATH_CAPACITY) {
			snprintf(reason->text, sizeof(reason->text),
				"XDG_RUNTIME_DIR is too long: take a shorter directory");
			return -ENAMETOOLONG;
		}
		arguments_add(&line, "chnet");
		arguments_add(&line, "port");
		arguments_add(&line, "add");
		arguments_add(&line, "--name");
		arguments_add(&line, "%s", run->wishes.network);
		arguments_add(&line, "--mac");
		arguments_add(&line, "%s", options_show_mac(socket->mac, mac));
		arguments_add(&line, "--ip");
		arguments_add(&line, "%s", ip);
		if (socket->hostname[0]) {
			arguments_add(&line, "--hostname");
			arguments_add(&line, "%s", socket->hostname);
		}
		arguments_add(&line, "%s", sockets[i]);
		printf("port%zu=$(", i);
		print_line(&line, ")");
		arguments_fini(&line);
	}
	return 0;
}

/* Takes those ports away: their numbers stand in "port NUMBER: SOCKET". */
static void print_leave(const struct run *run, const struct plan *plan)
{
	for (size_t i = 0; i < plan->nic_count; i++)
		printf("port%zu=${port%zu%%%%:*}\n"
		       "chnet port del --name %s \"${port%zu#port }\"\n",
			i, i, run->wishes.network, i);
}

/* As enter_in_turn() of run.c has it. */
static int check_kept(const struct run *run, struct run_reason *reason)
{
	char directory[PLAN_PATH_SIZE];
	int r = run_path(directory, sizeof(directory), reason->text, sizeof(reason->text));

	if (r < 0 || !tap_network_is_set_up(directory, run->wishes.network))
		return r;
	snprintf(reason->text, sizeof(reason->text),
		"the network %s is set up for a TAP: 'chnet cleanup' takes that away",
		run->wishes.network);
	return -EEXIST;
}

int run_print_vhost_user(struct run *run, struct run_reason *reason)
{
	struct arguments line = {0};
	struct network_view view;
	struct plan plan = {0};
	char backend[PLAN_PATH_SIZE];
	char sockets[CLOUD_HYPERVISOR_NICS_MAX][OPTIONS_PATH_CAPACITY];
	bool joined = false;
	int r = run_check_vhost_user(run, backend, reason);

	if (r == 0)
		r = check_kept(run, reason);
	if (r < 0)
		return r;
	r = network_view_read(run->wishes.network, &view, reason->text);
	run->no_tap = r != -ENOENT;
	if (r == -ENOENT)
		r = plan_make(&run->wishes, backend, NULL, 0, &plan, reason->text);
	else if (r == 0) {
		r = network_view_plan(&view, &run->wishes, backend, &plan, reason->text);
		joined = true;
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < plan.nic_count; i++)
		memcpy(sockets[i], plan.options.sockets[i].path, sizeof(sockets[i]));
	if (joined)
		r = print_join(run, &plan, sockets, reason);
	else
		print_line(&plan.backend, " &");
	if (r == 0) {
		run_command(run, &plan, sockets, NULL, &line);
		print_line(&line, "");
	}
	if (r == 0 && joined)
		print_leave(run, &plan);
	else if (r == 0)
		puts("kill $!");
	arguments_fini(&line);
	plan_fini(&plan);
	return r;
}

/* The rules of the TAP mode, as nft would take them. */
static void print_rules(const struct options *options, bool forward)
{
	char lan[INET_ADDRSTRLEN];

	options_show_ipv4(options->lan_be, lan);
	printf("nft add table ip chnet-%s\n", options->tap);
	printf("nft add chain ip chnet-%s postrouting "
	       "'{ type nat hook postrouting priority srcnat; }'\n",
		options->tap);
	printf("nft add rule ip chnet-%s postrouting oifname != %s ip saddr %s/%u ip daddr != "
	       "%s/%u masquerade\n",
		options->tap, options->tap, lan, options->prefix, lan, options->prefix);
	printf("nft add chain ip chnet-%s forward "
	       "'{ type filter hook forward priority filter; }'\n",
		options->tap);
	printf("nft add rule ip chnet-%s forward iifname %s ip saddr %s/%u accept\n", options->tap,
		options->tap, lan, options->prefix);
	printf("nft add rule ip chnet-%s forward oifname %s ct state established,related accept\n",
		options->tap, options->tap);
	if (forward)
		printf("# and the rules of --forward\n");
}

/* Makes the TAP, its address and rules. */
static void print_up(const struct options *options, bool forwards)
{
	char ip[INET_ADDRSTRLEN];

	printf("ip tuntap add dev %s mode tap user %u\n", options->tap, tap_network_owner());
	printf("ip address add %s/%u dev %s\n", options_show_ipv4(options->host_ip_be, ip),
		options->prefix, options->tap);
	printf("ip link set %s up\n", options->tap);
	if (!forwards)
		printf("sysctl -w net.ipv4.ip_forward=1\n");
	print_rules(options, options->forward_count > 0);
}

/* Takes them away. */
static void print_down(const struct options *options, bool forwards)
{
	printf("nft delete table ip chnet-%s\n", options->tap);
	printf("ip link delete %s\n", options->tap);
	if (!forwards)
		printf("sysctl -w net.ipv4.ip_forward=0\n");
}

/* The TAP of a network that is set up in that directory; false when there is none. */
static bool find_kept(const char *directory, const char *name, char tap[IFNAMSIZ])
{
	char path[PLAN_PATH_SIZE];
	struct host_record record;
	FILE *file;
	bool found;

	if (!tap_network_is_set_up(directory, name))
		return false;
	snprintf(path, sizeof(path), "%.400s/%.40s" HOST_RECORD_SUFFIX, directory, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	found = host_record_read(fileno(file), &record) == 0;
	if (found)
		memcpy(tap, record.tap, sizeof(record.tap));
	fclose(file);
	return found;
}

int run_print_tap(struct run *run, struct run_reason *reason)
{
	struct arguments line = {0};
	struct plan plan;
	char kept[IFNAMSIZ], value[8] = "";
	int r = tap_network_plan(&run->wishes, &plan, reason->text);

	if (r < 0)
		return r;
	bool is_kept = find_kept(plan.directory, run->wishes.network, kept) ||
		       find_kept(RUN_PATH_ROOT, run->wishes.network, kept);
	bool forwards = sysctl_read("net/ipv4/ip_forward", value, sizeof(value)) == 0 &&
			strcmp(value, "0") != 0;

	if (is_kept && plan.options.forward_count) {
		snprintf(reason->text, sizeof(reason->text),
			"the network %s is set up already: give --forward to 'chnet setup'",
			run->wishes.network);
		plan_fini(&plan);
		return -EEXIST;
	}
	if (is_kept)
		printf("# TAP %s is there: 'chnet setup' made it, and it stays\n", kept);
	else
		print_up(&plan.options, forwards);
	run_command(run, &plan, NULL, is_kept ? kept : plan.options.tap, &line);
	print_line(&line, "");
	if (!is_kept)
		print_down(&plan.options, forwards);
	arguments_fini(&line);
	plan_fini(&plan);
	return 0;
}
