/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether the device interrupts (MSI-X; PCI Local Bus 3.0, 6.8.2), without taking an interrupt: the
 * processor never allows one, so it stays pending in the local APIC (Intel SDM volume 3, 11.8.4),
 * where it can be seen. Once, which is enough.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest/probe/pci.h"
#include "guest/probe/registers.h"

/* The entry of the device's table that is used. */
#define MSIX_ENTRY 0

struct msix {
	const struct pci_function *function;
	uint8_t capability;	/* its offset; 0: the device has none */
	struct registers table; /* the first entry of it */
};

/*
 * Prepares the first entry; `window` is the device's, for registers_open(). Returns 0; -ENOENT when
 * the device or the processor has no such thing; -ENXIO when the table cannot be reached.
 */
int msix_open(const struct pci_function *function, uint8_t window, struct msix *ret_msix);

/* Lets the device interrupt. */
void msix_enable(const struct msix *msix);

/* Whether it has done so. */
bool msix_is_pending(void);
