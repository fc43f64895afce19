/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/registers.h"

#include <errno.h>
#include <stdbool.h>

#include "guest/probe/paging.h"

/* struct virtio_pci_cfg_cap, offsets. */
#define WINDOW_BAR 4
#define WINDOW_OFFSET 8
#define WINDOW_LENGTH 12
#define WINDOW_DATA 16

int registers_open(struct registers *registers)
{
	if (registers->address + registers->length <= UINT32_MAX) {
		registers->way = REGISTERS_DIRECT;
		registers->base = (uint32_t)registers->address;
		return 0;
	}
	if (registers->window == 0)
		return -ENXIO;
	registers->way = REGISTERS_WINDOW;
	return 0;
}

int registers_page(struct registers *registers)
{
	uint32_t base;
	int r;

	if (registers->way != REGISTERS_WINDOW)
		return 0;
	/* The whole of the base address register, so that its regions share the hole. */
	r = paging_map(registers->address - registers->offset,
		registers->offset + registers->length, &base);
	if (r < 0)
		return r;
	registers->base = base + registers->offset;
	registers->way = REGISTERS_PAGED;
	return 0;
}

static bool fits(const struct registers *registers, uint32_t at, unsigned int size)
{
	return at < registers->length && registers->length - at >= size;
}

/* Where the device's window points; there is one device. Each change costs two exits of the VMM. */
static struct {
	uint32_t offset;
	uint32_t size; /* 0: not known */
	uint8_t bar;
} aimed;

/* Points the window at a register. */
static void aim(const struct registers *registers, uint32_t at, unsigned int size)
{
	const struct pci_function *function = registers->function;
	uint8_t window = registers->window;
	uint32_t offset = registers->offset + at;

	if (aimed.size == 0 || aimed.bar != registers->bar)
		pci_write(function, window + WINDOW_BAR, 1, registers->bar);
	if (aimed.size == 0 || aimed.offset != offset)
		pci_write(function, window + WINDOW_OFFSET, 4, offset);
	if (aimed.size != size)
		pci_write(function, window + WINDOW_LENGTH, 4, size);
	aimed.bar = registers->bar;
	aimed.offset = offset;
	aimed.size = size;
}

uint32_t registers_read(const struct registers *registers, uint32_t at, unsigned int size)
{
	const volatile void *p = (const volatile void *)(uintptr_t)(registers->base + at);

	if (!fits(registers, at, size))
		return UINT32_MAX;
	if (registers->way == REGISTERS_WINDOW) {
		aim(registers, at, size);
		return pci_read(registers->function, registers->window + WINDOW_DATA, size);
	}
	if (size == 1)
		return *(const volatile uint8_t *)p;
	return size == 2 ? *(const volatile uint16_t *)p : *(const volatile uint32_t *)p;
}

void registers_write(
	const struct registers *registers, uint32_t at, unsigned int size, uint32_t value)
{
	volatile void *p = (volatile void *)(uintptr_t)(registers->base + at);

	if (!fits(registers, at, size))
		return;
	if (registers->way == REGISTERS_WINDOW) {
		aim(registers, at, size);
		pci_write(registers->function, registers->window + WINDOW_DATA, size, value);
	} else if (size == 1) {
		*(volatile uint8_t *)p = (uint8_t)value;
	} else if (size == 2) {
		*(volatile uint16_t *)p = (uint16_t)value;
	} else {
		*(volatile uint32_t *)p = value;
	}
}
