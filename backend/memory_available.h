/* SPDX-License-Identifier: BSD-3-Clause */
/* How much memory the system can still give. */
#pragma once

#include <stdint.h>
#include <stdio.h>

/* Bytes that programs may take without swapping, as the kernel estimates it; UINT64_MAX when it
 * does not say. Limits of a control group are not looked at. */
uint64_t memory_available(void);

/* The same out of the text of /proc/meminfo. */
uint64_t memory_available_read(FILE *meminfo);
