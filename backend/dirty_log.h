/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dirty log of a live migration (vhost-user specification, "Migration"): a bitmap in memory
 * that the front end shares, one bit for each page of 4 KiB of guest physical addresses, from
 * address 0 on. Bit p % 8 of byte p / 8 is page p.
 *
 * Whoever writes to guest memory marks the pages afterwards. The front end meanwhile takes bits
 * away and copies the pages: were a page marked first, its bit could be taken and the page copied
 * before the write. Marking is an atomic "or", which no later or earlier write passes, and other
 * back ends may share the bytes.
 *
 * A front end swaps the log for a fresh one in every round. The answer says that nothing is written
 * to the old one any more: the port's rings are parked by then (vhost_port.h).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DIRTY_LOG_PAGE 4096u

struct dirty_log {
	uint8_t *bits; /* the bitmap; NULL: there is no log */
	uint64_t size; /* of it, bytes */
	void *mapping; /* what was mapped: whole blocks of the file, which may be huge pages */
	size_t mapped; /* bytes of that */
};

/*
 * Maps the `size` bytes at `offset` of the file; `fd` stays the caller's. Returns 0 or -errno;
 * -EINVAL when the file does not hold them.
 */
int dirty_log_init(struct dirty_log *log, int fd, uint64_t size, uint64_t offset);

/* Unmaps it; a zeroed log is allowed. Nobody marks in it any more. */
void dirty_log_fini(struct dirty_log *log);

/* Marks the pages of `length` bytes at guest physical address `guest`, which have been written.
 * What lies beyond the log is the front end's not to know of. */
void dirty_log_mark(const struct dirty_log *log, uint64_t guest, uint64_t length);
