/* SPDX-License-Identifier: BSD-3-Clause */
/* Zeroed private memory for tables: takes up room only where it was touched. Large tables ask
 * for huge pages. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* NULL when there is no memory. */
void *table_memory_new(size_t size);
/* `memory` may be NULL. */
void table_memory_free(void *memory, size_t size);

/* The lowest power of two that is at least `n`; n is 1 to 2^31. */
static inline uint32_t table_power_of_two(uint32_t n)
{
	return n <= 1 ? 1 : UINT32_C(1) << (32 - __builtin_clz(n - 1));
}
