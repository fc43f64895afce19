/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/paging.h"

#include <errno.h>
#include <stdbool.h>

#define TABLES 4
#define ENTRIES 512
#define PAGE_SIZE (2U << 20)
#define ENTRY_PRESENT 0x1U
#define ENTRY_WRITABLE 0x2U
#define ENTRY_UNCACHED 0x18U
#define ENTRY_LARGE 0x80U
#define CR4_PAE 0x20U
#define CR0_PAGING 0x80000000U

/* The hole: where Cloud Hypervisor and QEMU's q35 keep configuration space, of which we use none
 * this way. */
#define HOLE 0xe8000000U
#define HOLE_PAGES 2

static uint64_t tables[TABLES][ENTRIES] __attribute__((aligned(4096)));
static uint64_t top[TABLES] __attribute__((aligned(32)));
static uint64_t mapped; /* physical address of the hole's first page */
static bool on;

static void build(void)
{
	for (uint32_t i = 0; i < TABLES * ENTRIES; i++)
		tables[i / ENTRIES][i % ENTRIES] =
			(uint64_t)i * PAGE_SIZE | ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_LARGE;
	for (uint32_t i = 0; i < HOLE_PAGES; i++)
		tables[HOLE / PAGE_SIZE / ENTRIES][HOLE / PAGE_SIZE % ENTRIES + i] =
			(mapped + (uint64_t)i * PAGE_SIZE) | ENTRY_PRESENT | ENTRY_WRITABLE |
			ENTRY_LARGE | ENTRY_UNCACHED;
	for (uint32_t i = 0; i < TABLES; i++)
		top[i] = (uintptr_t)tables[i] | ENTRY_PRESENT;
}

static void turn_on(void)
{
	uint32_t word;

	__asm__ volatile("movl %%cr4, %0" : "=r"(word));
	__asm__ volatile("movl %0, %%cr4" : : "r"(word | CR4_PAE) : "memory");
	__asm__ volatile("movl %0, %%cr3" : : "r"((uint32_t)(uintptr_t)top) : "memory");
	__asm__ volatile("movl %%cr0, %0" : "=r"(word));
	__asm__ volatile("movl %0, %%cr0\n\tjmp 1f\n1:" : : "r"(word | CR0_PAGING) : "memory");
}

int paging_map(uint64_t address, uint32_t length, uint32_t *ret_place)
{
	if (!on) {
		mapped = address & ~(uint64_t)(PAGE_SIZE - 1);
		build();
		turn_on();
		on = true;
	}
	if (address < mapped || length > HOLE_PAGES * PAGE_SIZE ||
		address - mapped > HOLE_PAGES * PAGE_SIZE - length)
		return -ENXIO;
	*ret_place = HOLE + (uint32_t)(address - mapped);
	return 0;
}
