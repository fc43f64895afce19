/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/run/run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/options_value.h"
#include "control/client.h"
#include "control/host/host.h"
#include "control/host/run_path.h"
#include "control/run/network_view.h"
#include "control/run/program.h"
#include "control/run/tap_network.h"
#include "control/run/vhost_network.h"
#include "control/vmm/refusal.h"

void run_command(const struct run *run, const struct plan *plan,
	const char (*sockets)[OPTIONS_PATH_CAPACITY], const char *tap, struct arguments *ret_line)
{
	struct cloud_hypervisor_link links[CLOUD_HYPERVISOR_NICS_MAX] = {0};

	for (size_t i = 0; i < plan->nic_count; i++) {
		links[i].socket = sockets ? sockets[i] : NULL;
		links[i].tap = tap;
		memcpy(links[i].mac, plan->options.sockets[i].mac, sizeof(links[i].mac));
	}
	arguments_add(ret_line, "%s", run->vmm);
	cloud_hypervisor_build(run->argc, run->argv, links, ret_line);
}

/* Says what the guest is to know. */
static void announce(const struct plan *plan, const char *how)
{
	char ip[INET_ADDRSTRLEN], gateway[INET_ADDRSTRLEN];

	fprintf(stderr, "chnet: network %s by %s: guest %s/%u, gateway %s\n", plan->options.name,
		how, options_show_ipv4(plan->options.sockets[0].ip_be, ip), plan->options.prefix,
		options_show_ipv4(plan->options.host_ip_be, gateway));
}

/* Says why a TAP is taken that nobody asked for; once. */
static void announce_instead(struct run *run)
{
	if (run->instead[0])
		fprintf(stderr, "chnet: TAP instead of vhost-user: %s\n", run->instead);
	run->instead[0] = '\0';
}

/* Starts the VMM and waits for its end. */
static int run_vmm(struct run *run, const struct arguments *line, const struct supervise_work *work,
	int *ret_status, struct run_reason *reason)
{
	int status = line->failed ? -ENOMEM : supervise_run(&run->supervise, line, work);

	if (status < 0) {
		snprintf(reason->text, sizeof(reason->text), "cannot start %.300s: %s", run->vmm,
			strerror(-status));
		return status;
	}
	*ret_status = status;
	return 0;
}

int run_check_vhost_user(const struct run *run, char *backend, struct run_reason *reason)
{
	int fd, r = cloud_hypervisor_check_vhost_user(run->argc, run->argv, reason->text);

	if (r < 0)
		return r;
	fd = memfd_create("chnet-probe", MFD_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		snprintf(reason->text, sizeof(reason->text),
			"this kernel gives no memory that can be shared (memfd_create: %s)",
			strerror(-r));
		return r;
	}
	close(fd);
	r = program_find_beside("chnet-vhost", backend, PLAN_PATH_SIZE);
	if (r < 0)
		snprintf(reason->text, sizeof(reason->text),
			"chnet-vhost is neither beside chnet nor in PATH%s",
			r == -EACCES ? " as a program that may be started" : "");
	return r;
}

/* Whether the VMM ended because it did not want the device, before a guest ran. */
static bool refused_device(const struct run *run, int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) != 0 && !run->supervise.stop_signal &&
	       refusal_is_of_vhost_user(run->supervise.tail);
}

/* Starts or joins the network. During a turn. */
static int enter(struct run *run, const char *backend, struct plan *plan,
	struct vhost_network *network, struct run_reason *reason)
{
	struct network_view view;
	int r = network_view_read(run->wishes.network, &view, reason->text);

	run->no_tap = r != -ENOENT;
	if (r == -ENOENT) {
		r = plan_make(&run->wishes, backend, NULL, 0, plan, reason->text);
		if (r < 0)
			return r;
		r = vhost_network_start(plan, &run->supervise, network, reason->text);
	} else if (r == 0) {
		r = network_view_plan(&view, &run->wishes, backend, plan, reason->text);
		if (r < 0)
			return r;
		r = vhost_network_join(plan, view.monitor, network, reason->text);
	} else {
		return r;
	}
	if (r < 0)
		plan_fini(plan);
	return r;
}

/* Takes a turn for enter(). */
static int enter_in_turn(struct run *run, const char *backend, struct plan *plan,
	struct vhost_network *network, struct run_reason *reason)
{
	char directory[PLAN_PATH_SIZE];
	int lock = -1;
	int r = run_path(directory, sizeof(directory), reason->text, sizeof(reason->text));

	if (r == 0 && tap_network_is_set_up(directory, run->wishes.network)) {
		snprintf(reason->text, sizeof(reason->text),
			"the network %s is set up for a TAP: 'chnet cleanup' takes that away",
			run->wishes.network);
		return -EEXIST;
	}
	if (r == 0)
		r = vhost_network_lock(directory, run->wishes.network, &lock, reason->text);
	if (r < 0)
		return r;
	r = enter(run, backend, plan, network, reason);
	vhost_network_unlock(directory, run->wishes.network, lock);
	return r;
}

