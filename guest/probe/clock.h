/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time since the start: the processor's time stamp counter, measured once against the ACPI power
 * management timer (ACPI 6.4, 4.8.3.3), which both Cloud Hypervisor and QEMU's q35 have at port
 * 0x608.
 */
#pragma once

#include <stdint.h>

/* Measures. Returns 0 with the counter's frequency, or -ENXIO when there is no such timer. */
int clock_init(uint32_t *ret_mhz);

/* Microseconds. */
uint64_t clock_us(void);

/* A number that another boot has hardly: of ports and sequence numbers. */
uint32_t clock_seed(void);
