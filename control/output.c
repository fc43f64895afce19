/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/output.h"

#include <inttypes.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/command.h"

/* As many digits of a number as every double keeps: 0.1 is not shown as 0.10000000000000001. */
#define REAL_DIGITS JSON_REAL_PRECISION(15)

struct output {
	struct libscols_table *table;
	struct libscols_line *line; /* the row at hand; the table's */
	size_t column;		    /* of the next cell */
	bool failed;		    /* something was out of memory */
};

struct output *output_new(const struct output_column columns[], size_t count)
{
	struct output *output = calloc(1, sizeof(*output));
	const char *no_color = getenv("NO_COLOR");

	if (!output)
		return NULL;
	output->table = scols_new_table();
	if (!output->table) {
		free(output);
		return NULL;
	}
	scols_table_enable_colors(output->table, isatty(STDOUT_FILENO) && !(no_color && *no_color));
	for (size_t i = 0; i < count; i++) {
		int flags = (columns[i].is_number ? SCOLS_FL_RIGHT : 0) |
			    (columns[i].may_be_cut ? SCOLS_FL_TRUNC : 0);
		if (!scols_table_new_column(output->table, columns[i].name, 0, flags))
			output->failed = true;
	}
	return output;
}

void output_row(struct output *output)
{
	if (!output)
		return;
	output->line = scols_table_new_line(output->table, NULL);
	output->column = 0;
	output->failed |= !output->line;
}

void output_coloured(struct output *output, const char *text, const char *colour)
{
	if (!output || !output->line)
		return;
	if (scols_line_set_data(output->line, output->column, text ? text : "-"))
		output->failed = true;
	if (colour)
		scols_cell_set_color(scols_line_get_cell(output->line, output->column), colour);
	output->column++;
}

void output_text(struct output *output, const char *text)
{
	output_coloured(output, text, NULL);
}

void output_number(struct output *output, json_int_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, (int64_t)number);
	output_text(output, text);
}

int output_print(struct output *output)
{
	bool failed = !output || output->failed;

	if (output && !output->failed)
		failed = scols_print_table(output->table) != 0;
	if (output)
		scols_unref_table(output->table);
	free(output);
	return failed ? command_fail("cannot print the table: out of memory") : COMMAND_OK;
}

int output_json(const json_t *json)
{
	if (json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | REAL_DIGITS) < 0)
		return command_fail("cannot print the answer");
	putchar('\n');
	return COMMAND_OK;
}

const char *output_bytes(json_int_t bytes, char text[OUTPUT_BYTES_TEXT])
{
	static const char units[] = "BKMGTPE";
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 999.5 && unit + 2 < sizeof(units); unit++)
		value /= 1024;
	snprintf(text, OUTPUT_BYTES_TEXT, unit && value < 9.95 ? "%.1f%c" : "%.0f%c", value,
		units[unit]);
	return text;
}

const char *output_member_text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

json_int_t output_member_number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

bool output_member_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}
