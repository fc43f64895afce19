/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/tap_output.h"

#include "guest/probe/serial.h"

static unsigned int number; /* of the last check */
static unsigned int failed; /* results that were bad */

static void print(struct text *line)
{
	serial_write(line->bytes);
	serial_write("\n");
}

void tap_output_plan(unsigned int count)
{
	struct text line;

	text_clear(&line);
	text_add(&line, "1..");
	text_number(&line, count);
	print(&line);
}

/* "ok 3 - NAME" */
static void begin(struct text *line, bool good, const char *name)
{
	text_clear(line);
	text_add(line, good ? "ok " : "not ok ");
	text_number(line, ++number);
	text_add(line, " - ");
	text_add(line, name);
}

void tap_output_result(bool good, const char *name, const struct text *detail)
{
	struct text line;

	begin(&line, good, name);
	if (detail && detail->length > 0) {
		text_add(&line, ": ");
		text_add(&line, detail->bytes);
	}
	print(&line);
	if (!good)
		failed++;
}

void tap_output_skip(const char *name, const char *why)
{
	struct text line;

	begin(&line, true, name);
	text_add(&line, " # SKIP ");
	text_add(&line, why);
	print(&line);
}

void tap_output_value(const char *name, uint32_t value)
{
	struct text line;

	text_clear(&line);
	text_add(&line, "# ");
	text_add(&line, name);
	text_add(&line, "=");
	text_number(&line, value);
	print(&line);
}

void tap_output_tenths(const char *name, uint32_t tenths)
{
	struct text line;

	text_clear(&line);
	text_add(&line, "# ");
	text_add(&line, name);
	text_add(&line, "=");
	text_tenths(&line, tenths);
	print(&line);
}

void tap_output_note(const char *text)
{
	serial_write("# ");
	serial_write(text);
	serial_write("\n");
}

void tap_output_bail(const char *why)
{
	serial_write("Bail out! ");
	serial_write(why);
	serial_write("\n");
	failed++;
}

unsigned int tap_output_failed(void)
{
	return failed;
}
