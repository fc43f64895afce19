/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that tests its own network. It boots as a PVH kernel, prints TAP on the serial port and
 * powers the machine off; what it does is the table below. Nothing here takes an interrupt, and
 * nothing is allocated.
 */
#include "guest/probe/check.h"
#include "guest/probe/io.h"
#include "guest/probe/start_info.h"
#include "guest/probe/tap_output.h"

/* ACPI S5: Cloud Hypervisor's sleep register, and QEMU's (q35) power management register. */
#define PORT_SLEEP 0x600
#define SLEEP_S5 0x34
#define PORT_PM1_CONTROL 0x604
#define PM1_S5 0x2000

static bool (*const checks[])(struct probe *) = {
	check_clock,
	check_device,
	check_features,
	check_rings,
	check_dhcp,
	check_arp,
	check_interrupt,
	check_ping,
	check_udp,
	check_download,
	check_upload,
	check_checksums,
	check_frames,
};
#define CHECK_COUNT (sizeof(checks) / sizeof(checks[0]))

void main(const struct start_info *info);

static void power_off(void)
{
	io_write8(PORT_SLEEP, SLEEP_S5);
	io_write16(PORT_PM1_CONTROL, PM1_S5);
}

/* The command line; its length, bytes. */
static const char *find_line(const struct start_info *info, size_t *ret_length)
{
	const char *line = (const char *)(uintptr_t)info->line;
	size_t length = 0;

	*ret_length = 0;
	if (info->magic != START_INFO_MAGIC || info->line == 0 ||
		info->line + START_INFO_LINE_MAX > UINT32_MAX)
		return "";
	while (length < START_INFO_LINE_MAX && line[length])
		length++;
	*ret_length = length;
	return line;
}

static void run(const struct start_info *info)
{
	static struct probe probe;
	struct text complaint;
	size_t length;
	const char *line = find_line(info, &length);

	tap_output_plan(CHECK_COUNT);
	if (parameters_read(line, length, &probe.parameters, &complaint) < 0) {
		tap_output_note(complaint.bytes);
		tap_output_bail("a word of the command line that is not understood");
		return;
	}
	for (unsigned int i = 0; i < CHECK_COUNT; i++)
		if (!checks[i](&probe)) {
			tap_output_bail("nothing more can be checked");
			return;
		}
}

void main(const struct start_info *info)
{
	struct text text;

	run(info);
	text_clear(&text);
	text_add(&text, "end of the probe, ");
	text_number(&text, tap_output_failed());
	text_add(&text, " failed");
	tap_output_note(text.bytes);
	power_off();
}
