/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/selftest/probe_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The probe's last remark begins so. */
#define LAST "end of the probe"

/* Copies up to `length` bytes of text; control characters, which a terminal would obey, are left
 * out. */
static void copy(char to[PROBE_REPORT_TEXT], const char *from, size_t length)
{
	size_t count = 0;

	for (size_t i = 0; i < length && from[i] && count + 1 < PROBE_REPORT_TEXT; i++)
		if (from[i] >= ' ' && from[i] <= '~')
			to[count++] = from[i];
	to[count] = '\0';
}

/* "1..12" */
static bool read_plan(struct probe_report *report, const char *line)
{
	unsigned int planned;

	if (sscanf(line, "1..%4u", &planned) != 1)
		return false;
	report->began_anew = report->began_anew || report->planned > 0;
	report->planned = planned;
	return true;
}

/* "ok 3 - NAME: FOUND", "not ok 3 - NAME", "ok 3 - NAME # SKIP WHY" */
static bool read_check(struct probe_report *report, const char *line)
{
	struct probe_report_check *check;
	const char *name = strstr(line, " - "), *skip, *colon;
	bool good = strncmp(line, "ok ", 3) == 0;

	if (!name || (!good && strncmp(line, "not ok ", 7) != 0))
		return false;
	if (report->count == PROBE_REPORT_CHECKS_MAX)
		return true;
	check = &report->checks[report->count++];
	name += strlen(" - ");
	skip = strstr(name, " # SKIP ");
	colon = strstr(name, ": ");
	check->result = !good ? PROBE_REPORT_BAD : skip ? PROBE_REPORT_SKIPPED : PROBE_REPORT_GOOD;
	copy(check->name, name,
		skip	? (size_t)(skip - name)
		: colon ? (size_t)(colon - name)
			: strlen(name));
	copy(check->found,
		skip	? skip + strlen(" # SKIP ")
		: colon ? colon + strlen(": ")
			: "",
		PROBE_REPORT_TEXT);
	return true;
}

/* "# NAME=VALUE" */
static bool read_value(struct probe_report *report, const char *line)
{
	struct probe_report_value value;

	if (sscanf(line, "# %31[a-z_]=%lf", value.name, &value.value) != 2)
		return false;
	if (report->value_count < PROBE_REPORT_VALUES_MAX)
		report->values[report->value_count++] = value;
	return true;
}

static void read_line(struct probe_report *report, const char *line)
{
	static const char bail[] = "Bail out! ";

	if (read_plan(report, line))
		return;
	/* What comes before a plan is the VMM's. */
	if (report->planned == 0 || report->began_anew)
		return;
	if (read_check(report, line) || read_value(report, line))
		return;
	if (strncmp(line, bail, strlen(bail)) == 0) {
		copy(report->bail, line + strlen(bail), PROBE_REPORT_TEXT);
	} else if (strncmp(line, "# ", 2) == 0) {
		copy(report->note, line + 2, PROBE_REPORT_TEXT);
		report->ended = report->ended || strncmp(line + 2, LAST, strlen(LAST)) == 0;
	}
}

void probe_report_add(struct probe_report *report, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n') {
			report->line[report->line_length] = '\0';
			read_line(report, report->line);
			report->line_length = 0;
		} else if (bytes[i] != '\r' && bytes[i] != '\0' &&
			   report->line_length + 1 < sizeof(report->line)) {
			report->line[report->line_length++] = bytes[i];
		}
	}
}

bool probe_report_is_good(const struct probe_report *report)
{
	if (!report->ended || report->began_anew || report->bail[0] || report->count == 0 ||
		report->count != report->planned)
		return false;
	for (unsigned int i = 0; i < report->count; i++)
		if (report->checks[i].result == PROBE_REPORT_BAD)
			return false;
	return true;
}

void probe_report_demand(struct probe_report *report, const char *name)
{
	for (unsigned int i = 0; i < report->count; i++)
		if (report->checks[i].result == PROBE_REPORT_SKIPPED &&
			strcmp(report->checks[i].name, name) == 0)
			report->checks[i].result = PROBE_REPORT_BAD;
}

enum probe_report_result probe_report_result(const struct probe_report *report, const char *name)
{
	for (unsigned int i = 0; i < report->count; i++)
		if (strcmp(report->checks[i].name, name) == 0)
			return report->checks[i].result;
	return PROBE_REPORT_SKIPPED;
}

double probe_report_value(const struct probe_report *report, const char *name)
{
	for (unsigned int i = 0; i < report->value_count; i++)
		if (strcmp(report->values[i].name, name) == 0)
			return report->values[i].value;
	return -1;
}
