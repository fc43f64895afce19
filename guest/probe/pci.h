/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PCI configuration space through the ports 0xcf8 and 0xcfc (PCI Local Bus 3.0, 3.2.2.3.2), which
 * every VMM for x86 has, and the lists of capabilities in it. The device is the VMM's: offsets that
 * it names are checked, and its lists end after so many entries.
 */
#pragma once

#include <stdint.h>

struct pci_function {
	uint8_t bus;
	uint8_t device;	  /* 0 to 31 */
	uint8_t function; /* 0 to 7 */
};

/* A base address register. */
struct pci_bar {
	uint64_t address; /* physical */
	uint8_t width;	  /* bits: 32 or 64 */
};

/*
 * Reads and writes `size` bytes (1, 2 or 4) at an offset below 256 that is a multiple of it.
 */
uint32_t pci_read(const struct pci_function *function, uint8_t offset, unsigned int size);
void pci_write(
	const struct pci_function *function, uint8_t offset, unsigned int size, uint32_t value);

/*
 * Finds the first function of `vendor` with one of two device numbers. Returns 0 or -ENOENT.
 */
int pci_find(uint16_t vendor, uint16_t device, uint16_t other, struct pci_function *ret_function);

/*
 * The first capability with that number behind `after` (0: from the start); its offset, or 0 when
 * there is none. At least four bytes of it lie in configuration space.
 */
uint8_t pci_capability(const struct pci_function *function, uint8_t number, uint8_t after);

/* Reads register `number`, 0 to 5. Returns 0, or -ENXIO when it is no memory, or not assigned. */
int pci_read_bar(const struct pci_function *function, unsigned int number, struct pci_bar *ret_bar);

/* Lets the function answer to its memory, and reach ours. */
void pci_enable(const struct pci_function *function);
