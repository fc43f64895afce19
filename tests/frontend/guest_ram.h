/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory of a guest that is not there: regions of a memfd, mapped here as a VMM maps them, with
 * guest physical addresses that have nothing to do with where they are mapped.
 *
 * Nothing is ever given back before guest_ram_fini(): a guest here lives for one test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As many as a SET_MEM_TABLE message carries. */
#define GUEST_RAM_REGIONS_MAX 8

struct guest_ram_layout {
	unsigned int regions; /* 1 to GUEST_RAM_REGIONS_MAX */
	uint64_t region_size; /* bytes of each; a multiple of the page size */
	bool adjacent;	      /* no gap between the regions' guest physical addresses */
	bool one_file;	      /* one memfd with offsets (QEMU), not one for each region (CH) */
};

struct guest_ram_region {
	uint64_t guest;	      /* guest physical address of the first byte */
	uint64_t size;	      /* bytes */
	uint64_t file_offset; /* bytes, of the region's first byte in the file */
	uint64_t used;	      /* bytes handed out, from the start, the first page included */
	uint8_t *host;	      /* where it is mapped here */
	int fd;		      /* the memfd; with one_file the same number in every region */
};

struct guest_ram {
	unsigned int count;
	unsigned int turn; /* the region that the next allocation begins to look in */
	struct guest_ram_region regions[GUEST_RAM_REGIONS_MAX];
};

/* Makes and maps the memory, all zero. 0 or negative errno; guest_ram_fini() is due either way. */
int guest_ram_init(struct guest_ram *ram, const struct guest_ram_layout *layout);
void guest_ram_fini(struct guest_ram *ram);

/* Plugs one more region of its own file in, behind the others. 0 or negative errno. */
int guest_ram_grow(struct guest_ram *ram, uint64_t size);

/*
 * Hands out `size` bytes aligned to `align` (a power of two), taking the regions in turn. Returns
 * the guest physical address; 0 when no region has room (a region's first page is never handed
 * out).
 */
uint64_t guest_ram_alloc(struct guest_ram *ram, uint64_t size, uint64_t align);

/* Where [guest, guest + length) lies here; NULL unless it is all in one region. */
void *guest_ram_at(const struct guest_ram *ram, uint64_t guest, uint64_t length);

/* Copies between guest memory and private memory, across adjacent regions. 0 or -EFAULT. */
int guest_ram_write(struct guest_ram *ram, uint64_t guest, const void *bytes, uint64_t length);
int guest_ram_read(const struct guest_ram *ram, uint64_t guest, void *bytes, uint64_t length);
