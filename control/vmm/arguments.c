/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/vmm/arguments.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Columns after which a line is broken. */
#define WRAP_COLUMNS 78

/* Makes room for one more word and the NULL behind it. */
static bool grow(struct arguments *arguments)
{
	size_t capacity = arguments->capacity ? 2 * arguments->capacity : 16;
	char **words;

	if (arguments->count + 1 < arguments->capacity)
		return true;
	words = reallocarray(arguments->words, capacity, sizeof(*words));
	if (!words)
		return false;
	arguments->words = words;
	arguments->capacity = capacity;
	return true;
}

void arguments_add(struct arguments *arguments, const char *format, ...)
{
	va_list values;
	char *word;

	if (arguments->failed)
		return;
	if (!grow(arguments)) {
		arguments->failed = true;
		return;
	}
	va_start(values, format);
	if (vasprintf(&word, format, values) < 0)
		arguments->failed = true;
	va_end(values);
	if (arguments->failed)
		return;
	arguments->words[arguments->count++] = word;
	arguments->words[arguments->count] = NULL;
}

/* Whether a shell takes the word as it is. */
static bool is_plain(const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "_@%+=:,./-";

	return *word != '\0' && strspn(word, plain) == strlen(word);
}

static void print_word(const char *word, FILE *file)
{
	if (is_plain(word)) {
		fputs(word, file);
		return;
	}
	fputc('\'', file);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", file);
		else
			fputc(*word, file);
	}
	fputc('\'', file);
}

void arguments_print(const struct arguments *arguments, bool wrap, FILE *file)
{
	size_t column = 0;

	for (size_t i = 0; i < arguments->count; i++) {
		size_t length = strlen(arguments->words[i]) + 1;

		if (i > 0 && wrap && column + length > WRAP_COLUMNS) {
			fputs(" \\\n    ", file);
			column = 4;
		} else if (i > 0) {
			fputc(' ', file);
		}
		column += length;
		print_word(arguments->words[i], file);
	}
}

void arguments_fini(struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->count; i++)
		free(arguments->words[i]);
	free(arguments->words);
	*arguments = (struct arguments){0};
}
