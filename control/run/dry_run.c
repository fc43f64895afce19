/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend/options_value.h"
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

/* What an HTTP client would send to join. */
static void print_join(const struct run *run, const struct plan *plan)
{
	char mac[OPTIONS_MAC_TEXT], ip[INET_ADDRSTRLEN];

	for (size_t i = 0; i < plan->nic_count; i++)
		printf("chnet port add --name %s --socket %s --mac %s --ip %s\n",
			run->wishes.network, plan->options.sockets[i].path,
			options_show_mac(plan->options.sockets[i].mac, mac),
			options_show_ipv4(plan->options.sockets[i].ip_be, ip));
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
	if (joined)
		print_join(run, &plan);
	else
		print_line(&plan.backend, " &");
	for (size_t i = 0; i < plan.nic_count; i++)
		memcpy(sockets[i], plan.options.sockets[i].path, sizeof(sockets[i]));
	run_command(run, &plan, sockets, NULL, &line);
	print_line(&line, "");
	printf(joined ? "# then the port is taken away again: chnet port del\n" : "kill $!\n");
	arguments_fini(&line);
	plan_fini(&plan);
	return 0;
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

int run_print_tap(struct run *run, struct run_reason *reason)
{
	struct arguments line = {0};
	struct plan plan;
	char ip[INET_ADDRSTRLEN];
	int r = tap_network_plan(&run->wishes, &plan, reason->text);

	if (r < 0)
		return r;
	const char *tap = plan.options.tap;
	char value[8] = "";
	bool forwards = sysctl_read("net/ipv4/ip_forward", value, sizeof(value)) == 0 &&
			strcmp(value, "0") != 0;

	printf("ip tuntap add dev %s mode tap user %u\n", tap, tap_network_owner());
	printf("ip address add %s/%u dev %s\n", options_show_ipv4(plan.options.host_ip_be, ip),
		plan.options.prefix, tap);
	printf("ip link set %s up\n", tap);
	if (!forwards)
		printf("sysctl -w net.ipv4.ip_forward=1\n");
	print_rules(&plan.options, plan.options.forward_count > 0);
	run_command(run, &plan, NULL, tap, &line);
	print_line(&line, "");
	printf("nft delete table ip chnet-%s\n", tap);
	printf("ip link delete %s\n", tap);
	if (!forwards)
		printf("sysctl -w net.ipv4.ip_forward=0\n");
	arguments_fini(&line);
	plan_fini(&plan);
	return 0;
}
