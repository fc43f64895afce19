/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/vmm/spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/*
 * Finds the end of the item that begins at `text`: its comma, or the end of the text. Clears
 * *balanced when brackets or quotes are open there or were closed too often.
 */
static const char *item_end(const char *text, bool *balanced)
{
	bool quoted = false;
	int depth = 0;

	for (; *text; text++) {
		if (*text == '[') {
			depth++;
		} else if (*text == ']') {
			if (--depth < 0)
				*balanced = false;
		} else if (*text == '"') {
			quoted = !quoted;
		} else if (*text == ',' && depth <= 0 && !quoted) {
			break;
		}
	}
	if (depth > 0 || quoted)
		*balanced = false;
	return text;
}

/* Compares the item's key, without quotes, with `key`. Returns the text behind it; NULL: another.
 */
static const char *item_value(const char *item, const char *end, const char *key)
{
	for (; item < end && *item != '='; item++) {
		if (*item == '"')
			continue;
		if (*item != *key)
			return NULL;
		key++;
	}
	return *key == '\0' ? item : NULL;
}

/* Finds the last item with this key: [start, end) is "=value", or empty. */
static bool find(const char *spec, const char *key, const char **ret_start, const char **ret_end)
{
	bool found = false, balanced;

	while (isspace((unsigned char)*spec))
		spec++;
	for (;;) {
		const char *end = item_end(spec, &balanced);
		const char *value = item_value(spec, end, key);

		if (value) {
			*ret_start = value;
			*ret_end = end;
			found = true;
		}
		if (*end == '\0')
			return found;
		spec = end + 1;
	}
}

bool spec_is_balanced(const char *spec)
{
	bool balanced = true;

	for (;;) {
		const char *end = item_end(spec, &balanced);

		if (*end == '\0')
			return balanced;
		spec = end + 1;
	}
}

bool spec_has(const char *spec, const char *key)
{
	const char *start, *end;

	return find(spec, key, &start, &end);
}

int spec_get(const char *spec, const char *key, char *value, size_t size)
{
	const char *start, *end;
	size_t length = 0;

	if (!find(spec, key, &start, &end) || start == end)
		return -ENOENT;
	start++;
	while (start < end && isspace((unsigned char)*start))
		start++;
	while (end > start && isspace((unsigned char)end[-1]))
		end--;
	for (const char *c = start; c < end; c++)
		length += *c != '"';
	if (length == 0)
		return -ENOENT;
	if (length >= size)
		return -ENOSPC;
	for (; start < end; start++)
		if (*start != '"')
			*value++ = *start;
	*value = '\0';
	return 0;
}

bool spec_is_on(const char *spec, const char *key)
{
	char value[8];

	return spec_get(spec, key, value, sizeof(value)) == 0 &&
	       (strcasecmp(value, "on") == 0 || strcasecmp(value, "true") == 0);
}

int spec_get_number(const char *spec, const char *key, uint32_t *ret_number)
{
	char value[16], *end;
	int r = spec_get(spec, key, value, sizeof(value));
	unsigned long number;

	if (r < 0)
		return r == -ENOENT ? r : -EINVAL;
	if (!isdigit((unsigned char)value[0]))
		return -EINVAL;
	number = strtoul(value, &end, 10);
	if (*end != '\0' || number > UINT32_MAX)
		return -EINVAL;
	*ret_number = (uint32_t)number;
	return 0;
}
