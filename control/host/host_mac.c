/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/host_mac.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* FNV-1a, 64 bits: spreads well, and nobody attacks a MAC address. */
static uint64_t fnv1a(uint64_t hash, const char *text)
{
	/* The terminator goes in as well: it separates the texts. */
	do {
		hash ^= (unsigned char)*text;
		hash *= 0x100000001b3;
	} while (*text++);
	return hash;
}

void host_mac_derive(const char *machine_id, const char *name, uint8_t ret_mac[LINK_MAC_LENGTH])
{
	uint64_t hash = fnv1a(fnv1a(0xcbf29ce484222325, machine_id), name);
	int i;

	/* Never 52:54:00, where the guests' addresses are. */
	ret_mac[0] = 0x02;
	for (i = 1; i < LINK_MAC_LENGTH; i++)
		ret_mac[i] = (uint8_t)(hash >> (8 * i));
}

int host_mac_stable(const char *id_file, const char *name, uint8_t ret_mac[LINK_MAC_LENGTH])
{
	char id[64] = "";
	FILE *file = fopen(id_file, "re");

	if (!file)
		return -ENOENT;
	if (!fgets(id, sizeof(id), file))
		id[0] = '\0';
	fclose(file);
	id[strcspn(id, "\n")] = '\0';
	/* "uninitialized" stands there on a first boot. */
	if (strlen(id) != 32)
		return -ENOENT;
	host_mac_derive(id, name, ret_mac);
	return 0;
}
