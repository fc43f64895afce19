/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "control/call.h"
#include "control/command.h"
#include "control/output.h"

static const struct usage usage = {
	.verb = "ports",
	.description =
		"Lists the ports of a network: one guest each.\n"
		"GUEST is 'up' when the guest's driver uses both queues, 'connected' when only\n"
		"a VMM is there, 'awaited' when one is to listen and does not. NAME and IP are\n"
		"what the port was given, else what DHCP was told and gave. RX is what\n"
		"came from the guest, TX what went to it.",
	.options = call_show_options,
};

static const struct output_column columns[] = {
	{.name = "PORT", .is_number = true},
	{.name = "GUEST"},
	{.name = "NAME", .may_be_cut = true},
	{.name = "IP"},
	{.name = "MAC"},
	{.name = "RX", .is_number = true},
	{.name = "TX", .is_number = true},
	{.name = "DROPS", .is_number = true},
	{.name = "SOCKET", .may_be_cut = true},
};

static void show_guest(struct output *output, const json_t *port)
{
	const char *mode = output_member_text(port, "mode");

	if (output_member_true(port, "receiving") && output_member_true(port, "sending"))
		output_coloured(output, "up", "green");
	else if (output_member_true(port, "connected"))
		output_text(output, "connected");
	else
		output_text(output, mode && strcmp(mode, "server") == 0 ? "awaited" : NULL);
}

/* What the port was given, else what is in its lease; with several leases there is no telling. */
static const char *given_or_leased(const json_t *port, const char *member)
{
	const char *given = output_member_text(port, member);
	const json_t *leases = json_object_get(port, "leases");

	if (given || json_array_size(leases) != 1)
		return given;
	return output_member_text(json_array_get(leases, 0), member);
}

static int show(const json_t *answer)
{
	struct output *output = output_new(columns, sizeof(columns) / sizeof(columns[0]));
	json_t *port;
	size_t i;

	json_array_foreach(json_object_get(answer, "ports"), i, port)
	{
		char text[OUTPUT_BYTES_TEXT];
		json_int_t drops = output_member_number(port, "drops");
		char dropped[24];
		output_row(output);
		output_number(output, output_member_number(port, "port"));
		show_guest(output, port);
		output_text(output, given_or_leased(port, "hostname"));
		output_text(output, given_or_leased(port, "ip"));
		output_text(output, output_member_text(port, "mac"));
		output_text(output, output_bytes(output_member_number(port, "rx_bytes"), text));
		output_text(output, output_bytes(output_member_number(port, "tx_bytes"), text));
		snprintf(dropped, sizeof(dropped), "%lld", (long long)drops);
		output_coloured(output, dropped, drops ? "yellow" : NULL);
		output_text(output, output_member_text(port, "socket"));
	}
	return output_print(output);
}

int cmd_ports(int argc, char *argv[])
{
	return call_show(&usage, argc, argv, "/v1/ports", show);
}
