/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A command line that is being put together: words for execvp(), and the same as text for a shell.
 * Zeroed is empty. A failed allocation is remembered, so that callers check once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct arguments {
	char **words; /* `count` of them and a NULL; owned; NULL while empty */
	size_t count;
	size_t capacity; /* of words, pointers */
	bool failed;	 /* out of memory: `words` is not whole */
};

/* Appends a word, printf style. */
__attribute__((format(printf, 2, 3))) void arguments_add(
	struct arguments *arguments, const char *format, ...);

/*
 * Writes the words as one line that a POSIX shell reads back as the same words, without a newline.
 * Long lines are broken with a backslash when `wrap` is set.
 */
void arguments_print(const struct arguments *arguments, bool wrap, FILE *file);

/* Frees the words; empty again. */
void arguments_fini(struct arguments *arguments);
