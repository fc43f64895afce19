/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/pci.h"

#include <errno.h>

#include "guest/probe/io.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA 0xcfc
#define ADDRESS_ENABLE 0x80000000U

/* Configuration space, offsets. */
#define CONFIG_ID 0x00
#define CONFIG_COMMAND 0x04
#define COMMAND_MEMORY 0x2
#define COMMAND_MASTER 0x4
#define CONFIG_STATUS 0x06
#define STATUS_CAPABILITIES 0x10
#define CONFIG_HEADER_TYPE 0x0e
#define HEADER_SEVERAL 0x80 /* functions */
#define CONFIG_BAR 0x10
#define BAR_COUNT 6
#define BAR_IS_PORTS 0x1
#define BAR_TYPE 0x6
#define BAR_TYPE_64 0x4
#define CONFIG_CAPABILITIES 0x34
#define CAPABILITIES_FIRST 0x40
#define CAPABILITIES_MAX 48 /* as many as fit */

/* Selects a register; returns the port for its byte. */
static uint16_t select(const struct pci_function *function, uint8_t offset)
{
	io_write32(PORT_ADDRESS, ADDRESS_ENABLE | (uint32_t)function->bus << 16 |
					 (uint32_t)function->device << 11 |
					 (uint32_t)function->function << 8 | (offset & 0xfcU));
	return PORT_DATA + (offset & 3);
}

uint32_t pci_read(const struct pci_function *function, uint8_t offset, unsigned int size)
{
	uint16_t port = select(function, offset);

	if (size == 1)
		return io_read8(port);
	return size == 2 ? io_read16(port) : io_read32(port);
}

void pci_write(
	const struct pci_function *function, uint8_t offset, unsigned int size, uint32_t value)
{
	uint16_t port = select(function, offset);

	if (size == 1)
		io_write8(port, (uint8_t)value);
	else if (size == 2)
		io_write16(port, (uint16_t)value);
	else
		io_write32(port, value);
}

int pci_find(uint16_t vendor, uint16_t device, uint16_t other, struct pci_function *ret_function)
{
	/* Bus 0 first, which is the only one of Cloud Hypervisor's first segment. */
	for (unsigned int number = 0; number < 256 * 32 * 8; number++) {
		struct pci_function function = {
			.bus = (uint8_t)(number >> 8),
			.device = number >> 3 & 31,
			.function = number & 7,
		};
		uint32_t id = pci_read(&function, CONFIG_ID, 4);

		if (function.function == 0 &&
			(id == UINT32_MAX ||
				!(pci_read(&function, CONFIG_HEADER_TYPE, 1) & HEADER_SEVERAL)))
			number += 7;
		if ((uint16_t)id != vendor || (id >> 16 != device && id >> 16 != other))
			continue;
		*ret_function = function;
		return 0;
	}
	return -ENOENT;
}

uint8_t pci_capability(const struct pci_function *function, uint8_t number, uint8_t after)
{
	uint8_t offset;

	if (!(pci_read(function, CONFIG_STATUS, 2) & STATUS_CAPABILITIES))
		return 0;
	offset = (uint8_t)pci_read(function, after ? after + 1 : CONFIG_CAPABILITIES, 1);
	for (int i = 0; i < CAPABILITIES_MAX; i++) {
		offset &= 0xfc;
		if (offset < CAPABILITIES_FIRST)
			return 0;
		if (pci_read(function, offset, 1) == number)
			return offset;
		offset = (uint8_t)pci_read(function, offset + 1, 1);
	}
	return 0;
}

int pci_read_bar(const struct pci_function *function, unsigned int number, struct pci_bar *ret_bar)
{
	struct pci_bar bar = {.width = 32};
	uint32_t low;

	if (number >= BAR_COUNT)
		return -ENXIO;
	low = pci_read(function, (uint8_t)(CONFIG_BAR + 4 * number), 4);
	if (low & BAR_IS_PORTS)
		return -ENXIO;
	bar.address = low & ~15U;
	if ((low & BAR_TYPE) == BAR_TYPE_64) {
		if (number + 1 == BAR_COUNT)
			return -ENXIO;
		bar.width = 64;
		bar.address |=
			(uint64_t)pci_read(function, (uint8_t)(CONFIG_BAR + 4 * (number + 1)), 4)
			<< 32;
	}
	if (bar.address == 0)
		return -ENXIO;
	*ret_bar = bar;
	return 0;
}

void pci_enable(const struct pci_function *function)
{
	uint32_t command = pci_read(function, CONFIG_COMMAND, 2);

	pci_write(function, CONFIG_COMMAND, 2, command | COMMAND_MEMORY | COMMAND_MASTER);
}
