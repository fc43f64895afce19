/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What verbs print: tables that fit the terminal, in colour only on one (and never with NO_COLOR
 * in the environment), or the API's JSON.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct output;

struct output_column {
	const char *name;
	bool is_number;	 /* stands at the right */
	bool may_be_cut; /* when the terminal is too narrow */
};

/* A table of so many columns, freed by output_print(). NULL: out of memory. */
struct output *output_new(const struct output_column columns[], size_t count);

/* Begins a row. NULL output is allowed, here and below, so that errors come once, at the end. */
void output_row(struct output *output);

/* Fills the row's next cell; the text is copied. NULL is shown as '-'. */
void output_text(struct output *output, const char *text);
void output_number(struct output *output, json_int_t number);

/* As output_text(), in a colour of libsmartcols ("green"), on a terminal. */
void output_coloured(struct output *output, const char *text, const char *colour);

/* Prints and frees the table. Returns an exit code; complains itself. */
int output_print(struct output *output);

/* Prints JSON as it is, indented. Returns an exit code. */
int output_json(const json_t *json);

/* Bytes for people, such as "1.4M"; returns `text`. */
#define OUTPUT_BYTES_TEXT 16
const char *output_bytes(json_int_t bytes, char text[OUTPUT_BYTES_TEXT]);

/* Members of an API answer: its text or NULL, its number or 0, its truth. */
const char *output_member_text(const json_t *object, const char *name);
json_int_t output_member_number(const json_t *object, const char *name);
bool output_member_true(const json_t *object, const char *name);
