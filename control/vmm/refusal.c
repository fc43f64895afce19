/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/vmm/refusal.h"

#include <string.h>

bool refusal_is_of_vhost_user(const char *complaints)
{
	const char *last = complaints;

	for (const char *line = complaints; *line;) {
		/* A terminal in raw mode gets "\r\n". */
		if (!strchr(" \t\r\n", *line))
			last = line;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return strcasestr(last, "vhost");
}
