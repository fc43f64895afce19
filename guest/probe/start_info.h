/* SPDX-License-Identifier: BSD-3-Clause */
/* What a PVH machine tells its kernel (Xen, public/arch-x86/hvm/start_info.h). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define START_INFO_MAGIC 0x336ec578U
/* The longest command line that is looked at, bytes. */
#define START_INFO_LINE_MAX 2048

struct start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules; /* physical address */
	uint64_t line;	  /* of the command line, zero terminated; 0: none */
	uint64_t rsdp;	  /* of ACPI's tables */
};
