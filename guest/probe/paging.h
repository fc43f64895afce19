/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Page tables of 64-bit entries (PAE; Intel SDM volume 3, 4.4): everything below 4 GiB lies where
 * it is, but for one hole, behind which lies memory above.
 */
#pragma once

#include <stdint.h>

/*
 * Makes `length` bytes at the physical address appear below 4 GiB, uncached; turns paging on at the
 * first call. Everything mapped must lie within 4 MiB. Returns 0 with the place, or -ENXIO.
 */
int paging_map(uint64_t address, uint32_t length, uint32_t *ret_place);
