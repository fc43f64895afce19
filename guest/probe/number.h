/* SPDX-License-Identifier: BSD-3-Clause */
/* Arithmetic that a 32-bit machine without a compiler's library does not have. */
#pragma once

#include <stdint.h>

/* value / divisor, at most UINT32_MAX: larger quotients, and those by zero, are that. */
static inline uint32_t number_divide(uint64_t value, uint32_t divisor)
{
	uint32_t high = (uint32_t)(value >> 32), low = (uint32_t)value;

	if (high >= divisor)
		return UINT32_MAX;
	__asm__("divl %2" : "+a"(low), "+d"(high) : "r"(divisor) : "cc");
	return low;
}

/* (value * factor) >> 32 */
static inline uint64_t number_scale(uint64_t value, uint32_t factor)
{
	return (value >> 32) * factor + ((uint64_t)(uint32_t)value * factor >> 32);
}
