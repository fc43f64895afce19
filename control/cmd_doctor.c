/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/client.h"
#include "control/command.h"
#include "control/doctor/doctor.h"
#include "control/output.h"
#include "control/usage.h"

struct values {
	const char *name;
	const char *vmm;
	bool json;
};

static const struct usage_option options[] = {
	USAGE_NETWORK(struct values, name),
	{"--vmm", "PATH", "the VMM [CHNET_VMM, or cloud-hypervisor in PATH]", USAGE_TEXT,
		offsetof(struct values, vmm)},
	{"--json", NULL, "print the findings as JSON", USAGE_FLAG, offsetof(struct values, json)},
	{0},
};

static const struct usage usage = {
	.verb = "doctor",
	.description =
		"Looks for what keeps a guest from its network, and says for each check what was\n"
		"found, what it means, and the command that mends it. Changes nothing. Ends with\n"
		"1 when something is broken, 0 when not. As root it sees more.",
	.options = options,
};

static const struct {
	const char *name;   /* for JSON */
	const char *shown;  /* in the table */
	const char *colour; /* there */
} grades[] = {
	[DOCTOR_GOOD] = {"good", "ok", "green"},
	[DOCTOR_NOTE] = {"note", "note", "yellow"},
	[DOCTOR_BAD] = {"bad", "BAD", "red"},
	[DOCTOR_SKIP] = {"skipped", "-", "default"},
};
_Static_assert(sizeof(grades) / sizeof(grades[0]) == DOCTOR_GRADE_COUNT, "one for each grade");

static const struct output_column columns[] = {
	{.name = "CHECK"},
	{.name = ""},
	{.name = "FOUND", .may_be_cut = true},
};

/* Where findings go. */
struct report {
	struct output *table; /* NULL with a list */
	FILE *advice;	      /* for what is printed behind the table: whole lines, never cut */
	json_t *list;	      /* for JSON, or NULL */
	bool bad;
};

static void add(struct report *report, const char *name, const struct doctor_finding *finding)
{
	report->bad = report->bad || finding->grade == DOCTOR_BAD;
	if (report->list) {
		json_array_append_new(
			report->list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", name, "grade",
					      grades[finding->grade].name, "found", finding->found,
					      "meaning", finding->meaning, "mend", finding->mend));
		return;
	}
	output_row(report->table);
	output_text(report->table, name);
	output_coloured(report->table, grades[finding->grade].shown, grades[finding->grade].colour);
	output_text(report->table, finding->found);
	if (report->advice && (finding->grade == DOCTOR_NOTE || finding->grade == DOCTOR_BAD))
		fprintf(report->advice, "\n%s: %s\n    %s\n", name, finding->meaning,
			finding->mend);
}

static void examine(const struct doctor *doctor, struct report *report)
{
	static const struct doctor_check *const tables[] = {
		doctor_machine_checks, doctor_host_checks, doctor_guest_checks};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct doctor_check *check = tables[i]; check->name; check++) {
			struct doctor_finding finding = {.grade = DOCTOR_SKIP};

			check->check(doctor, &finding);
			add(report, check->name, &finding);
		}
}

int cmd_doctor(int argc, char *argv[])
{
	struct values values = {.name = USAGE_NETWORK_DEFAULT};
	const char *variable = getenv("CHNET_VMM");
	char error[DOCTOR_TEXT_SIZE];
	struct report report = {0};
	struct doctor doctor;
	char *advice = NULL;
	size_t length;

	int code = usage_read(&usage, argc, argv, &values, NULL);
	if (code != USAGE_GO_ON)
		return code;
	if (client_check_name(values.name, error) < 0)
		return usage_refuse(&usage, "%s", error);
	if (!values.vmm)
		values.vmm = variable && *variable ? variable : "cloud-hypervisor";
	if (doctor_init(&doctor, values.name, values.vmm, error) < 0)
		return command_fail("%s", error);
	report.advice = open_memstream(&advice, &length);
	if (values.json)
		report.list = json_array();
	else
		report.table = output_new(columns, sizeof(columns) / sizeof(columns[0]));
	examine(&doctor, &report);
	doctor_fini(&doctor);
	if (report.advice)
		fclose(report.advice);
	if (report.list) {
		json_t *answer = json_pack("{s:o}", "checks", report.list);
		code = output_json(answer);
		json_decref(answer);
	} else {
		code = output_print(report.table);
		fputs(advice ? advice : "", stdout);
	}
	free(advice);
	return code != COMMAND_OK ? code : report.bad ? COMMAND_FAILED : COMMAND_OK;
}
