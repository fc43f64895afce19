/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the probe says: TAP (Test Anything Protocol). The plan comes first, so that a second plan
 * means that the machine was reset.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest/probe/text.h"

/* Prints the plan: so many checks will follow. */
void tap_output_plan(unsigned int count);

/* Prints the result of the next check; `detail`, what was found, may be NULL or empty. */
void tap_output_result(bool good, const char *name, const struct text *detail);

/* Prints a check that was not made, and why. */
void tap_output_skip(const char *name, const char *why);

/* Prints a measured value: "# NAME=VALUE". */
void tap_output_value(const char *name, uint32_t value);
void tap_output_tenths(const char *name, uint32_t tenths);

/* Prints a remark. */
void tap_output_note(const char *text);

/* Prints that nothing more can be checked. */
void tap_output_bail(const char *why);

/* How many results were bad. */
unsigned int tap_output_failed(void);
