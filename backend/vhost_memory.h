/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory table that a front end has set, as librte_vhost mapped it, for our rings. Mappings are
 * the library's: ours is only the table, and that the SIGBUS handler knows of them.
 */
#pragma once

#include <stdint.h>

#include "backend/guest_memory.h"

/* After an accepted SET_MEM_TABLE. NULL without memory. Freed with vhost_memory_free(). */
struct guest_memory *vhost_memory_new(int vid, uint16_t port);

/* `memory` may be NULL; no ring uses it any more. */
void vhost_memory_free(struct guest_memory *memory, uint16_t port);
