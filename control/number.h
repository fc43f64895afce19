/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers that people and clients write. */
#pragma once

#include <stdint.h>

/*
 * Reads a decimal number from `low` to `high`, both included: digits and nothing else. Returns 0,
 * or -EINVAL and leaves *ret_number alone.
 */
int number_read(const char *text, uint32_t low, uint32_t high, uint32_t *ret_number);
