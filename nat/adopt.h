/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

struct nat;

/*
 * Rebuilds all derived tables from the flow memory: index, hash chains, free lists, port map,
 * permissions, counts and checksum deltas. Records that are not committed, contradict the
 * configuration or each other, or whose time is over, are made free. Interrupted at any
 * instruction, it can be done again.
 */
void adopt(struct nat *nat);
