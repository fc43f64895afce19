/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/memory_available.h"

#include <inttypes.h>

uint64_t memory_available_read(FILE *meminfo)
{
	char line[128];
	uint64_t kib;

	while (fgets(line, sizeof(line), meminfo))
		if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1)
			return kib < UINT64_MAX / 1024 ? kib * 1024 : UINT64_MAX;
	return UINT64_MAX;
}

uint64_t memory_available(void)
{
	FILE *meminfo = fopen("/proc/meminfo", "re");
	uint64_t bytes = UINT64_MAX;

	if (!meminfo)
		return bytes;
	bytes = memory_available_read(meminfo);
	fclose(meminfo);
	return bytes;
}
