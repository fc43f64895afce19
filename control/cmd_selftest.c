/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/command.h"
#include "control/output.h"
#include "control/selftest/selftest.h"
#include "control/usage.h"

struct values {
	bool vhost_user;
	bool tap;
	bool json;
	const char *vmm;
};

static const struct usage_option options[] = {
	{"--vhost-user", NULL, "by vhost-user", USAGE_FLAG, offsetof(struct values, vhost_user)},
	{"--tap", NULL, "by a TAP of the kernel", USAGE_FLAG, offsetof(struct values, tap)},
	{"--vmm", "PATH", "the VMM [CHNET_VMM, or cloud-hypervisor in PATH]", USAGE_TEXT,
		offsetof(struct values, vmm)},
	{"--json", NULL, "print the results as JSON", USAGE_FLAG, offsetof(struct values, json)},
	{0},
};

static const struct usage usage = {
	.verb = "selftest",
	.description =
		"Boots a tiny guest of its own (no Linux, no image, no download) with your VMM,\n"
		"on a network of its own beside those that run, and says whether everything\n"
		"works and how fast: rings, DHCP, ARP, ping, UDP, TCP, checksums. Takes away what\n"
		"it made. Ends with 0 when everything works, 1 when not. Without --vhost-user and\n"
		"--tap it takes what 'chnet run' would take.",
	.options = options,
	.examples = "  chnet selftest\n"
		    "  chnet selftest --tap --vmm ./cloud-hypervisor",
};

static const struct {
	const char *json;
	const char *shown;
	const char *colour;
} results[] = {
	[PROBE_REPORT_GOOD] = {"good", "ok", "green"},
	[PROBE_REPORT_BAD] = {"bad", "BAD", "red"},
	[PROBE_REPORT_SKIPPED] = {"skipped", "-", "default"},
};

/* Whether only what goes to a port of the host is lost, which firewalls do. */
static bool is_firewall(const struct probe_report *report)
{
	return probe_report_result(report, "the gateway answers pings") == PROBE_REPORT_GOOD &&
	       probe_report_result(report, "UDP comes back unchanged") == PROBE_REPORT_BAD &&
	       probe_report_result(report, "TCP brings a stream unchanged") == PROBE_REPORT_BAD;
}

/* Why not everything works, beyond the single checks; NULL: there is nothing to say. */
static const char *explain(const struct selftest_outcome *outcome, char *text, size_t size)
{
	const struct probe_report *report = &outcome->report;

	if (report->began_anew) {
		snprintf(text, size, "the machine was reset in the middle%s",
			strncmp(report->note, "turning paging on", 17) == 0
				? ": its KVM cannot do paging, which this VMM makes necessary"
				: "");
		return text;
	}
	if (outcome->too_slow)
		return "the guest stopped in the middle of its checks";
	if (report->bail[0])
		return report->bail;
	if (report->ended)
		return is_firewall(report)
			       ? "the host answers pings, but neither UDP nor TCP: does its "
				 "firewall drop what comes from the TAP " SELFTEST_TAP "?"
			       : NULL;
	if (WIFSIGNALED(outcome->status))
		snprintf(text, size, "the VMM was killed by signal %d", WTERMSIG(outcome->status));
	else
		snprintf(text, size, "the VMM ended with %d", WEXITSTATUS(outcome->status));
	return text;
}

/* The last line of what the VMM complained of, or "". */
static const char *last_line(char *tail)
{
	size_t length = strlen(tail);
	char *line;

	while (length > 0 && (tail[length - 1] == '\n' || tail[length - 1] == '\r'))
		tail[--length] = '\0';
	line = strrchr(tail, '\n');
	return line ? line + 1 : tail;
}

