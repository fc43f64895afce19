/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Registers of a virtio device, wherever they lie.
 *
 * Theory of operation
 *
 * Below 4 GiB a register is memory. Cloud Hypervisor puts the registers of its network device above
 * 4 GiB, where 32-bit code does not reach without paging, and there are two ways:
 *
 *   window  the capability for access through configuration space (virtio 1.2, 4.1.4.9): offset and
 *           length are written there, then the value is read or written. Works everywhere but for
 *           one thing: Cloud Hypervisor up to v53 loses what is written to a notification register
 *           through it ("Unexpected write to notification BAR" in its log).
 *   paging  page tables with a hole for them. Works on every real machine, and is what a real
 *           guest's kick costs; but a KVM that only emulates its guest can end it there with a
 *           triple fault, after which the machine starts anew.
 *
 * So the window comes first, and paging when a kick was not heard; `probe.paging=` says otherwise.
 */
#pragma once

#include <stdint.h>

#include "guest/probe/pci.h"

enum registers_way {
	REGISTERS_DIRECT, /* memory below 4 GiB */
	REGISTERS_WINDOW, /* through configuration space */
	REGISTERS_PAGED,  /* memory above 4 GiB, mapped */
};

/* One region of them. */
struct registers {
	enum registers_way way;
	const struct pci_function *function;
	uint64_t address; /* physical */
	uint32_t length;  /* bytes */
	uint32_t offset;  /* of the region in its base address register, bytes */
	uint8_t bar;	  /* number of that */
	uint8_t window;	  /* offset of the capability for the window; 0: none */
	uint32_t base;	  /* where it lies for us, unless `way` is the window */
};

/* Prepares access to a region whose physical address is known. 0, or -ENXIO: no way leads there. */
int registers_open(struct registers *registers);

/* Changes to paging. Returns 0, or -ENXIO when the region is too large for the hole. */
int registers_page(struct registers *registers);

/*
 * Reads or writes `size` bytes (1, 2 or 4) at a multiple of it. Beyond the end nothing is written,
 * and ones are read.
 */
uint32_t registers_read(const struct registers *registers, uint32_t at, unsigned int size);
void registers_write(
	const struct registers *registers, uint32_t at, unsigned int size, uint32_t value);
