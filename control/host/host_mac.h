/* SPDX-License-Identifier: BSD-3-Clause */
/* A MAC address that stays the same from start to start. */
#pragma once

#include <stdint.h>

#include "control/host/link.h"

/*
 * Derives a locally administered unicast address (02:…) from a machine's id, as text, and a name:
 * guests then keep their gateway in their ARP tables when the network is started again, and two
 * machines on one bridge differ.
 */
void host_mac_derive(const char *machine_id, const char *name, uint8_t ret_mac[LINK_MAC_LENGTH]);

/* The file with this machine's id (machine-id(5)). */
#define HOST_MAC_ID_FILE "/etc/machine-id"

/* The same, with the id in `id_file`. Returns 0, or -ENOENT when there is no id in it. */
int host_mac_stable(const char *id_file, const char *name, uint8_t ret_mac[LINK_MAC_LENGTH]);
