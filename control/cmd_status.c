/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include "control/call.h"
#include "control/command.h"
#include "control/output.h"

static const struct usage usage = {
	.verb = "status",
	.description = "Shows what a network is and how it does.",
	.options = call_show_options,
};

/* "1 d 02:03:04" */
static const char *duration(json_int_t seconds, char text[32])
{
	long long days = seconds / 86400, s = seconds % 86400;
	int at = days ? snprintf(text, 32, "%lld d ", days) : 0;

	snprintf(text + at, 32 - (size_t)at, "%02lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
	return text;
}

static int show(const json_t *status)
{
	const char *tap = output_member_text(status, "tap"),
		   *egress = output_member_text(status, "egress"),
		   *outside = output_member_text(status, "outside");
	char text[32];

	printf("network   %s (chnet-vhost %s)\n", output_member_text(status, "name"),
		output_member_text(status, "version"));
	printf("running   %s, data plane process %lld, restarted %lld times\n",
		duration(output_member_number(status, "uptime_s"), text),
		(long long)output_member_number(status, "pid"),
		(long long)output_member_number(status, "restarts"));
	printf("uplink    %s%s%s%s%s\n", output_member_text(status, "uplink"), tap ? " " : "",
		tap ? tap : "", tap ? ", out through " : "",
		egress ? egress : (tap ? "nothing: the host has no default route" : ""));
	printf("gateway   %s/%lld\n", output_member_text(status, "gateway"),
		(long long)output_member_number(status, "prefix"));
	printf("nat       %s%s%s\n", output_member_text(status, "nat"), outside ? ", as " : "",
		outside ? outside : "");
	if (output_member_number(status, "sessions_max"))
		printf("sessions  %lld of %lld\n",
			(long long)output_member_number(status, "sessions"),
			(long long)output_member_number(status, "sessions_max"));
	const char *dns = output_member_text(status, "dns");
	printf("dns       %s", dns ? dns : "none");
	if (output_member_number(status, "dns_queries"))
		printf(", %lld queries, %lld drops",
			(long long)output_member_number(status, "dns_queries"),
			(long long)output_member_number(status, "dns_drops"));
	putchar('\n');
	printf("ports     %lld, %lld with a guest\n",
		(long long)output_member_number(status, "ports"),
		(long long)output_member_number(status, "ports_connected"));
	return COMMAND_OK;
}

int cmd_status(int argc, char *argv[])
{
	return call_show(&usage, argc, argv, "/v1/status", show);
}
