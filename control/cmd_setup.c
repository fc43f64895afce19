/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "control/client.h"
#include "control/command.h"
#include "control/run/plan.h"
#include "control/run/tap_network.h"
#include "control/usage.h"

struct values {
	const char *name;
	const char *tap_name;
	const char *host_ip;
	struct usage_texts forwards;
};

static const struct usage_option options[] = {
	{"--name", "NET", "the network's name [default]", USAGE_TEXT,
		offsetof(struct values, name)},
	{"--tap-name", "NAME", "the TAP to make [TAP_NAME, or tap0]", USAGE_TEXT,
		offsetof(struct values, tap_name)},
	{"--host-ip", "ADDRESS[/LEN]", "the gateway [HOST_IP, or 172.16.0.1/24]", USAGE_TEXT,
		offsetof(struct values, host_ip)},
	{"--forward", "SPEC", "lead host ports to the guest: tcp:8080=172.16.0.2:80", USAGE_TEXTS,
		offsetof(struct values, forwards)},
	{0},
};

static const struct usage usage = {
	.verb = "setup",
	.description =
		"Sets a network up once, as root, for VMs on a TAP that the user may start alone\n"
		"('chnet run --tap', or Cloud Hypervisor with --net tap=tap0): the TAP, owned by\n"
		"the user who called sudo, its address, forwarding, and the rules that let guests\n"
		"out. It stays until 'chnet cleanup' or the next boot. Once more\n"
		"with the same options is no harm; with others it replaces what is there.\n"
		"The rules name no way out: guests leave by whatever interface the host's routes\n"
		"choose, also by one that comes later, and so reach all that the host reaches.\n"
		"SPEC is PROTOCOL:[ADDRESS:]PORT[-PORT]=GUEST:PORT[-PORT]; --forward may be given\n"
		"several times.",
	.options = options,
	.examples =
		"  sudo chnet setup\n  chnet run --tap -- --kernel vmlinux\n  sudo chnet cleanup",
};

int cmd_setup(int argc, char *argv[])
{
	struct values values = {.name = "default"};
	const struct cloud_hypervisor_request request = {.nic_count = 1};
	char error[PLAN_ERROR_SIZE];
	struct plan plan;

	int code = usage_read(&usage, argc, argv, &values, NULL);
	if (code != USAGE_GO_ON)
		return code;
	if (client_check_name(values.name, error) < 0)
		return usage_refuse(&usage, "%s", error);
	const struct plan_wishes wishes = {
		.network = values.name,
		.tap = values.tap_name,
		.host_ip = values.host_ip,
		.forwards = values.forwards.texts,
		.forward_count = values.forwards.count,
		.request = &request,
	};
	int r = plan_make(&wishes, "chnet-vhost", NULL, 0, &plan, error);
	if (r == -EINVAL)
		return usage_refuse(&usage, "%s", error);
	if (r == 0) {
		r = tap_network_setup(&plan, error);
		if (r >= 0)
			printf("TAP %s %s set up for uid %u: 'chnet cleanup' takes it away\n",
				plan.options.tap, r ? "is" : "was already", tap_network_owner());
		plan_fini(&plan);
	}
	return r < 0 ? command_fail("%s", error) : COMMAND_OK;
}
