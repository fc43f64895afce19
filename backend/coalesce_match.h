/* SPDX-License-Identifier: BSD-3-Clause */
/* Which frames can be joined, and what a joined frame's headers say. For coalesce.c only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/coalesce.h"

/*
 * The length of the headers of a frame that can be joined with others of its flow, in bytes, when
 * TCP or UDP may be; 0 when it cannot. Sums the payload when the frame says that its checksum is
 * complete.
 */
uint32_t coalesce_headers(const struct packet *p, bool tcp, bool udp);

/* Whether `p`, any IPv4 frame, may belong to the flow of `entry`, which has headers: a fragment
 * may, to each between its addresses. */
bool coalesce_same_flow(const struct packet *entry, const struct packet *p);

/* Whether `p`, of the entry's flow and with headers, may be joined to its end. */
bool coalesce_follows(const struct coalesce_entry *entry, const struct packet *p);

/* Remembers in the entry what `p`, now its last frame, means for the next. */
void coalesce_note(struct coalesce_entry *entry, const struct packet *p);

/* Whether another frame may follow `p`, the entry's last. */
bool coalesce_may_grow(const struct coalesce_entry *entry, const struct packet *p);

/* Makes an entry of several frames a GSO frame: lengths, checksums, virtio-net header. */
void coalesce_finish(struct coalesce_entry *entry);