int run_vhost_user(struct run *run, int *ret_status, struct run_reason *reason)
{
	struct vhost_network network = {.users_fd = -1};
	struct arguments line = {0};
	struct plan plan = {0};
	char backend[PLAN_PATH_SIZE];
	int status = 0, r = run_check_vhost_user(run, backend, reason);

	if (r == 0)
		r = enter_in_turn(run, backend, &plan, &network, reason);
	if (r < 0)
		return r;
	run->no_tap = network.joined;
	announce(&plan, network.joined ? "vhost-user, joined" : "vhost-user");
	run_command(run, &plan, network.sockets, NULL, &line);
	const struct supervise_work work = {
		.keep_fds = &network.users_fd,
		.keep_count = network.users_fd >= 0,
		.watch_errors = run->mode == RUN_AUTO || run->quiet,
		.quiet = run->quiet,
		.output_fd = run->output_fd,
		.events = {run->beside, {.fd = -1}},
	};
	r = run_vmm(run, &line, &work, &status, reason);
	run->no_tap = network.joined || r < 0;
	vhost_network_leave(&network);
	arguments_fini(&line);
	plan_fini(&plan);
	if (r == 0 && run->mode == RUN_AUTO && refused_device(run, status)) {
		snprintf(reason->text, sizeof(reason->text), "%.300s refuses the vhost-user device",
			run->vmm);
		return -EOPNOTSUPP;
	}
	if (r == 0)
		*ret_status = status;
	return r;
}

/* Links, addresses or routes of the host have changed: there may be another way out. */
static void on_host_change(void *context)
{
	struct host *host = context;
	int r = host_refresh(host);

	if (r < 0)
		fprintf(stderr, "chnet: cannot follow a change of the host's network: %s\r\n",
			strerror(-r));
}

int run_tap(struct run *run, int *ret_status, struct run_reason *reason)
{
	struct tap_network network;
	struct arguments line = {0};
	struct plan plan;
	int r = tap_network_plan(&run->wishes, &plan, reason->text);

	if (r < 0) {
		/* A bad value: neither way is to blame. */
		run->instead[0] = '\0';
		return r;
	}
	if (plan.nic_count > 1) {
		snprintf(reason->text, sizeof(reason->text),
			"a TAP serves one network device, and %zu are asked for: leave out all "
			"but one --net, or take --vhost-user",
			plan.nic_count);
		r = -EOPNOTSUPP;
	} else {
		r = tap_network_open(&plan, &network, reason->text);
	}
	if (r < 0) {
		plan_fini(&plan);
		return r;
	}
	announce_instead(run);
	if (run->wishes.hostname)
		fprintf(stderr, "chnet: warning: --hostname %s is without effect on a TAP\n",
			run->wishes.hostname);
	announce(&plan, network.host ? "TAP" : "TAP, set up before");
	run_command(run, &plan, NULL, network.tap, &line);
	const struct supervise_work work = {
		.keep_fds = &network.record_fd,
		.keep_count = network.record_fd >= 0,
		.watch_errors = run->quiet,
		.quiet = run->quiet,
		.output_fd = run->output_fd,
		.events = {run->beside, {.fd = network.host ? host_watch_fd(network.host) : -1,
						.on_event = on_host_change,
						.context = network.host}},
	};
	r = run_vmm(run, &line, &work, ret_status, reason);
	tap_network_close(&network);
	arguments_fini(&line);
	plan_fini(&plan);
	return r;
}

int run_vm(struct run *run, int *ret_status, struct run_reason *reason)
{
	int r = -ENOENT;

	run->taken = RUN_VHOST_USER;
	run->no_tap = false;
	if (run->mode != RUN_TAP)
		r = run_vhost_user(run, ret_status, reason);
	if (r == 0 || r == -EINTR || (r == -EINVAL && run->mode != RUN_TAP) ||
		run->mode == RUN_VHOST_USER || run->no_tap)
		return r;
	if (run->mode == RUN_AUTO)
		memcpy(run->instead, reason->text, sizeof(run->instead));
	run->taken = RUN_TAP;
	r = run_tap(run, ret_status, reason);
	/* What is in the way of both, such as the TAP's name or the LAN, is said once. */
	if (r < 0 && strcmp(run->instead, reason->text) != 0)
		announce_instead(run);
	return r;
}

int run_find_vmm(const char *wish, struct run *run, struct run_reason *reason)
{
	const char *variable = getenv("CHNET_VMM");
	const char *name = wish ? wish : variable && variable[0] ? variable : "cloud-hypervisor";
	int r = program_find(name, run->vmm, sizeof(run->vmm));

	if (r == -EACCES)
		snprintf(reason->text, sizeof(reason->text),
			"%.300s cannot be started as a program", name);
	else if (r < 0 && strchr(name, '/'))
		snprintf(reason->text, sizeof(reason->text),
			"%s %.300s: %s: give the path of the VMM, or leave that out to have "
			"cloud-hypervisor in PATH",
			wish ? "--vmm" : "CHNET_VMM", name, strerror(-r));
	else if (r < 0)
		snprintf(reason->text, sizeof(reason->text),
			"%.300s is not in PATH: install it, or say where it is with --vmm PATH or "
			"CHNET_VMM",
			name);
	return r;
}
