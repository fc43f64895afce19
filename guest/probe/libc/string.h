/* SPDX-License-Identifier: BSD-3-Clause */
/* What the probe has of <string.h>; see ../memory.c. The compiler calls these by itself, too. */
#pragma once

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);
int memcmp(const void *a, const void *b, size_t length);
size_t strlen(const char *text);
