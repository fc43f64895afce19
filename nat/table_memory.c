/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/table_memory.h"

#include <sys/mman.h>

#define HUGE_TABLE_SIZE ((size_t)8 << 20)

void *table_memory_new(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	/* Fewer TLB misses where the table exceeds what the TLB covers; small ones stay small in
	 * residence. That the kernel may refuse does not matter. */
	if (size >= HUGE_TABLE_SIZE)
		(void)madvise(memory, size, MADV_HUGEPAGE);
	return memory;
}

void table_memory_free(void *memory, size_t size)
{
	if (memory != NULL)
		munmap(memory, size);
}
