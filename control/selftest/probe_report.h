/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the probe guest says, read line by line: TAP (guest/probe/tap_output.h), with whatever a VMM
 * or a firmware writes in between. All of it is a guest's: lengths and counts are bounded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define PROBE_REPORT_CHECKS_MAX 32
#define PROBE_REPORT_VALUES_MAX 16
#define PROBE_REPORT_TEXT 160

enum probe_report_result {
	PROBE_REPORT_GOOD,
	PROBE_REPORT_BAD,
	PROBE_REPORT_SKIPPED,
};

struct probe_report_check {
	enum probe_report_result result;
	char name[PROBE_REPORT_TEXT];
	char found[PROBE_REPORT_TEXT]; /* what was found, or why it was skipped; "": nothing */
};

/* A measured value. */
struct probe_report_value {
	char name[32];
	double value;
};

struct probe_report {
	unsigned int planned; /* checks that are to come; 0: no plan yet */
	unsigned int count;   /* checks that came */
	struct probe_report_check checks[PROBE_REPORT_CHECKS_MAX];
	unsigned int value_count;
	struct probe_report_value values[PROBE_REPORT_VALUES_MAX];
	char bail[PROBE_REPORT_TEXT];	  /* why it gave up; "": it did not */
	char note[PROBE_REPORT_TEXT];	  /* its last remark */
	bool ended;			  /* it said its last line */
	bool began_anew;		  /* a second plan came: the machine was reset */
	char line[2 * PROBE_REPORT_TEXT]; /* that is not complete yet */
	size_t line_length;		  /* bytes; longer lines are cut */
};

/* Takes in what came, any part of a line or several. Zeroed is an empty report. */
void probe_report_add(struct probe_report *report, const char *bytes, size_t length);

/* Whether everything that was planned was checked, and nothing was bad. */
bool probe_report_is_good(const struct probe_report *report);

/* A check of that name that was skipped is bad: it had to be made. */
void probe_report_demand(struct probe_report *report, const char *name);

/* What came of the check of that name; PROBE_REPORT_SKIPPED when it was not made. */
enum probe_report_result probe_report_result(const struct probe_report *report, const char *name);

/* The value of that name, or a negative number. */
double probe_report_value(const struct probe_report *report, const char *name);
