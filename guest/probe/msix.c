/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/msix.h"

#include <errno.h>

#define CAPABILITY_MSIX 0x11
/* The capability, offsets. */
#define CAPABILITY_CONTROL 2
#define CONTROL_ENABLE 0x8000
#define CONTROL_MASK 0x4000
#define CAPABILITY_TABLE 4
#define TABLE_BAR 0x7

/* An entry of the table. */
#define ENTRY_ADDRESS 0
#define ENTRY_ADDRESS_HIGH 4
#define ENTRY_DATA 8
#define ENTRY_CONTROL 12
#define ENTRY_SIZE 16

/* The local APIC: registers, and where messages go. Ours has the number 0. */
#define APIC 0xfee00000U
#define APIC_VERSION 0x30
#define APIC_SPURIOUS 0xf0
#define APIC_REQUESTED 0x200 /* one bit for each vector, 32 of them every 16 bytes */
#define SPURIOUS_ENABLE 0x1ff
#define VECTOR 0x40

static volatile uint32_t *apic(uint32_t offset)
{
	return (volatile uint32_t *)(uintptr_t)(APIC + offset);
}

/* Whether there is a local APIC that we reach as memory. */
static bool has_apic(void)
{
	uint32_t version = *apic(APIC_VERSION);

	return version != 0 && version != UINT32_MAX;
}

int msix_open(const struct pci_function *function, uint8_t window, struct msix *ret_msix)
{
	struct msix msix = {.function = function};
	struct pci_bar bar;
	uint32_t table;
	int r;

	msix.capability = pci_capability(function, CAPABILITY_MSIX, 0);
	if (msix.capability == 0 || msix.capability > 256 - CAPABILITY_TABLE - 4 || !has_apic())
		return -ENOENT;
	table = pci_read(function, msix.capability + CAPABILITY_TABLE, 4);
	r = pci_read_bar(function, table & TABLE_BAR, &bar);
	if (r < 0)
		return r;
	msix.table = (struct registers){
		.function = function,
		.address = bar.address + (table & ~TABLE_BAR),
		.length = ENTRY_SIZE,
		.offset = table & ~TABLE_BAR,
		.bar = table & TABLE_BAR,
		.window = window,
	};
	r = registers_open(&msix.table);
	if (r < 0)
		return r;
	*ret_msix = msix;
	return 0;
}

void msix_enable(const struct msix *msix)
{
	uint32_t control = pci_read(msix->function, msix->capability + CAPABILITY_CONTROL, 2);

	*apic(APIC_SPURIOUS) = SPURIOUS_ENABLE;
	registers_write(&msix->table, ENTRY_ADDRESS, 4, APIC);
	registers_write(&msix->table, ENTRY_ADDRESS_HIGH, 4, 0);
	registers_write(&msix->table, ENTRY_DATA, 4, VECTOR);
	registers_write(&msix->table, ENTRY_CONTROL, 4, 0);
	pci_write(msix->function, msix->capability + CAPABILITY_CONTROL, 2,
		(control & ~(uint32_t)CONTROL_MASK) | CONTROL_ENABLE);
}

bool msix_is_pending(void)
{
	return *apic(APIC_REQUESTED + VECTOR / 32 * 16) >> (VECTOR % 32) & 1;
}