static int print_json(const struct selftest_outcome *outcome, const char *why)
{
	const struct probe_report *report = &outcome->report;
	json_t *checks = json_array(), *values = json_object(), *answer;
	int code;

	for (unsigned int i = 0; i < report->count; i++)
		json_array_append_new(
			checks, json_pack("{s:s, s:s, s:s}", "name", report->checks[i].name,
					"result", results[report->checks[i].result].json, "found",
					report->checks[i].found));
	for (unsigned int i = 0; i < report->value_count; i++)
		json_object_set_new(
			values, report->values[i].name, json_real(report->values[i].value));
	answer = json_pack("{s:b, s:s, s:s*, s:o, s:o}", "works",
		probe_report_is_good(report) && !why, "mode",
		outcome->mode == RUN_TAP ? "tap" : "vhost-user", "error", why, "checks", checks,
		"values", values);
	code = output_json(answer);
	json_decref(answer);
	return code;
}

/* How fast it is, one line. */
static void print_speed(const struct probe_report *report)
{
	printf("everything works: ping %.1f us, UDP %.1f us, TCP %.1f Mbit/s down, %.1f Mbit/s "
	       "up\n",
		probe_report_value(report, "ping_us"), probe_report_value(report, "udp_us"),
		probe_report_value(report, "download_mbit_s"),
		probe_report_value(report, "upload_mbit_s"));
}

static int print_table(const struct selftest_outcome *outcome)
{
	static const struct output_column columns[] = {
		{.name = "CHECK"}, {.name = ""}, {.name = "FOUND", .may_be_cut = true}};
	struct output *table = output_new(columns, sizeof(columns) / sizeof(columns[0]));

	for (unsigned int i = 0; i < outcome->report.count; i++) {
		const struct probe_report_check *check = &outcome->report.checks[i];

		output_row(table);
		output_text(table, check->name);
		output_coloured(table, results[check->result].shown, results[check->result].colour);
		output_text(table, check->found);
	}
	return output_print(table);
}

/* Prints what was found. Returns the exit code. */
static int print(struct run *run, const struct selftest_outcome *outcome, bool json)
{
	char text[PROBE_REPORT_TEXT];
	const char *why = explain(outcome, text, sizeof(text));
	bool good = probe_report_is_good(&outcome->report) && !why;
	int code = json ? print_json(outcome, why) : print_table(outcome);

	if (code != COMMAND_OK)
		return code;
	if (!json && good)
		print_speed(&outcome->report);
	if (!json && !good)
		command_fail("%s%s%s", why ? why : "not everything works",
			run->supervise.tail[0] ? "; the VMM's last word: " : "",
			last_line(run->supervise.tail));
	return good ? COMMAND_OK : COMMAND_FAILED;
}

/* The VMM is not to read from our terminal, nor to change its settings. */
static void close_input(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	dup2(fd, STDIN_FILENO);
	close(fd);
}

int cmd_selftest(int argc, char *argv[])
{
	struct values values = {0};
	struct run run = {.mode = RUN_AUTO, .output_fd = -1, .beside = {.fd = -1}};
	struct selftest_outcome outcome;
	struct run_reason reason = {""};
	int r, code = usage_read(&usage, argc, argv, &values, NULL);

	if (code != USAGE_GO_ON)
		return code;
	if (values.vhost_user && values.tap)
		return usage_refuse(&usage, "--vhost-user and --tap: take one of them");
	if (values.vhost_user || values.tap)
		run.mode = values.tap ? RUN_TAP : RUN_VHOST_USER;
	if (run_find_vmm(values.vmm, &run, &reason) < 0)
		return command_fail("%s", reason.text);
	close_input();
	r = supervise_init(&run.supervise);
	if (r < 0)
		return command_fail("cannot watch signals: %s", strerror(-r));
	r = selftest_run(&run, &outcome, &reason);
	supervise_fini(&run.supervise);
	if (run.supervise.stop_signal)
		return 128 + run.supervise.stop_signal;
	if (r < 0)
		return command_fail("%s", reason.text);
	return print(&run, &outcome, values.json);
}
