/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/client.h"
#include "control/command.h"
#include "control/run/program.h"
#include "control/run/run.h"
#include "control/usage.h"
#include "guest/services/dhcp_message.h"

struct values {
	bool vhost_user;
	bool tap;
	bool dry_run;
	const char *name;
	const char *vmm;
	const char *tap_name;
	const char *host_ip;
	const char *hostname;
	struct usage_texts forwards;
};

static const struct usage_option options[] = {
	{"--vhost-user", NULL, "by vhost-user, or fail", USAGE_FLAG,
		offsetof(struct values, vhost_user)},
	{"--tap", NULL, "by a TAP of the kernel, for one VM with one device", USAGE_FLAG,
		offsetof(struct values, tap)},
	{"--name", "NET", "the network, which is joined when it runs [default]", USAGE_TEXT,
		offsetof(struct values, name)},
	{"--vmm", "PATH", "the VMM [CHNET_VMM, or cloud-hypervisor in PATH]", USAGE_TEXT,
		offsetof(struct values, vmm)},
	{"--forward", "SPEC", "lead host ports to a guest: tcp:8080=172.16.0.2:80", USAGE_TEXTS,
		offsetof(struct values, forwards)},
	{"--hostname", "NAME", "the guest's name, for guests and DHCP (vhost-user)", USAGE_TEXT,
		offsetof(struct values, hostname)},
	{"--tap-name", "NAME", "the TAP [TAP_NAME, or tap0]", USAGE_TEXT,
		offsetof(struct values, tap_name)},
	{"--host-ip", "ADDRESS[/LEN]", "the gateway [HOST_IP, or 172.16.0.1/24]", USAGE_TEXT,
		offsetof(struct values, host_ip)},
	{"--dry-run", NULL, "print what would be done, as commands", USAGE_FLAG,
		offsetof(struct values, dry_run)},
	{0},
};

static const struct usage usage = {
	.verb = "run",
	.operands = "[--] CLOUD-HYPERVISOR-ARGUMENT ...",
	.operands_max = 4096,
	.description =
		"Runs a VM with a network: starts the network, or joins it when it runs, starts\n"
		"Cloud Hypervisor with the arguments given and a network device, ends as it ends,\n"
		"and takes away what it made. Without --vhost-user and --tap it takes vhost-user,\n"
		"and a TAP where that cannot be had; one line says which, and why.\n"
		"The first guest is 172.16.0.2 with MAC 52:54:00:12:34:56 (GUEST_IP, GUEST_MAC in\n"
		"the environment say otherwise), further ones count up; the gateway is\n"
		"172.16.0.1.\n"
		"SPEC is PROTOCOL:[ADDRESS:]PORT[-PORT]=GUEST:PORT[-PORT]; --forward may be given\n"
		"several times.",
	.options = options,
	.examples = "  chnet run -- --kernel vmlinux --disk path=disk.raw --memory size=1G\n"
		    "  chnet run --tap -- --firmware CLOUDHV.fd --disk path=redox.img\n"
		    "  chnet run --dry-run -- --kernel vmlinux",
};

/* The option of ours that an argument names, or NULL. */
static const struct usage_option *find_own(const char *argument)
{
	size_t length = strcspn(argument, "=");

	for (const struct usage_option *option = options; option->name; option++)
		if (strlen(option->name) == length && strncmp(option->name, argument, length) == 0)
			return option;
	return NULL;
}

/* Where "--" stands, from `i` on; argc: nowhere. */
static int find_end(int i, int argc, char *argv[])
{
	while (i < argc && strcmp(argv[i], "--") != 0)
		i++;
	return i;
}

/*
 * The number of arguments that are ours: up to "--", or else to the first one that is not, since
 * "--" may be left out. With a "--" all before it can only be meant for us, also what is mistyped.
 */
static int count_own(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++) {
		const struct usage_option *option = find_own(argv[i]);

		if (strcspn(argv[i], "=") == strlen("--help") &&
			strncmp(argv[i], "--help", strlen("--help")) == 0)
			continue;
		if (!option) {
			int end = find_end(i, argc, argv);

			return end < argc ? end : i;
		}
		if (option->kind != USAGE_FLAG && !strchr(argv[i], '='))
			i++;
	}
	return argc;
}

/*
 * Whether the command line was wrong, when what came of it is `result`: the same reading of it
 * fails with no network there.
 */
static bool is_misused(const struct run *run, int result)
{
	char unused[PLAN_ERROR_SIZE];
	struct plan plan;

	if (result != -EINVAL)
		return false;
	int r = plan_make(&run->wishes, "chnet-vhost", NULL, 0, &plan, unused);
	if (r == 0)
		plan_fini(&plan);
	return r == -EINVAL;
}

/* One line for what could not be done; returns the exit code. */
static int fail(const struct run *run, int result, const struct run_reason *reason)
{
	return is_misused(run, result) ? usage_refuse(&usage, "%s", reason->text)
				       : command_fail("%s", reason->text);
}

/* Prints what would be done. */
static int print(struct run *run)
{
	struct run_reason reason;
	int r = run->mode == RUN_TAP ? -ENOENT : run_print_vhost_user(run, &reason);

	if (r == -EINVAL || run->no_tap)
		return r < 0 ? fail(run, r, &reason) : COMMAND_OK;
	if (r < 0 && run->mode == RUN_AUTO)
		printf("# TAP instead of vhost-user: %s\n", reason.text);
	if (r < 0 && run->mode != RUN_VHOST_USER)
		r = run_print_tap(run, &reason);
	return r < 0 ? fail(run, r, &reason) : COMMAND_OK;
}

/* Runs the VM. Returns the exit code. */
static int carry_out(struct run *run)
{
	struct run_reason reason = {""};
	int status = 0, r = run_vm(run, &status, &reason);

	if (r == -EINTR || (r < 0 && run->supervise.stop_signal))
		return 128 + run->supervise.stop_signal;
	if (r < 0)
		return fail(run, r, &reason);
	return supervise_exit_code(status);
}

/* Whether the guest may have that name, if any is asked for; else a line in `error`. */
static bool check_hostname(const char *wish, char *error)
{
	char name[DHCP_NAME_CAPACITY];

	if (!wish)
		return true;
	if (!dhcp_name_read((const uint8_t *)wish, strlen(wish), name))
		snprintf(error, CLOUD_HYPERVISOR_ERROR_SIZE,
			"--hostname '%.100s': no host's name: take up to %d letters, digits and "
			"hyphens, no hyphen at an end",
			wish, DHCP_NAME_CAPACITY - 1);
	else if (strcmp(name, "host") == 0)
		snprintf(error, CLOUD_HYPERVISOR_ERROR_SIZE,
			"--hostname %s: the name of the host: take another", wish);
	else
		return true;
	return false;
}

int cmd_run(int argc, char *argv[])
{
	struct values values = {.name = "default"};
	struct run run = {.mode = RUN_AUTO, .output_fd = -1, .beside = {.fd = -1}};
	struct run_reason reason = {""};
	struct usage_operands before = {0};
	char error[CLOUD_HYPERVISOR_ERROR_SIZE];
	int own = count_own(argc, argv);
	int code = usage_read(&usage, own, argv, &values, &before);

	if (code != USAGE_GO_ON)
		return code;
	if (before.count)
		return usage_refuse(&usage,
			"'%s' stands before '--': Cloud Hypervisor's arguments go behind it",
			before.texts[0]);
	if (values.vhost_user && values.tap)
		return usage_refuse(&usage, "--vhost-user and --tap: take one of them");
	if (values.tap && values.hostname)
		return usage_refuse(&usage,
			"--hostname and --tap: only a network by vhost-user knows its guests' "
			"names");
	if (own < argc && strcmp(argv[own], "--") == 0)
		own++;
	run.argc = argc - own;
	run.argv = argv + own;
	if (run.argc == 0)
		return usage_refuse(&usage,
			"nothing to run: write Cloud Hypervisor's arguments after '--', as in "
			"'chnet run -- --kernel vmlinux'");
	if (client_check_name(values.name, error) < 0 || !check_hostname(values.hostname, error) ||
		cloud_hypervisor_read(run.argc, run.argv, &run.request, error) < 0)
		return usage_refuse(&usage, "%s", error);
	if (values.vhost_user || values.tap)
		run.mode = values.tap ? RUN_TAP : RUN_VHOST_USER;
	run.wishes = (struct plan_wishes){
		.network = values.name,
		.tap = values.tap_name,
		.host_ip = values.host_ip,
		.hostname = values.hostname,
		.forwards = values.forwards.texts,
		.forward_count = values.forwards.count,
		.request = &run.request,
	};
	if (run_find_vmm(values.vmm, &run, &reason) < 0)
		return command_fail("%s", reason.text);
	if (values.dry_run)
		return print(&run);
	int r = supervise_init(&run.supervise);
	if (r < 0)
		return command_fail("cannot watch signals: %s", strerror(-r));
	code = carry_out(&run);
	supervise_fini(&run.supervise);
	return code;
}
